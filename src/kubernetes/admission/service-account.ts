/** Gives every pod a service account and a projected token (upstream: plugin/pkg/admission/serviceaccount). */
import { hash32 } from "../../clock/random.js";
import { badRequest, forbidden } from "../errors.js";
import type { Pod, PodSpec, ServiceAccount, Volume, VolumeMount } from "../schema/generated/types.js";
import type { AdmissionPlugin } from "./plugin.js";
import { mapContainers, podOf } from "./pod-object.js";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
/** An hour and a bit: the kubelet renews at 80 % of it, and old clients believe in an hour. */
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;
/** Mirror pods come from a machine's own files; they may not use the API. */
const MIRROR = "kubernetes.io/config.mirror";

/** One object for all pods: stored objects are immutable, and there are many pods. */
const TOKEN_FILES: NonNullable<Volume["projected"]> = {
  defaultMode: FILE_MODE,
  sources: [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    {
      downwardAPI: {
        items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
      },
    },
  ],
};

const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Five letters that follow from the pod's identity, in the alphabet of generated names: the same run gives the same names. */
function suffixOf(identity: string): string {
  let value = hash32(identity);
  let suffix = "";
  for (let count = 0; count < 5; count++) {
    suffix += SUFFIX_ALPHABET.charAt(value % SUFFIX_ALPHABET.length);
    value = Math.floor(value / SUFFIX_ALPHABET.length);
  }
  return suffix;
}

/** The volume a pod already has for its token, e.g. because it was made from a template that was read off another pod. */
const existingVolume = (spec: PodSpec): string | undefined =>
  spec.volumes?.find((volume) => volume.name.startsWith("kube-api-access-") && volume.projected)?.name;

function mountToken(pod: Pod & { spec: PodSpec }): void {
  const known = existingVolume(pod.spec);
  let name =
    known ??
    `kube-api-access-${suffixOf(`${pod.metadata.namespace}/${pod.metadata.name ?? pod.metadata.generateName}/${pod.metadata.uid}`)}`;
  while (!known && pod.spec.volumes?.some((volume) => volume.name === name)) name = `kube-api-access-${suffixOf(name)}`;
  const mount: VolumeMount = { name, readOnly: true, mountPath: MOUNT_PATH };
  const spec = mapContainers(pod.spec, (container) => {
    const mounts = container.volumeMounts ?? [];
    return mounts.some(({ mountPath }) => mountPath === MOUNT_PATH)
      ? container
      : { ...container, volumeMounts: [...mounts, mount] };
  });
  const needed = spec !== pod.spec && !known;
  pod.spec = needed ? { ...spec, volumes: [...(spec.volumes ?? []), { name, projected: TOKEN_FILES }] } : spec;
}

export const serviceAccount: AdmissionPlugin = {
  name: "ServiceAccount",
  admit(request, reader) {
    const pod = podOf(request);
    if (!pod) return;
    if (pod.metadata.annotations?.[MIRROR] !== undefined) {
      if (pod.spec.serviceAccountName) throw badRequest("a mirror pod may not reference service accounts");
      return;
    }
    const name = pod.spec.serviceAccountName || pod.spec.serviceAccount || "default";
    if (pod.spec.serviceAccountName !== name || pod.spec.serviceAccount !== name)
      pod.spec = { ...pod.spec, serviceAccountName: name, serviceAccount: name };
    const namespace = request.namespace ?? "default";
    const account = reader.get("serviceaccounts", { namespace, name }) as ServiceAccount | undefined;
    if (!account) {
      throw forbidden(
        "",
        "pods",
        request.name,
        `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
      );
    }
    if (pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(pod);
    if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
      pod.spec = { ...pod.spec, imagePullSecrets: account.imagePullSecrets };
  },
};
