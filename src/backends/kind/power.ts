/** Power of machines: taken away, given back, frozen, cut off. */
import { BackendError } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import type { MasterFile } from "./files.js";
import { cutOff, putBack } from "./network.js";
import { containerOf } from "./nodes.js";

/** A master comes back with the address that etcd and its certificates hold on to, whoever has had it meanwhile. */
export async function startAtAddress({ engine }: KindContext, master: MasterFile): Promise<void> {
  const [container] = await engine.inspect([master.container]);
  if (!container) throw new BackendError("missing", `there is no container ${master.container}`);
  if (container.state === "paused") return engine.unpause(master.container);
  if (container.state === "running") return;
  await engine.reserveAddress(master.container, master.address);
  await engine.start(master.container);
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
  if (power === "running") held.powers.delete(nodeName);
  else held.powers.set(nodeName, power);
}

/** The machine restarts with its pods, and is afterwards as it was: off, frozen, cut off or neither. */
export async function rebootNode(context: KindContext, held: Held, nodeName: string): Promise<void> {
  const container = await containerOf(context, held, nodeName);
  if (!container) throw new BackendError("missing", `there is no node ${nodeName}`);
  if (container.state !== "running") return;
  await context.engine.kill(container.name);
  await context.engine.start(container.name);
  // What was cut off was so by rules in memory, which went with the machine's network.
  if (held.powers.get(nodeName) === "isolated") await cutOff(context.engine, container.name);
}
