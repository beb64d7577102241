/** Watches over HTTP: how they begin, go on and end. */
import type { Clock, Timer } from "../../clock/clock.js";
import { expired, invalid, type StatusCause } from "../errors.js";
import type { CustomVersion, ResourceEntry } from "../registry/catalogue.js";
import { select } from "../registry/reading.js";
import type { Registry } from "../registry/registry.js";
import { forbiddenField, unsupported } from "../registry/strategies/field.js";
import type { StoreEvent } from "../store/event-ring.js";
import type { WatchSink } from "../streams/websocket-watch.js";
import { type Conversion, negotiate } from "../wire/negotiate.js";
import type { ApiTroubles } from "./api-troubles.js";
import type { ResourceExchange } from "./context.js";
import { objectJson } from "./encode.js";
import { parseRevision, selectionOf } from "./listing.js";
import { booleanParameter, integerParameter } from "./options.js";
import { warningHeader } from "./respond.js";
import { bookmark, changeFor, encoder, errorText, eventText, initialTexts } from "./watch-events.js";
import { createWatchWriters } from "./watch-writers.js";

/** Simulated seconds between bookmarks. */
const BOOKMARK_SECONDS = 60;
/** A watch without timeoutSeconds ends after 30 to 60 minutes, so that load spreads; the API server's own rule. */
const SHORTEST_TIMEOUT_SECONDS = 1_800;

const FORMS: readonly Conversion[] = ["Table", "PartialObjectMetadata"];

/** Every watch over HTTP of one server. The text of an event that several clients get alike is made once. */
export interface Watches {
  /** `response`: where it goes instead of the response of the request. */
  open(exchange: ResourceExchange, response?: WatchSink): void;
  /** Ends all of them. */
  close(): void;
  readonly count: number;
}

interface Watcher {
  /** Forgets the watch. */
  end(): void;
  /** Ends the connection too, when it has what is left. */
  finish(): void;
  /** Ends in good order once it is so old, ms; undefined: it may grow as old as it would. */
  limit(ageMs: number | undefined): void;
}

interface WatchParameters {
  /** Undefined: begin with the present objects. */
  since?: number;
  initialEvents: boolean;
  /** Marks the end of the initial events by a bookmark. */
  initialBookmark: boolean;
  bookmarks: boolean;
  timeoutSeconds?: number;
}

function parseParameters(query: URLSearchParams): WatchParameters {
  const sendInitialEvents = booleanParameter(query, "sendInitialEvents");
  const match = query.get("resourceVersionMatch") || undefined;
  const refuse = (field: string, detail: string, ...more: StatusCause[]): never => {
    throw invalid("meta.k8s.io", "ListOptions", "", [forbiddenField(field, detail), ...more]);
  };
  if (sendInitialEvents === undefined && match)
    refuse("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    refuse(
      "resourceVersionMatch",
      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
      ...(match ? [unsupported("resourceVersionMatch", match, ["NotOlderThan"])] : []),
    );
  }
  const revision = parseRevision(query.get("resourceVersion"));
  const bookmarks = booleanParameter(query, "allowWatchBookmarks") ?? false;
  const initialEvents = sendInitialEvents ?? revision === 0;
  return {
    since: !initialEvents && revision > 0 ? revision : undefined,
    initialEvents,
    initialBookmark: sendInitialEvents === true && bookmarks,
    bookmarks,
    timeoutSeconds: integerParameter(query, "timeoutSeconds"),
  };
}

export function createWatches(registry: Registry, troubles?: ApiTroubles): Watches {
  const { store, clock } = registry;
  const watchers = new Set<Watcher>();
  troubles?.onChange(() => {
    for (const watcher of [...watchers]) watcher.limit(troubles.present?.watchesEndAfterMs);
  });
  const writerFor = createWatchWriters(clock);
  const random = clock.random("watch-timeouts");
  /** The latest event as it is in the store: everybody is told of one before the next. */
  let latest: { event: StoreEvent; text: string } | undefined;

  function textOf(entry: ResourceEntry, event: StoreEvent): string {
    if (latest?.event !== event) {
      if (!latest) clock.defer(forgetLatest);
      latest = { event, text: eventText(event.type, objectJson(entry, event.object)) };
    }
    return latest.text;
  }

  function forgetLatest(): void {
    latest = undefined;
  }

  return {
    get count() {
      return watchers.size;
    },
    close() {
      for (const watcher of [...watchers]) watcher.finish();
    },
    open(exchange, response = exchange.response) {
      const { entry, request, info } = exchange;
      const form = negotiate(request.headers.accept, FORMS, ["json"]);
      const parameters = parseParameters(info.query);
      const selection = selectionOf(exchange);
      const encode = encoder(registry, entry, form, info.query);
      // The same text serves everybody only if it is the stored object itself.
      const plain = form.as === undefined && !entry.conversion && !entry.definition;

      const deprecation = entry.deprecation ?? entry.definition?.deprecation;
      response.writeHead(200, {
        "content-type": "application/json",
        "cache-control": "no-cache, private",
        ...(deprecation ? { warning: warningHeader(deprecation) } : {}),
      });
      response.flushHeaders();
      const past = parameters.since === undefined ? [] : eventsSince(registry, entry, parameters.since);
      if (!past) {
        const tooOld = expired(`too old resource version: ${parameters.since} (${store.revision})`);
        response.end(errorText(tooOld));
        return;
      }

      const deliverNow = (event: StoreEvent): void => {
        const change = changeFor(selection, event);
        if (!change) return;
        const same = plain && change.type === event.type && change.object === event.object;
        writer.push(same ? textOf(entry, event) : encode(change.type, change.object));
      };
      const startedMs = clock.now();
      let limit: Timer | undefined;
      const endInOrder = (): void => {
        if (parameters.bookmarks) sendBookmark();
        watcher.finish();
      };
      const deliver = entry.definition ? convertedInOrder(entry.definition, clock, deliverNow) : deliverNow;
      const watcher: Watcher = {
        end() {
          if (!watchers.delete(watcher)) return;
          unsubscribe();
          forgetEnd?.();
          limit?.cancel();
          for (const timer of timers) timer?.cancel();
        },
        finish() {
          watcher.end();
          writer.end();
        },
        limit(ageMs) {
          limit?.cancel();
          limit = ageMs === undefined ? undefined : clock.timer(startedMs + ageMs - clock.now(), endInOrder);
        },
      };
      const objects = parameters.initialEvents ? select(registry, entry, selection) : [];
      const writer = writerFor(response, {
        initial: initialTexts({ objects, missed: entry.definition ? [] : past, selection, encode }),
        onLate() {
          watcher.end();
          return errorText(expired("the client reads too slowly: more has happened than is kept for it"));
        },
      });
      if (parameters.initialBookmark) writer.push(bookmark(entry, form, store.revision, true));
      if (entry.definition) for (const event of past) deliver(event);
      const unsubscribe = store.subscribe(entry.storage, deliver);
      // What a definition says anew is served by new watches.
      const forgetEnd = entry.definition?.onReplaced(watcher.finish);
      watchers.add(watcher);

      const seconds =
        parameters.timeoutSeconds || random.integer(SHORTEST_TIMEOUT_SECONDS, 2 * SHORTEST_TIMEOUT_SECONDS);
      const sendBookmark = (): void => writer.push(bookmark(entry, form, store.revision, false));
      const timers = [
        clock.timer(seconds * 1000, endInOrder),
        parameters.bookmarks ? every(clock, BOOKMARK_SECONDS * 1000, sendBookmark) : undefined,
      ];
      if (troubles?.present) watcher.limit(troubles.present.watchesEndAfterMs);
      response.on("close", () => watcher.end());
    },
  };
}

/**
 * Delivers events with their objects in the version of a definition. Events keep their order, and where no webhook has to be asked they are delivered at
 * once.
 */
function convertedInOrder(
  definition: CustomVersion,
  clock: Clock,
  deliver: (event: StoreEvent) => void,
): (event: StoreEvent) => void {
  let waiting: Promise<void> | undefined;
  const deliverViewed = (event: StoreEvent): void => {
    const { previous } = event;
    const viewed = { ...event, object: definition.view(event.object) };
    deliver(previous ? { ...viewed, previous: definition.view(previous) } : viewed);
  };
  return (event) => {
    const prepare = (): Promise<void> | undefined =>
      definition.prepare(event.previous ? [event.previous, event.object] : [event.object]);
    const preparing = waiting ? waiting.then(prepare) : prepare();
    if (!preparing) {
      deliverViewed(event);
      return;
    }
    // An event that cannot be converted is left out, as upstream drops what it cannot encode.
    const delivered: Promise<void> = preparing.then(
      () => deliverViewed(event),
      () => {},
    );
    waiting = delivered;
    void clock.track(
      delivered.then(() => {
        if (waiting === delivered) waiting = undefined;
      }),
    );
  };
}

function every(clock: Clock, periodMs: number, run: () => void): { cancel(): void } {
  const again = (): void => {
    run();
    timer = clock.timer(periodMs, again);
  };
  let timer = clock.timer(periodMs, again);
  return { cancel: () => timer.cancel() };
}

/** The events a watch from `revision` has missed; undefined when they are no longer known, or when the revision is of another life of this cluster. */
function eventsSince({ store }: Registry, entry: ResourceEntry, revision: number): readonly StoreEvent[] | undefined {
  return revision > store.revision ? undefined : store.eventsSince(entry.storage, revision);
}
