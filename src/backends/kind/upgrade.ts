/** A new version of the control plane: what joins from now on runs it, and what kubeadm keeps in the cluster says so. */
import { BackendError } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import type { ConfigMap } from "./config-maps.js";
import { nodeImage } from "./images.js";
import { asBackendError } from "./kube-client.js";

const KUBEADM_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";

/** Patch version in the name of an image: `kindest/node:v1.36.2` -> `v1.36.2`. Where it has none, the machine itself is asked. */
async function patchVersion({ engine }: KindContext, image: string): Promise<string> {
  const named = /:(v\d+\.\d+\.\d+)/.exec(image)?.[1];
  if (named) return named;
  const { stdout } = await engine.run(["run", "--rm", "--entrypoint", "cat", image, "/kind/version"]);
  const version = stdout.trim();
  if (/^v\d+\.\d+\.\d+/.test(version)) return version;
  throw new BackendError("failed", `the image ${image} does not say which version of Kubernetes it has`);
}

/** Masters that join take the images of this version. */
export async function setTargetVersion(context: KindContext, held: Held, version: string): Promise<void> {
  const kubernetesVersion = await patchVersion(context, nodeImage(version, context.nodeImages));
  await asBackendError(async () => {
    const present = await held.client.get<ConfigMap>(KUBEADM_CONFIG);
    const text = present?.data?.ClusterConfiguration;
    if (!present || text === undefined)
      throw new BackendError("failed", `cluster ${held.file.spec.name} has lost kubeadm's ConfigMap kubeadm-config`);
    const changed = text.replace(/^kubernetesVersion: .*$/m, `kubernetesVersion: ${kubernetesVersion}`);
    if (changed === text) return;
    const body = { ...present, data: { ...present.data, ClusterConfiguration: changed } };
    await held.client.request("PUT", KUBEADM_CONFIG, { body });
  });
}

/** The masters have all been replaced: from now on the cluster as a whole has that version. */
export async function finishUpgrade(context: KindContext, held: Held, version: string): Promise<void> {
  if (held.file.spec.version === version) return;
  await setTargetVersion(context, held, version);
  held.file = { ...held.file, spec: { ...held.file.spec, version } };
  await context.files.write(held.file);
}
