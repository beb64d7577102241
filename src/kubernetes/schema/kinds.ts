/** From `apiVersion` and `kind`, as objects carry them, to the resource that stores such objects. */
import type { ResourceInfo } from "./resource-info.js";
import { builtinResources } from "./resources.js";
import { typeOf } from "./schema.js";

let byKind: ReadonlyMap<string, ResourceInfo> | undefined;

/** `apps/v1` -> {group: "apps", version: "v1"}; `v1` is the core group. More than one slash gives undefined. */
export function parseApiVersion(apiVersion: string): { group: string; version: string } | undefined {
  const parts = apiVersion.split("/");
  if (parts.length === 1) return { group: "", version: parts[0] as string };
  if (parts.length === 2) return { group: parts[0] as string, version: parts[1] as string };
  return undefined;
}

/** {group: "apps", version: "v1"} -> `apps/v1`; the core group has no prefix. */
export const formatApiVersion = ({ group, version }: { group: string; version: string }): string =>
  group ? `${group}/${version}` : version;

/** The built-in resource of `apiVersion` and `kind`; also given the kind of its list (`PodList`). Undefined when there is none. */
export function resourceOfKind(apiVersion: string, kind: string): ResourceInfo | undefined {
  byKind ??= new Map(
    builtinResources().flatMap((info) => [
      [`${formatApiVersion(info)}/${info.kind}`, info],
      [`${formatApiVersion(info)}/${info.listKind}`, info],
    ]),
  );
  return byKind.get(`${apiVersion}/${kind}`);
}

/** Name in the schema tables of the list of a built-in resource. */
export const listTypeOf = ({ type, listKind }: ResourceInfo): string =>
  typeOf(`${type}List`) ? `${type}List` : listKind;

/** Kinds that are sent and answered but not stored, by `apiVersion/kind`, and their names in the schema tables. */
const TRANSIENT_KINDS: Readonly<Record<string, string>> = {
  "autoscaling/v1/Scale": "Scale",
  "authentication.k8s.io/v1/TokenRequest": "AuthenticationTokenRequest",
  "policy/v1/Eviction": "Eviction",
  // Old clients evict with the beta version, which has the same fields.
  "policy/v1beta1/Eviction": "Eviction",
  "v1/Status": "Status",
};

/** Name in the schema tables of the type with this apiVersion and kind: stored kinds, their lists and those that only travel. Undefined when there is none. */
export function typeOfKind(apiVersion: string, kind: string): string | undefined {
  const info = resourceOfKind(apiVersion, kind);
  if (info) return kind === info.kind ? info.type : listTypeOf(info);
  // Every group version has DeleteOptions of its own, all alike.
  if (kind === "DeleteOptions") return "DeleteOptions";
  const key = `${apiVersion}/${kind}`;
  return Object.hasOwn(TRANSIENT_KINDS, key) ? TRANSIENT_KINDS[key] : undefined;
}
