/** Power of machines: taken away, given back, frozen, cut off. */
import { BackendError } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import { NETWORK } from "./engine.js";
import type { MasterFile } from "./files.js";
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
  } finally {
    if (displaced !== undefined) await engine.start(displaced);
  }
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
  power: "running" | "stopped" | "frozen" | "isolated",
): Promise<void> {
  const { engine } = context;
  const container = await containerOf(context, held, nodeName);
  if (!container) throw new BackendError("missing", `there is no node ${nodeName}`);
  const { name, state } = container;
  // Told before it happens: the engine's events come faster than its answer.
  if (power !== "running") held.powers.set(nodeName, power);
  if (power === "stopped") {
    if (state !== "stopped") await engine.kill(name);
  } else if (power === "frozen") {
    if (state === "stopped") await engine.start(name);
    await engine.pause(name);
  } else {
    if (state === "paused") await engine.unpause(name);
    if (state === "stopped") await engine.start(name);
    await (power === "isolated" ? cutOff(engine, name) : putBack(engine, name));
  }
  if (power !== "stopped" && power !== "frozen") await giveMetadata(context, held, nodeName);
  if (power === "running") held.powers.delete(nodeName);
}

/** The machine restarts with its pods, and is afterwards as it was: off, frozen, cut off or neither. */
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
  if (held.powers.get(nodeName) === "isolated") await cutOff(context.engine, container.name);
}
