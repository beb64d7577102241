/**
 * Content negotiation: which of the forms that an endpoint can answer in does the Accept header ask for? JSON or YAML, unless an endpoint says
 * that it can write one of them only; whole objects or one of the conversions that Kubernetes offers (`as=Table;v=v1;g=meta.k8s.io`). Clauses that ask for anything
 * else, such as protobuf, are passed over.
 */
import { StatusError } from "../errors.js";

/** Forms other than the object itself. `Table`, `PartialObjectMetadata` and its list are of meta.k8s.io, the last of apidiscovery.k8s.io. */
export type Conversion = "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList" | "APIGroupDiscoveryList";

export interface Negotiated {
  format: "json" | "yaml";
  /** Absent: the object as it is. */
  as?: Conversion;
  /** Version asked of the conversion: `v1`, `v1beta1`, `v2`, `v2beta1`. Present with `as`. */
  version?: string;
  /** Value of the response's Content-Type header. */
  contentType: string;
}

/** Group and versions in which each conversion is served, the preferred one first. */
const CONVERSIONS: Readonly<Record<Conversion, { group: string; versions: readonly string[] }>> = {
  Table: { group: "meta.k8s.io", versions: ["v1", "v1beta1"] },
  PartialObjectMetadata: { group: "meta.k8s.io", versions: ["v1", "v1beta1"] },
  PartialObjectMetadataList: { group: "meta.k8s.io", versions: ["v1", "v1beta1"] },
  APIGroupDiscoveryList: { group: "apidiscovery.k8s.io", versions: ["v2", "v2beta1"] },
};

const FORMATS: Readonly<Record<string, Negotiated["format"]>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/*": "json",
  "*/*": "json",
};

const PLAIN: Negotiated = { format: "json", contentType: "application/json" };

/**
 * The first acceptable form, by falling quality and then by position. `offers` lists the conversions of this endpoint, `formats` what it can write.
 * No Accept header means JSON; throws StatusError 406 (NotAcceptable) when nothing fits.
 */
export function negotiate(
  accept: string | undefined,
  offers: readonly Conversion[] = [],
  formats: readonly Negotiated["format"][] = ["json", "yaml"],
): Negotiated {
  if (!accept || accept === "application/json" || accept === "*/*" || accept === "application/json, */*") return PLAIN;
  for (const clause of parseAccept(accept)) {
    const format = Object.hasOwn(FORMATS, clause.type) ? FORMATS[clause.type] : undefined;
    const answer = format && formats.includes(format) ? offer(format, clause.parameters, offers) : undefined;
    if (answer) return answer;
  }
  const accepted = formats.map((format) => `application/${format}`).join(", ");
  throw new StatusError(406, "NotAcceptable", `only the following media types are accepted: ${accepted}`);
}

function offer(
  format: Negotiated["format"],
  parameters: Parameters,
  offers: readonly Conversion[],
): Negotiated | undefined {
  const asked = parameters.get("as");
  if (!asked) return format === "json" ? PLAIN : { format, contentType: `application/${format}` };
  const as = offers.find((candidate) => candidate === asked);
  if (!as) return undefined;
  const { group, versions } = CONVERSIONS[as];
  const version = parameters.get("v") ?? (versions[0] as string);
  if ((parameters.get("g") ?? group) !== group || !versions.includes(version)) return undefined;
  // Clients of aggregated discovery recognise it by these parameters; tables and partial metadata are answered as plain JSON.
  const suffix = as === "APIGroupDiscoveryList" ? `;g=${group};v=${version};as=${as}` : "";
  return { format, as, version, contentType: `application/${format}${suffix}` };
}

type Parameters = ReadonlyMap<string, string>;

interface Clause {
  type: string;
  parameters: Parameters;
  quality: number;
}

/** Clauses of an Accept header, best first. What does not parse as a media range is left out. */
export function parseAccept(header: string): readonly Clause[] {
  const clauses = header.split(",").flatMap((text): Clause[] => {
    const media = parseMediaType(text);
    if (!media) return [];
    const quality = Number(media.parameters.get("q") ?? "1");
    return quality > 0 ? [{ ...media, quality }] : [];
  });
  // The sort is stable: equals keep the order in which the client named them.
  return clauses.sort((a, b) => b.quality - a.quality);
}

/** `application/json; charset=utf-8` -> {type, parameters}; names in lower case. Undefined for text that is no media type. */
export function parseMediaType(text: string): { type: string; parameters: Parameters } | undefined {
  const [type = "", ...rest] = text.split(";");
  const name = type.trim().toLowerCase();
  if (!/^[^\s/]+\/[^\s/]+$/.test(name)) return undefined;
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const equals = part.indexOf("=");
    if (equals < 0) continue;
    parameters.set(
      part.slice(0, equals).trim().toLowerCase(),
      part
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, "$1"),
    );
  }
  return { type: name, parameters };
}
