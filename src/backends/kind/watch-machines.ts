/** Masters and machines of nodes as the container engine sees them: one whose container does not run is off, whoever has stopped it. */
import { BackendError } from "../backend.js";
import { type Held, type KindContext, noteMaster, tell } from "./cluster.js";
import type { Container } from "./engine.js";
import { KIND_LABELS, LABELS } from "./names.js";

/** How soon after an event containers are looked at, in milliseconds: one action makes several. */
const SETTLE_MS = 150;
/** Whether an event is of a command in a container, as Docker, Podman and nerdctl tell of them. */
export const isExecution = (line: string): boolean => /"exec[_"]|\/tasks\/exec-/.test(line);

/** How soon the engine's events are asked for again when it has ended them, in milliseconds. */
const AGAIN_MS = 2_000;

/** Reads the state of all containers of the cluster and tells what is new. */
export async function lookAtMachines({ engine }: KindContext, held: Held): Promise<void> {
  const containers = await engine.containers({ [KIND_LABELS.cluster]: held.file.kindName });
  for (const { id, container } of held.file.masters) {
    const found = containers.find(({ name }) => name === container);
    noteMaster(held, id, found?.state === "running" ? "up" : "down");
  }
  noteMachines(held, containers);
}

/** What eksim itself has switched off, or is about to run, is no news. */
function noteMachines(held: Held, containers: readonly Container[]): void {
  const found = new Map(
    containers.flatMap((one): [string, Container][] => {
      const nodeName = one.labels[LABELS.node];
      return nodeName ? [[nodeName, one]] : [];
    }),
  );
  for (const nodeName of new Set([...held.machines.keys(), ...found.keys()])) {
    if (held.joins.has(nodeName) || held.powers.has(nodeName)) continue;
    const state = (found.get(nodeName)?.state ?? "stopped") === "stopped" ? "off" : "on";
    const before = held.machines.get(nodeName);
    if (state === before) continue;
    held.machines.set(nodeName, state);
    if (before !== undefined || state === "off") tell(held, { kind: "machine", nodeName, state });
  }
}

/** Returns how to stop. */
export function watchMachines(context: KindContext, held: Held): () => void {
  const { engine, clock, log } = context;
  const stopping = new AbortController();
  let looking = false;
  let stopEvents = (): void => {};

  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    await clock.sleep(SETTLE_MS, stopping.signal).catch(() => {});
    looking = false;
    if (stopping.signal.aborted) return;
    try {
      await lookAtMachines(context, held);
    } catch (err) {
      // Nobody waits for a look: what is a bug must not end the process.
      const level = err instanceof BackendError ? "debug" : "warn";
      log[level]({ err, cluster: held.file.spec.name }, "the state of machines cannot be read now");
    }
  };

  const follow = (): void => {
    if (stopping.signal.aborted) return;
    stopEvents = engine.events(`${KIND_LABELS.cluster}=${held.file.kindName}`, {
      // What happens in containers (exec_create, exec_die) is no news of their power.
      onLine: (line) => void (isExecution(line) ? undefined : look()),
      onEnd: () => void clock.timer(AGAIN_MS, follow),
    });
    void look();
  };
  follow();
  return () => {
    stopping.abort();
    stopEvents();
  };
}
