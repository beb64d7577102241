/** Masters as the container engine sees them: one whose container does not run is down, whoever has stopped it. */
import { BackendError } from "../backend.js";
import { type Held, type KindContext, noteMaster } from "./cluster.js";
import { KIND_LABELS } from "./names.js";

/** How soon after an event containers are looked at, in milliseconds: one action makes several. */
const SETTLE_MS = 150;
/** How soon the engine's events are asked for again when it has ended them, in milliseconds. */
const AGAIN_MS = 2_000;

/** Reads the state of all masters and tells what is new. */
export async function lookAtMasters({ engine }: KindContext, held: Held): Promise<void> {
  const containers = await engine.containers({ [KIND_LABELS.cluster]: held.file.kindName });
  for (const { id, container } of held.file.masters) {
    const found = containers.find(({ name }) => name === container);
    noteMaster(held, id, found?.state === "running" ? "up" : "down");
  }
}

/** Returns how to stop. */
export function watchMasters(context: KindContext, held: Held): () => void {
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
      await lookAtMasters(context, held);
    } catch (err) {
      if (!(err instanceof BackendError)) throw err;
      log.debug({ err, cluster: held.file.spec.name }, "the state of masters cannot be read now");
    }
  };

  const follow = (): void => {
    if (stopping.signal.aborted) return;
    stopEvents = engine.events(`${KIND_LABELS.cluster}=${held.file.kindName}`, {
      // What happens in containers (exec_create, exec_die) is no news of their power.
      onLine: (line) => void (/"exec_/.test(line) ? undefined : look()),
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
