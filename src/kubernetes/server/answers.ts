/** Objects and lists in the form that was asked for: as they are, as tables, or their metadata alone. */
import { badRequest } from "../errors.js";
import type { KubeObject } from "../object.js";
import { toTable } from "../printers/index.js";
import type { Registry } from "../registry/registry.js";
import { type Conversion, negotiate } from "../wire/negotiate.js";
import type { ResourceExchange } from "./context.js";
import { listJson, objectJson, partialMetadata, partialMetadataList, tableInfo } from "./encode.js";
import type { Page } from "./listing.js";
import type { Answer } from "./respond.js";

const JSON_TYPE = "application/json";
const SINGLE: readonly Conversion[] = ["Table", "PartialObjectMetadata"];
const LIST: readonly Conversion[] = ["Table", "PartialObjectMetadataList"];

const includeObject = (query: URLSearchParams): "None" | "Metadata" | "Object" => {
  const asked = query.get("includeObject") || "Metadata";
  if (asked === "None" || asked === "Metadata" || asked === "Object") return asked;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(asked)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
};

/** One object in the form that was asked for. A write that was tried again may have said the same thing twice. */
export function answerObject(
  registry: Registry,
  exchange: ResourceExchange,
  object: KubeObject,
  code = 200,
  said: readonly string[] = [],
): Answer | Promise<Answer> {
  const { definition } = exchange.entry;
  if (!definition) return objectAnswer(registry, exchange, object, code, said);
  const answer = (): Answer => objectAnswer(registry, exchange, definition.view(object), code, said);
  const preparing = definition.prepare([object]);
  return preparing ? preparing.then(answer) : answer();
}

function objectAnswer(
  registry: Registry,
  exchange: ResourceExchange,
  object: KubeObject,
  code: number,
  said: readonly string[],
): Answer {
  const warnings = [...new Set(said)];
  const { entry, request, info } = exchange;
  const { as, version } = negotiate(request.headers.accept, SINGLE);
  if (as === "Table") {
    const revision = Number(object.metadata.resourceVersion);
    const table = toTable({
      info: tableInfo(registry, entry),
      objects: [object],
      includeObject: includeObject(info.query),
      revision,
      nowMs: registry.clock.now(),
    });
    return { code, body: table, warnings };
  }
  if (as === "PartialObjectMetadata") return { code, body: partialMetadata(object, version), warnings };
  return { code, body: objectJson(entry, object), contentType: JSON_TYPE, warnings };
}

/** A list in the form that was asked for. */
export function answerList(registry: Registry, exchange: ResourceExchange, found: Page): Answer {
  const { entry, request, info } = exchange;
  const page = entry.definition ? { ...found, objects: found.objects.map(entry.definition.view) } : found;
  const { as, version } = negotiate(request.headers.accept, LIST);
  if (as === "Table") {
    const table = toTable({
      ...page,
      info: tableInfo(registry, entry),
      includeObject: includeObject(info.query),
      nowMs: registry.clock.now(),
    });
    return { code: 200, body: table };
  }
  if (as === "PartialObjectMetadataList") return { code: 200, body: partialMetadataList(page, version) };
  return { code: 200, pieces: listJson(entry, page), contentType: JSON_TYPE };
}
