/** From `apiVersion` and `kind`, as objects carry them, to the resource that stores such objects. */
import type { ResourceInfo } from "./resource-info.js";
import { builtinResources } from "./resources.js";

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
