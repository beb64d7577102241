import type { Timer } from "../../clock/clock.js";
import type { WatchEvent } from "../api.js";
import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import { keyOf, parseKey } from "../object.js";
import type { CoreEvent } from "../schema/generated/types.js";
import { defineController } from "./define-controller.js";

/** Events live for an hour after they were last written (kube-apiserver's --event-ttl, there a lease in etcd; EKS keeps the default). */
const TTL_MS = 3_600_000;
/** Events of about the same time go together. */
const ROUND_MS = 60_000;

export const eventTtlController = (): Controller =>
  defineController({ name: "event-ttl-controller" }, ({ api, clock, queue }) => {
    /** Time of the end of each event; a Map keeps the order of insertion, so the first one ends first. */
    const ends = new Map<string, number>();
    let timer: Timer | undefined;
    let beginning: Timer | undefined;
    let stopWatch = (): void => {};

    const arm = (): void => {
      const [first] = ends.values();
      if (timer || first === undefined) return;
      timer = clock.timer(Math.max(0, first - clock.now()) + ROUND_MS, () => {
        timer = undefined;
        for (const [key, endMs] of ends) {
          if (endMs > clock.now()) break;
          ends.delete(key);
          queue.add(key);
        }
        arm();
      });
    };

    const look = ({ type, object }: WatchEvent<CoreEvent>): void => {
      const key = keyOf(object);
      ends.delete(key);
      if (type === "DELETED") return;
      // Over a restart, what the event itself says counts.
      const writtenMs = Date.parse(object.lastTimestamp ?? object.eventTime ?? object.metadata.creationTimestamp);
      ends.set(key, (Number.isNaN(writtenMs) ? clock.now() : writtenMs) + TTL_MS);
      arm();
    };

    return {
      async reconcile(key) {
        try {
          await api.delete("events", parseKey(key));
        } catch (error) {
          if (!isStatusError(error, "NotFound")) throw error;
        }
      },
      watches: [],
      // A round later nothing has ended that should have, and a restart need not wait for a look at every event of the last hour.
      start() {
        beginning = clock.timer(ROUND_MS, () => {
          stopWatch = api.watch<CoreEvent>("events", look);
        });
      },
      stop() {
        beginning?.cancel();
        stopWatch();
        timer?.cancel();
      },
    };
  });
