/** Power of machines: taken away, given back, frozen, silenced, cut off. */
import { BackendError, type NodePower } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import type { Container, Engine } from "./engine.js";
import type { MasterFile } from "./files.js";
import { boot } from "./join.js";
import { NETWORK } from "./kinds-network.js";
import { KIND_LABELS, LABELS, ownerPrefix } from "./names.js";
import { cutOff, putBack } from "./network.js";
import { containerOf, giveMetadata } from "./nodes.js";

/** A master comes back with the address that etcd and its certificates hold on to. */
export async function startAtAddress(context: KindContext, master: MasterFile): Promise<void> {
  const { engine } = context;
  const [container] = await engine.inspect([master.container]);
  if (!container) throw new BackendError("missing", `there is no container ${master.container}`);
  if (container.state === "paused") return engine.unpause(master.container);
  if (container.state === "running") return;
  const displaced = await freeAddress(context, master);
  try {
    await engine.reserveAddress(master.container, master.address);
    await engine.start(master.container);
    if (!engine.dialect.reserves) await demandAddress(engine, master);
  } finally {
    if (displaced !== undefined) await engine.start(displaced);
  }
}

/** A master elsewhere than etcd and its certificates say is worse than one that is off. */
async function demandAddress(engine: Engine, { container, address }: MasterFile): Promise<void> {
  const [found] = await engine.inspect([container]);
  if (found?.address === address) return;
  await engine.kill(container);
  throw new BackendError(
    "failed",
    `${engine.provider} cannot give the master ${container} its address ${address} again, only Docker and Podman can; another master takes its place`,
  );
}

/** Whoever has been given the address meanwhile has to let it go, if it is a worker of ours, which can do with another one. */
async function freeAddress({ engine, files, log }: KindContext, { address }: MasterFile): Promise<string | undefined> {
  const owner = await files.owner();
  const { holders } = await engine.network({ [LABELS.owner]: owner });
  const name = holders[address];
  if (name === undefined) return undefined;
  const [holder] = await engine.inspect([name]);
  if (!holder?.labels[KIND_LABELS.cluster]?.startsWith(ownerPrefix(owner)) || holder.role !== "worker")
    throw new BackendError(
      "failed",
      `the address ${address} of a master is taken by the container ${name}; stop that one`,
    );
  log.info({ container: name, address }, "restarted with another address, because a master has come back to this one");
  await engine.kill(name);
  await engine.run(["network", "disconnect", NETWORK, name]);
  await engine.run(["network", "connect", NETWORK, name]);
  return name;
}

export async function setNodePower(
  context: KindContext,
  held: Held,
  nodeName: string,
  power: NodePower,
): Promise<void> {
  const container = await containerOf(context, held, nodeName);
  if (!container) throw new BackendError("missing", `there is no node ${nodeName}`);
  const before = held.powers.get(nodeName);
  // Told before it happens: the engine's events come faster than its answer.
  if (power !== "running") held.powers.set(nodeName, power);
  try {
    // A container that does not run has its kubelet started by systemd.
    const lacksKubelet = before === "silent" && container.state !== "stopped";
    await bringTo(context, held, container, { power, lacksKubelet });
  } catch (error) {
    // Whoever tries again has to know that a kubelet waits to be started.
    if (before === "silent") held.powers.set(nodeName, before);
    throw error;
  }
  if (power !== "stopped" && power !== "off" && power !== "frozen") await giveMetadata(context, held, nodeName);
  if (power === "running") held.powers.delete(nodeName);
}

async function bringTo(
  context: KindContext,
  held: Held,
  { name, state }: Container,
  { power, lacksKubelet }: { power: NodePower; lacksKubelet: boolean },
): Promise<void> {
  const { engine } = context;
  if (power === "stopped" || power === "off") {
    if (state !== "stopped") await engine.kill(name);
  } else if (power === "frozen") {
    if (state === "stopped") await engine.start(name);
    if (lacksKubelet) await startKubelet(engine, name);
    await engine.pause(name);
  } else {
    if (state === "paused") await engine.unpause(name);
    if (state === "stopped") await engine.start(name);
    // Silent before it is heard again, and cut off before it speaks again.
    if (power === "silent") await silence(context, held, name, { booting: state === "stopped" });
    await (power === "isolated" ? cutOff(engine, name) : putBack(engine, name));
    if (lacksKubelet && power !== "silent") await startKubelet(engine, name);
  }
}

/** Containers are containerd's, and go on. systemd, which restarts a kubelet that fails, leaves one alone that was stopped. */
async function silence(
  context: KindContext,
  held: Held,
  container: string,
  { booting }: { booting: boolean },
): Promise<void> {
  // Until systemd is up it takes no orders, and starts what it has been told to start before.
  if (booting) await boot(context, container, held.file.spec, held.ending.signal);
  await context.engine.exec(container, ["systemctl", "stop", "kubelet"]);
}

/** Nothing happens where it runs. */
export async function startKubelet(engine: Engine, container: string): Promise<void> {
  await engine.exec(container, ["systemctl", "start", "kubelet"]);
}

/** The machine restarts with its pods, and is afterwards as it was: off, frozen, silent, cut off or none of it. */
export async function rebootNode(context: KindContext, held: Held, nodeName: string): Promise<void> {
  const container = await containerOf(context, held, nodeName);
  if (!container) throw new BackendError("missing", `there is no node ${nodeName}`);
  if (container.state !== "running") return;
  const before = held.powers.get(nodeName);
  // Told before it happens, as above: it is not off.
  held.powers.set(nodeName, before ?? "stopped");
  try {
    await context.engine.kill(container.name);
    await context.engine.start(container.name);
  } finally {
    if (before === undefined) held.powers.delete(nodeName);
  }
  await giveMetadata(context, held, nodeName);
  // What was cut off was so by rules in memory, which went with the machine's network.
  const after = held.powers.get(nodeName);
  if (after === "isolated") await cutOff(context.engine, container.name);
  // And the kubelet comes back with every boot.
  if (after === "silent") await silence(context, held, container.name, { booting: true });
}
