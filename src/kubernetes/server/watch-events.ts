/** What watchers are told: which event a write is to each, and its text. */
import type { StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { toTable } from "../printers/index.js";
import type { ResourceEntry } from "../registry/catalogue.js";
import type { Selection } from "../registry/reading.js";
import type { Registry } from "../registry/registry.js";
import type { StoreEvent } from "../store/event-ring.js";
import type { Negotiated } from "../wire/negotiate.js";
import { objectJson, partialMetadata, tableInfo } from "./encode.js";
import { inPieces } from "./pieces.js";

export type Change = "ADDED" | "MODIFIED" | "DELETED";
/** The text of one event, as a watcher gets it. */
export type Encode = (type: Change, object: KubeObject) => string;

/** What a write means to a watcher with a selection: an object can come into it or leave it without being created or deleted. */
export function changeFor(
  { namespace, matches }: Selection,
  event: StoreEvent,
): { type: Change; object: KubeObject } | undefined {
  const { type, object, previous } = event;
  if (namespace !== undefined && object.metadata.namespace !== namespace) return undefined;
  if (!matches) return { type, object };
  const was = previous !== undefined && matches(previous);
  const is = type !== "DELETED" && matches(object);
  if (is) return { type: was ? "MODIFIED" : "ADDED", object };
  if (!was) return undefined;
  // As it was when it last matched, but with the revision at which it left.
  const { resourceVersion } = object.metadata;
  return {
    type: "DELETED",
    object: type === "DELETED" ? object : { ...previous, metadata: { ...previous.metadata, resourceVersion } },
  };
}

/** What a watch begins with: the present objects, or the events that it has missed. */
export function initialTexts({
  objects,
  missed,
  selection,
  encode,
}: {
  objects: readonly KubeObject[];
  missed: readonly StoreEvent[];
  selection: Selection;
  encode: Encode;
}): Iterable<string> {
  const texts = function* (): Generator<string, void, void> {
    for (const object of objects) yield encode("ADDED", object);
    for (const event of missed) {
      const change = changeFor(selection, event);
      if (change) yield encode(change.type, change.object);
    }
  };
  return inPieces(texts());
}

export const errorText = (error: StatusError): string =>
  `${JSON.stringify({ type: "ERROR", object: error.toStatus() })}\n`;

export const eventText = (type: string, json: string): string => `{"type":"${type}","object":${json}}\n`;

export function encoder(
  registry: Registry,
  entry: ResourceEntry,
  { as, version }: Negotiated,
  query: URLSearchParams,
): Encode {
  const { definition } = entry;
  const shown = (object: KubeObject): KubeObject => (definition ? definition.view(object) : object);
  if (as === "PartialObjectMetadata")
    return (type, object) => eventText(type, JSON.stringify(partialMetadata(shown(object), version)));
  if (as === "Table") {
    const asked = query.get("includeObject");
    const includeObject = asked === "None" || asked === "Object" ? asked : "Metadata";
    return (type, object) => {
      const revision = Number(object.metadata.resourceVersion);
      return eventText(
        type,
        JSON.stringify(
          toTable({
            info: tableInfo(registry, entry),
            objects: [shown(object)],
            includeObject,
            revision,
            nowMs: registry.clock.now(),
          }),
        ),
      );
    };
  }
  return (type, object) => eventText(type, objectJson(entry, object));
}

export function bookmark(
  entry: ResourceEntry,
  { as, version }: Negotiated,
  revision: number,
  endOfInitialEvents: boolean,
): string {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(endOfInitialEvents ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
  };
  const kinds: Record<string, { kind: string; apiVersion: string }> = {
    Table: { kind: "Table", apiVersion: `meta.k8s.io/${version}` },
    PartialObjectMetadata: { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}` },
  };
  const named = (as && kinds[as]) ?? { kind: entry.info.kind, apiVersion: entry.apiVersion };
  const rows = as === "Table" ? { columnDefinitions: [], rows: [] } : {};
  return eventText("BOOKMARK", JSON.stringify({ ...named, metadata, ...rows }));
}
