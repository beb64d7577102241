/**
 * Taking over a cluster that an earlier process has made: what stands still is started, masters at the addresses that they had, and whatever an earlier
 * process had broken is whole again; faults that are still on are brought back by whoever knows of them.
 */
import { BackendError, type NodeSpec } from "../backend.js";
import { type Held, type KindContext, untilReady } from "./cluster.js";
import { writeWebhookFiles } from "./create.js";
import type { Container } from "./engine.js";
import type { ClusterFile } from "./files.js";
import { hasJoined } from "./join.js";
import { KIND_LABELS, LABELS } from "./names.js";
import { clearTrouble } from "./network.js";
import { giveMetadata, startJoin } from "./nodes.js";
import { startAtAddress, startKubelet } from "./power.js";
import { setPressures } from "./pressures.js";

/** etcd, API servers and the load balancer come up together, on a machine that may be busy with more. */
const READY_LIMIT_MS = 180_000;

const containersOf = ({ engine }: KindContext, file: ClusterFile): Promise<Container[]> =>
  engine.containers({ [KIND_LABELS.cluster]: file.kindName });

/** Rejects with `missing` when no master is there, not even a stopped one. */
export async function wakeContainers(context: KindContext, file: ClusterFile): Promise<void> {
  const { engine, log } = context;
  const containers = await containersOf(context, file);
  const masters = containers.filter(({ name }) => file.masters.some(({ container }) => container === name));
  if (masters.length === 0)
    throw new BackendError("missing", `no container is left of the masters of cluster ${file.spec.name}`);
  const webhook = await writeWebhookFiles(context, file.spec.clusterId);
  await Promise.all(containers.filter(({ state }) => state === "paused").map(({ name }) => engine.unpause(name)));
  const off = new Set(containers.filter(({ state }) => state === "stopped").map(({ name }) => name));
  for (const container of astray(containers, file)) {
    log.info({ container: container.name }, "stopped for a master to have its address again");
    await engine.kill(container.name);
    off.add(container.name);
  }
  const sleeping = file.masters.filter(({ container }) => off.has(container));
  for (const { container, address } of sleeping) await engine.reserveAddress(container, address);
  for (const master of sleeping) await startAtAddress(context, master);
  // Masters first, since others may have been given their addresses if they came before.
  const others = containers.filter((one) => off.has(one.name) && !masters.includes(one));
  await Promise.all(others.map(({ name }) => engine.start(name)));
  const awake = masters.filter(({ name }) => !off.has(name));
  if (webhook.changed) for (const { name } of awake) await restartApiServer(context, name);
  const machines = containers.filter(({ role }) => role !== "external-load-balancer");
  // Whatever booted just now has a kubelet by itself.
  await Promise.all(machines.map((machine) => clear(context, machine, { ran: !off.has(machine.name) })));
}

/**
 * The engine gives addresses anew after its own restart. A master that runs with somebody else's is worse than one that is off, since etcd and the
 * certificates hold on to the old one; and whoever has a master's address has to let it go.
 */
function astray(containers: readonly Container[], { masters }: ClusterFile): Container[] {
  return containers.filter(({ name, state, address }) => {
    if (state === "stopped") return false;
    const own = masters.find(({ container }) => container === name);
    return own ? own.address !== address : masters.some((master) => master.address === address);
  });
}

/** It reads the webhook's address at its start alone. The kubelet starts it again, and the others serve meanwhile. */
async function restartApiServer({ engine }: KindContext, master: string): Promise<void> {
  const found = await engine.exec(master, ["crictl", "ps", "--quiet", "--name", "^kube-apiserver$"]);
  const [id = ""] = found.stdout.trim().split("\n");
  if (/^[0-9a-f]+$/.test(id))
    await engine.exec(master, ["crictl", "stop", "--timeout", "10", id], { anyExitCode: true });
}

async function clear(
  { engine, log }: KindContext,
  { name, role }: Container,
  { ran }: { ran: boolean },
): Promise<void> {
  try {
    await clearTrouble(engine, name);
    if (ran && role === "worker") {
      await setPressures(engine, name, []);
      await startKubelet(engine, name);
    }
  } catch (err) {
    log.warn(
      { err, container: name },
      "an earlier fault may have left network rules in a machine, or its kubelet stopped",
    );
  }
}

/** Says which nodes are gone, goes on with those that had not joined yet, and tells of machines that nobody knows. */
export async function adoptNodes(context: KindContext, held: Held, nodes: readonly NodeSpec[]): Promise<string[]> {
  const { engine, clock, log } = context;
  await untilReady(clock, held.client, { limitMs: READY_LIMIT_MS, signal: held.ending.signal });
  const workers = (await containersOf(context, held.file)).filter(({ role }) => role === "worker");
  const nodeOf = (container: Container): string => container.labels[LABELS.node] ?? "";
  const known = new Set(nodes.map(({ name }) => name));
  for (const container of workers) {
    if (known.has(nodeOf(container))) continue;
    log.warn({ container: container.name }, "no instance stands behind this machine; eksim gc removes it");
  }
  const missing: string[] = [];
  for (const node of nodes) {
    const container = workers.find((one) => nodeOf(one) === node.name);
    if (!container) missing.push(node.name);
    else if (await hasJoined(engine, container.name)) {
      held.nodes.set(node.name, node);
      await giveMetadata(context, held, node.name);
    } else startJoin(context, held, node, { runs: true });
  }
  return missing;
}
