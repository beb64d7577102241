import type { WatchEvent } from "../api.js";
import type { Controller, ControllerContext } from "../controller.js";
import type { KubeObject } from "../object.js";
import { createEventRecorder, type EventRecorder } from "../runtime/event-recorder.js";
import { createWorkQueue, type WorkQueue } from "../runtime/work-queue.js";
import type { ServedResources } from "./served-resources.js";

/**
 * The frame every controller stands in: watches put keys into one work queue, and `reconcile` makes the world of one key right. A controller's file
 * holds what is its own: which events concern it and what is to be done.
 */
export interface Environment extends ControllerContext {
  events: EventRecorder;
  /** For delayed or additional keys. */
  queue: WorkQueue;
}

export interface Loop {
  /** Makes right whatever `key` stands for. Throwing means: again, after a while. */
  reconcile(key: string): Promise<void> | void;
  watches: readonly Watch[];
  /** One watch over each of many resources, whenever they come to be served. `changesOnly`: what is there already does not matter. */
  each?: { resources: ServedResources; watch(resource: string): Watch; changesOnly?: true };
  /** Runs once after the watches have delivered what is there. */
  start?(): void;
  stop?(): void;
}

export interface Watch {
  resource: string;
  /** Keys to reconcile because of the event. Must be quick, and must not write. */
  keys(event: WatchEvent): string | readonly string[] | undefined;
}

/** One watch of a loop, with the type of its objects. */
export function on<T extends KubeObject>(
  resource: string,
  keys: (event: WatchEvent<T>) => string | readonly string[] | undefined,
): Watch {
  return { resource, keys: keys as Watch["keys"] };
}

export interface ControllerOptions extends Pick<Controller, "name" | "publishesCa"> {
  /** Source component of its events where that differs from the name. */
  component?: string;
}

export function defineController(options: ControllerOptions, build: (environment: Environment) => Loop): Controller {
  return {
    name: options.name,
    ...(options.publishesCa ? { publishesCa: true } : {}),
    start(context) {
      const { api, clock, log } = context;
      const events = createEventRecorder({ api, clock, log, component: options.component ?? options.name });
      // Nothing is reconciled before the present work has unwound, so the loop exists by then.
      const queue = createWorkQueue({ clock, log, name: options.name, reconcile: (key) => loop.reconcile(key) });
      const loop = build({ ...context, events, queue });
      const begin = ({ resource, keys }: Watch, changesOnly = false): (() => void) =>
        api.watch(
          resource,
          (event) => {
            // Only a change has something before it: "no previous" means that everything about the object counts.
            const found = keys(event.type === "MODIFIED" ? event : { type: event.type, object: event.object });
            if (found === undefined) return;
            if (typeof found === "string") queue.add(found);
            else for (const key of found) queue.add(key);
          },
          { changesOnly },
        );
      const stops = loop.watches.map((watch) => begin(watch));
      const { each } = loop;
      if (each) stops.push(each.resources.follow((resource) => begin(each.watch(resource), each.changesOnly)));
      loop.start?.();
      return () => {
        for (const stop of stops) stop();
        loop.stop?.();
        queue.stop();
      };
    },
  };
}
