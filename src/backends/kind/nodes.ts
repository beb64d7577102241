/** Worker nodes: machines that join while the cluster runs, many at once, and leave it again. */
import { BackendError, type NodeSpec } from "../backend.js";
import { type Held, type KindContext, until } from "./cluster.js";
import { deleteNode, type Node, nodePath, patchNode } from "./drain.js";
import type { Container } from "./engine.js";
import { nodeImage } from "./images.js";
import {
  boot,
  hasJoined,
  joinConfiguration,
  kubeadmJoin,
  kubeletArguments,
  type Machine,
  runMachine,
  splitLabels,
  TOKEN,
} from "./join.js";
import { asBackendError, KubeRefusal } from "./kube-client.js";
import { joinEndpoint, KIND_LABELS, LABELS, workerName } from "./names.js";

/** Attempts at joining, each with a machine of its own. */
const ATTEMPTS = 3;
const NODE_LIMIT_MS = 60_000;

/** The container of a node, once it runs when it is on its way; undefined when there is none. */
export async function containerOf(
  { engine }: KindContext,
  held: Held,
  nodeName: string,
): Promise<Container | undefined> {
  await held.joins.get(nodeName)?.launched;
  const labels = { [KIND_LABELS.cluster]: held.file.kindName, [LABELS.node]: nodeName };
  return (await engine.containers(labels))[0];
}

function machineOf(context: KindContext, held: Held, node: NodeSpec): Machine {
  const { kindName, spec } = held.file;
  return {
    container: workerName(kindName, node.instanceId),
    hostname: node.name,
    kindName,
    role: "worker",
    image: nodeImage(node.version, context.nodeImages),
    labels: {
      [LABELS.cluster]: spec.clusterId,
      [LABELS.instance]: node.instanceId,
      [LABELS.node]: node.name,
      [LABELS.zone]: node.zone,
    },
  };
}

/**
 * Resolves when the machine is on its way: the engine takes seconds to run it, and many are started at once. It joins on its own from there. One that cannot
 * be run is a machine that never joins, as on EC2.
 */
export async function addNode(context: KindContext, held: Held, node: NodeSpec): Promise<void> {
  if (held.joins.has(node.name)) return;
  // What cannot be at all, such as a version without an image, is refused now.
  machineOf(context, held, node);
  const present = await containerOf(context, held, node.name);
  if (present?.state === "running" && (await hasJoined(context.engine, present.name))) return;
  if (present) await context.engine.remove([present.name]);
  startJoin(context, held, node, { runs: false });
}

/** Lets the node's machine ask about itself, as instances of EC2 can. A restart of the machine takes that with its other rules. */
export async function giveMetadata(context: KindContext, held: Held, nodeName: string): Promise<void> {
  const node = held.nodes.get(nodeName);
  const container = node && (await containerOf(context, held, nodeName));
  if (!node || container?.state !== "running") return;
  try {
    await context.metadata.admit(container.name, container.address, { ...node, accountId: held.file.spec.accountId });
  } catch (err) {
    if (!(err instanceof BackendError)) throw err;
    context.log.warn({ err, node: nodeName }, "a machine has no instance metadata");
  }
}

/** Lets a machine join, which is run first unless it `runs`: one that had not joined when an earlier process ended. */
export function startJoin(context: KindContext, held: Held, node: NodeSpec, { runs }: { runs: boolean }): void {
  held.nodes.set(node.name, node);
  const controller = new AbortController();
  const signal = AbortSignal.any([controller.signal, held.ending.signal]);
  let told = (): void => {};
  const launched = new Promise<void>((resolve) => {
    told = resolve;
  });
  const done = join(context, held, node, { runs, launched: told, signal })
    .catch((err) => {
      if (!signal.aborted) context.log.warn({ err, node: node.name }, "a node could not join its cluster");
    })
    .finally(() => {
      told();
      held.joins.delete(node.name);
    });
  held.joins.set(node.name, { controller, launched, done });
}

async function join(
  context: KindContext,
  held: Held,
  node: NodeSpec,
  { runs, launched, signal }: { runs: boolean; launched: () => void; signal: AbortSignal },
): Promise<void> {
  const { engine, log } = context;
  const machine = machineOf(context, held, node);
  for (let attempt = 1; ; attempt++) {
    try {
      // Never called off: the engine would go on and leave a machine that nobody knows.
      if (!runs || attempt > 1) await runMachine(context, machine);
      launched();
      await joinOnce(context, held, node, machine, signal);
      return;
    } catch (error) {
      if (signal.aborted || !(error instanceof BackendError) || attempt === ATTEMPTS) throw error;
      log.warn({ err: error, node: node.name, attempt }, "a node has not joined; its machine is made anew");
      await engine.remove([machine.container]);
    }
  }
}

async function joinOnce(
  context: KindContext,
  held: Held,
  node: NodeSpec,
  machine: Machine,
  signal: AbortSignal,
): Promise<void> {
  const { engine, clock } = context;
  const [address, token] = await Promise.all([
    boot(context, machine.container, held.file.spec, signal),
    joinToken(context, held),
  ]);
  await giveMetadata(context, held, node.name);
  const config = joinConfiguration(node.version, {
    nodeName: node.name,
    address,
    endpoint: joinEndpoint(held.file.kindName, held.file.masters.length),
    token,
    kubeletArguments: kubeletArguments(node),
  });
  await kubeadmJoin(engine, machine.container, config, signal);
  // The object appears a moment after kubeadm has ended.
  const isThere = async (): Promise<boolean> => (await held.client.get<Node>(nodePath(node.name))) !== undefined;
  await until(clock, isThere, { limitMs: NODE_LIMIT_MS, what: `node ${node.name} was there`, signal });
  const { added } = splitLabels(node.labels);
  if (Object.keys(added).length > 0) await patchNode(held.client, node.name, { labels: added });
}

/** One token serves all that join within some minutes; made by a master that runs. */
export function joinToken(context: KindContext, held: Held): Promise<string> {
  const { clock } = context;
  if (held.joinToken && clock.now() < held.joinToken.untilMs) return held.joinToken.token;
  const token = newToken(context, held);
  const made = { token, untilMs: clock.now() + TOKEN.usedForMs };
  held.joinToken = made;
  token.catch(() => {
    if (held.joinToken === made) delete held.joinToken;
  });
  return token;
}

async function newToken(context: KindContext, held: Held): Promise<string> {
  const { stdout } = await onAnyMaster(context, held, ["kubeadm", "token", "create", "--ttl", TOKEN.ttl]);
  const token = stdout.trim().split("\n").at(-1) ?? "";
  if (/^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(token)) return token;
  throw new BackendError("unavailable", "kubeadm has made no token for joining");
}

/** Runs a command on the first master that does it. */
export async function onAnyMaster(
  { engine }: KindContext,
  held: Held,
  command: readonly string[],
  options: { except?: string; secrets?: readonly string[] } = {},
): Promise<{ stdout: string }> {
  let last: unknown = new BackendError("unavailable", `no master of cluster ${held.file.spec.name} is up`);
  for (const { id, container } of held.file.masters) {
    if (id === options.except || held.masters.get(id) !== "up") continue;
    try {
      return await engine.exec(container, command, options.secrets ? { secrets: options.secrets } : {});
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      last = error;
    }
  }
  throw last instanceof BackendError ? new BackendError("unavailable", last.message, { cause: last }) : last;
}

/** The machine is gone when it resolves. Its Node goes at once after an orderly shutdown; else when Kubernetes has noticed (see cloud-controller). */
export async function removeNode(
  context: KindContext,
  held: Held,
  nodeName: string,
  { graceful }: { graceful: boolean },
): Promise<void> {
  const joining = held.joins.get(nodeName);
  joining?.controller.abort();
  await joining?.done;
  const container = await containerOf(context, held, nodeName);
  if (container) await context.engine.remove([container.name]);
  held.powers.delete(nodeName);
  held.machines.delete(nodeName);
  try {
    const object = await held.client.get<Node>(nodePath(nodeName));
    const ready = object?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    if (object && (graceful || !ready)) await asBackendError(() => deleteNode(held.client, nodeName));
  } catch (error) {
    // The machine is gone either way; an API server that does not answer now is asked again by the cloud controller.
    if (!(error instanceof BackendError || error instanceof KubeRefusal)) throw error;
    context.log.debug({ err: error, node: nodeName }, "the Node of a machine that is gone could not be deleted yet");
  }
}
