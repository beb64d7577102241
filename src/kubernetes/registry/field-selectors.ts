import { badRequest } from "../errors.js";
import type { KubeObject } from "../object.js";

export type ObjectPredicate = (object: KubeObject) => boolean;

interface FieldTerm {
  field: string;
  value: string;
  negated: boolean;
}

/** A field selector with what it says about the key alone, so that a list can go straight to the object. */
export interface FieldSelector {
  matches: ObjectPredicate;
  /** The value of `metadata.name=x`, when there is one. */
  name?: string;
  namespace?: string;
  /** The value of `spec.nodeName=x`. */
  nodeName?: string;
}

type Read = (object: KubeObject) => string;

const asText = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

/** A reader of a dotted path, "" where nothing is. */
function path(dotted: string): Read {
  const steps = dotted.split(".");
  return (object) => {
    let value: unknown = object;
    for (const step of steps) value = (value as Record<string, unknown> | null | undefined)?.[step];
    return asText(value);
  };
}

const paths = (...fields: string[]): Record<string, Read> =>
  Object.fromEntries(fields.map((field) => [field, path(field)]));
const or =
  (dotted: string, fallback: string): Read =>
  (object) =>
    path(dotted)(object) || fallback;
const zero = (dotted: string): Read => or(dotted, "0");
const no = (dotted: string): Read => or(dotted, "false");

/** Beside `metadata.name` and `metadata.namespace`: what upstream's field label conversions accept, by resource. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, Read>>>> = {
  pods: {
    ...paths(
      "spec.nodeName",
      "spec.restartPolicy",
      "spec.schedulerName",
      "spec.serviceAccountName",
      "status.phase",
      "status.podIP",
      "status.nominatedNodeName",
    ),
    "spec.hostNetwork": no("spec.hostNetwork"),
    "status.podIPs": path("status.podIP"),
  },
  events: {
    ...paths(
      "involvedObject.kind",
      "involvedObject.namespace",
      "involvedObject.name",
      "involvedObject.uid",
      "involvedObject.apiVersion",
      "involvedObject.resourceVersion",
      "involvedObject.fieldPath",
      "reason",
      "reportingComponent",
      "type",
    ),
    source: (object) => path("source.component")(object) || path("reportingComponent")(object),
  },
  secrets: paths("type"),
  services: paths("spec.clusterIP", "spec.type"),
  namespaces: paths("status.phase"),
  nodes: { "spec.unschedulable": no("spec.unschedulable") },
  replicationcontrollers: { "status.replicas": zero("status.replicas") },
  "replicasets.apps": { "status.replicas": zero("status.replicas") },
  "jobs.batch": { "status.successful": zero("status.succeeded") },
  "certificatesigningrequests.certificates.k8s.io": paths("spec.signerName"),
  "resourceslices.resource.k8s.io": paths("spec.driver", "spec.nodeName"),
};

/** events.k8s.io spells the same fields of the same objects differently. */
const ALIASES: Readonly<Record<string, string>> = {
  "regarding.kind": "involvedObject.kind",
  "regarding.namespace": "involvedObject.namespace",
  "regarding.name": "involvedObject.name",
  "regarding.uid": "involvedObject.uid",
  "regarding.apiVersion": "involvedObject.apiVersion",
  "regarding.resourceVersion": "involvedObject.resourceVersion",
  "regarding.fieldPath": "involvedObject.fieldPath",
  reportingController: "reportingComponent",
};

const METADATA: Readonly<Record<string, Read>> = {
  "metadata.name": (object) => object.metadata.name,
  "metadata.namespace": (object) => object.metadata.namespace ?? "",
};

/** What a custom resource can be selected by, in the version that is asked for. */
interface SelectableVersion {
  readonly selectable: Readonly<Record<string, Read>>;
  view(object: KubeObject): KubeObject;
}

function readerOf(resource: string, field: string, custom: SelectableVersion | undefined): Read {
  const own = custom && Object.hasOwn(custom.selectable, field) ? custom.selectable[field] : undefined;
  if (custom && own) return (object) => own(custom.view(object));
  const fields = FIELDS[resource];
  const name = resource === "events" ? (ALIASES[field] ?? field) : field;
  if (Object.hasOwn(METADATA, name)) return METADATA[name] as Read;
  if (fields && Object.hasOwn(fields, name)) return fields[name] as Read;
  throw badRequest(
    fields || custom
      ? `field label not supported: ${field}`
      : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

/** Splits `a=b,c!=d`; a backslash keeps the comma, the equals sign or the backslash after it. */
function parseTerms(text: string): FieldTerm[] {
  const terms: FieldTerm[] = [];
  for (const [part] of text.matchAll(/(?:[^\\,]|\\.?)+/g)) {
    const match = /^((?:[^\\=!]|\\.)*)(!=|==|=)(.*)$/s.exec(part);
    if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
    const [, field = "", operator, value = ""] = match;
    terms.push({ field: field.trim(), value: value.replace(/\\([\\,=])/g, "$1"), negated: operator === "!=" });
  }
  return terms;
}

/** Parses a field selector for a resource named as in the store (`pods`, `jobs.batch`). Throws 400 for a field the resource cannot be selected by. */
export function parseFieldSelector(resource: string, text: string, custom?: SelectableVersion): FieldSelector {
  const terms = parseTerms(text).map((term) => ({ ...term, read: readerOf(resource, term.field, custom) }));
  const exact = (field: string): string | undefined =>
    terms.find((term) => term.field === field && !term.negated)?.value;
  return {
    matches: (object) => terms.every(({ read, value, negated }) => (read(object) === value) !== negated),
    name: exact("metadata.name"),
    namespace: exact("metadata.namespace"),
    nodeName: resource === "pods" ? exact("spec.nodeName") : undefined,
  };
}
