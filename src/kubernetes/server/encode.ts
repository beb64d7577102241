import type { KubeObject } from "../object.js";
import type { ResourceEntry } from "../registry/catalogue.js";
import { type Machinery, storedEntry } from "../registry/machinery.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import { cachedJsonOf } from "../store/serialised.js";
import type { Page } from "./listing.js";
import { inPieces } from "./pieces.js";

/** Objects and lists as the JSON of the version that was asked for. Stored versions are serialised once a revision and shared by everybody. */

export const objectJson = (entry: ResourceEntry, object: KubeObject): string =>
  entry.conversion
    ? JSON.stringify(entry.conversion.fromStorage(object))
    : cachedJsonOf(entry.definition ? entry.definition.view(object) : object);

function listMeta({ revision, continue: token, remainingItemCount }: Page): object {
  return {
    resourceVersion: String(revision),
    ...(token ? { continue: token } : {}),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  };
}

/** An item of a list. Those of built-in kinds do not say what they are, since the list does; custom resources always do. */
function itemJson(entry: ResourceEntry, object: KubeObject): string {
  const json = objectJson(entry, object);
  if (entry.custom) return json;
  const [version, kind] = [JSON.stringify(entry.apiVersion), JSON.stringify(entry.info.kind)];
  for (const head of [`{"apiVersion":${version},"kind":${kind},`, `{"kind":${kind},"apiVersion":${version},`])
    if (json.startsWith(head)) return `{${json.slice(head.length)}`;
  const { apiVersion: _version, kind: _kind, ...rest } = JSON.parse(json) as KubeObject;
  return JSON.stringify(rest);
}

/** The list as JSON, in pieces. */
export function listJson(entry: ResourceEntry, page: Page): Iterable<string> {
  const head = JSON.stringify({ kind: entry.info.listKind, apiVersion: entry.apiVersion, metadata: listMeta(page) });
  const items = function* (): Generator<string, void, void> {
    for (const object of page.objects) yield itemJson(entry, object);
  };
  return inPieces(items(), { head: `${head.slice(0, -1)},"items":[`, separator: ",", tail: "]}" });
}

const META_VERSION = (version: string | undefined): string => `meta.k8s.io/${version ?? "v1"}`;

export const partialMetadata = (object: KubeObject, version: string | undefined): object => ({
  kind: "PartialObjectMetadata",
  apiVersion: META_VERSION(version),
  metadata: object.metadata,
});

export const partialMetadataList = (page: Page, version: string | undefined): object => ({
  kind: "PartialObjectMetadataList",
  apiVersion: META_VERSION(version),
  metadata: listMeta(page),
  items: page.objects.map((object) => partialMetadata(object, version)),
});

/** What decides the columns of a table: objects are shown as they are stored, but the versions of a custom resource have columns of their own. */
export const tableInfo = (machinery: Machinery, entry: ResourceEntry): ResourceInfo =>
  (entry.custom ? entry : storedEntry(machinery, entry)).info;
