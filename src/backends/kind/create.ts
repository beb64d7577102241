/** Making a cluster: the network first, because the webhook listens there, then kind does the rest and its progress is told. */
import { createServer } from "node:net";
import type { PortRange } from "../../domain/endpoint-ports.js";
import { BackendError, type ClusterSpec } from "../backend.js";
import type { KindContext } from "./cluster.js";
import { authorizers, type KindConfigOptions, kindConfig, WEBHOOK_FILES } from "./config-file.js";
import { dropNetwork, NETWORK_LOCK, removeContainersOf } from "./delete.js";
import type { ClusterFile } from "./files.js";
import { imageHint, nodeImage } from "./images.js";
import { firstMasterName, KIND_LABELS, kindClusterName } from "./names.js";

/** The image may have to be pulled. Milliseconds. */
const CREATE_LIMIT_MS = 15 * 60_000;

/** Versions from which on kubelets refuse cgroup v1 unless told otherwise. */
const REFUSES_CGROUP_V1 = 35;

/** Leaves a cluster that is complete, and its file. What an earlier attempt left behind is taken away first. */
export async function makeCluster(context: KindContext, spec: ClusterSpec): Promise<ClusterFile> {
  const { files, runner, log } = context;
  const { cgroups } = await context.tools();
  const owner = await files.owner();
  const kindName = kindClusterName(owner, spec);
  const image = nodeImage(spec.version, context.nodeImages);
  await removeContainersOf(context, kindName);
  const paths = files.paths(spec.clusterId);
  await files.remove(spec.clusterId);
  await writeWebhookFiles(context, spec.clusterId);
  const options: KindConfigOptions = {
    kindName,
    // Kubeconfigs carry the port that it had before.
    port: spec.port !== 0 && (await isFree(spec.port)) ? spec.port : await freePort(context.endpointPorts),
    authnDir: paths.authnDir,
    cgroupV1: cgroups === 1 && Number(spec.version.split(".")[1]) >= REFUSES_CGROUP_V1,
    speed: context.speed,
  };
  await files.writeText(paths.config, `${JSON.stringify(kindConfig(spec, options), null, 2)}\n`);
  const args = ["--name", kindName, "--config", paths.config, "--image", image, "--kubeconfig", paths.kubeconfig];
  try {
    await runner.run("kind", ["create", "cluster", ...args], {
      timeoutMs: CREATE_LIMIT_MS,
      signal: context.ending,
      onStderrLine: (line) => {
        const step = /^\s*[✓✗]\s+(.*?)\s*\S*$/u.exec(line)?.[1];
        if (step) log.info({ cluster: spec.name, step }, "creating a kind cluster");
      },
    });
    const file = await describe(context, spec, kindName);
    await files.write(file);
    return file;
  } catch (error) {
    await removeContainersOf(context, kindName).catch((err) =>
      log.warn({ err, kindName }, "the rest of a cluster that could not be made is still there; eksim gc removes it"),
    );
    await files.remove(spec.clusterId);
    await dropNetwork(context);
    // Whoever waits for the cluster learns that it cannot be made, however kind said so.
    if (error instanceof BackendError && error.code === "timeout")
      throw new BackendError("failed", error.message, { cause: error });
    if (error instanceof BackendError && /failed to pull image|pull access denied|no such image/i.test(error.message))
      throw new BackendError("failed", `${error.message}\n${imageHint(spec.version, image)}`, { cause: error });
    throw error;
  }
}

/**
 * Makes the network when there is none, has the webhook served there, and writes down what the API servers read of it. Gives whether that is something else
 * than before, which API servers that run do not notice.
 */
export function writeWebhookFiles(context: KindContext, clusterId: string): Promise<{ changed: boolean }> {
  const { files, locks, whereabouts } = context;
  return locks.exclusive(NETWORK_LOCK, async () => {
    const late = whereabouts.addressesComeLate;
    const webhook = await context.webhookFiles(clusterId, await whereabouts.addresses(), { late });
    const { authnDir } = files.paths(clusterId);
    const texts: Record<keyof typeof WEBHOOK_FILES, string> = {
      ...webhook,
      authorizers: JSON.stringify(authorizers()),
    };
    let changed = false;
    for (const [file, text] of Object.entries(texts) as [keyof typeof WEBHOOK_FILES, string][]) {
      const path = `${authnDir}/${WEBHOOK_FILES[file]}`;
      if ((await files.readText(path)) === text) continue;
      await files.writeText(path, text);
      changed = true;
    }
    return { changed };
  });
}

async function describe({ engine }: KindContext, spec: ClusterSpec, kindName: string): Promise<ClusterFile> {
  const containers = await engine.containers({ [KIND_LABELS.cluster]: kindName });
  const { clusterId, name, accountId, region, version, serviceCidr, oidcIssuer } = spec;
  return {
    form: 1,
    kindName,
    spec: { clusterId, name, accountId, region, version, serviceCidr, oidcIssuer },
    masters: spec.members.map(({ id, zone }, index) => {
      const container = firstMasterName(kindName, index);
      const address = containers.find((one) => one.name === container)?.address;
      if (!address) throw new BackendError("failed", `kind has made no container ${container}`);
      return { id, zone, container, address };
    }),
  };
}

/** A port of the range that nothing listens on now; it is kind's a moment later. */
async function freePort({ first, last }: PortRange): Promise<number> {
  const span = last - first + 1;
  const { randomInt } = await import("node:crypto");
  const from = randomInt(span);
  for (let step = 0; step < span; step++) {
    const port = first + ((from + step) % span);
    if (await isFree(port)) return port;
  }
  throw new BackendError("failed", `no port from ${first} to ${last} is free`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
