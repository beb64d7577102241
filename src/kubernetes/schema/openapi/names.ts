/** Names of the built-in types in OpenAPI documents: the Go package in reverse domain order and the type, `io.k8s.api.apps.v1.Deployment`. */
import { readFileSync } from "node:fs";
import type { ResourceInfo } from "../resource-info.js";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";

/** Types that stand for single values or arbitrary JSON: they have a name in documents but no fields in the schema tables. */
export const LEAF_NAMES = {
  quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  "int-or-string": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  time: `${META}.Time`,
  microtime: `${META}.MicroTime`,
  fields: `${META}.FieldsV1`,
  patch: `${META}.Patch`,
  raw: "io.k8s.apimachinery.pkg.runtime.RawExtension",
} as const;

let names: ReadonlyMap<string, string> | undefined;

/** `CoreEvent` -> `io.k8s.api.core.v1.Event`. Throws for a name that is in no package: the generated tables would not fit each other. */
export function openApiName(typeName: string): string {
  names ??= load();
  const name = names.get(typeName);
  if (!name) throw new Error(`no OpenAPI name is known for the type ${typeName}`);
  return name;
}

function load(): ReadonlyMap<string, string> {
  const packages = JSON.parse(readFileSync(new URL("../generated/packages.json", import.meta.url), "utf8")) as Record<
    string,
    string
  >;
  const loaded = new Map<string, string>();
  for (const [name, types] of Object.entries(packages)) {
    for (const entry of types.split(" ")) {
      // `CoreEvent=Event`: our name, then the Go name where they differ.
      const [ours = "", go = ours] = entry.split("=");
      loaded.set(ours, `${name}.${go}`);
    }
  }
  return loaded;
}

/** Name of a custom kind: its group in reverse order, version and kind, `com.example.v1.Widget`. */
export const customName = ({ group, version, kind }: ResourceInfo): string =>
  [...group.split(".").reverse(), version, kind].join(".");

export const customListName = (info: ResourceInfo): string => customName({ ...info, kind: info.listKind });
