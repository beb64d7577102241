/** The configuration values that each add-on takes: one table of settings each, from which both the schema and the effect come. */
import type { JsonSchema } from "./json-schema.js";
import type { Manifest } from "./manifest.js";
import { OWN_SETTINGS } from "./own-settings.js";
import { PACKAGES } from "./packages.js";
import { type CommonSetting, commonSettings, DAEMON_SETTINGS, DEPLOYMENT_SETTINGS, type Setting } from "./settings.js";
import type { Workload } from "./workload.js";

export type ConfigurationValues = Readonly<Record<string, unknown>>;

function settingsOfWorkload({ kind, name, containers, settings = "" }: Workload): Setting[] {
  const names: readonly CommonSetting[] = kind === "Deployment" ? DEPLOYMENT_SETTINGS : DAEMON_SETTINGS;
  return commonSettings(settings, { workload: name, container: Object.keys(containers)[0] ?? name }, names);
}

const settingsOf = (addonName: string): readonly Setting[] => [
  ...(PACKAGES[addonName]?.workloads ?? []).flatMap(settingsOfWorkload),
  ...(OWN_SETTINGS[addonName] ?? []),
];

interface Branch {
  [name: string]: JsonSchema | Branch;
}

const isSchema = (node: JsonSchema | Branch): node is JsonSchema => "type" in node && typeof node.type !== "object";

const schemaOf = (branch: Branch): JsonSchema => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(branch).map(([name, node]) => [name, isSchema(node) ? node : schemaOf(node)]),
  ),
  additionalProperties: false,
});

/** Schema of an add-on's configuration values. */
export function configurationSchema(addonName: string): JsonSchema {
  const root: Branch = {};
  for (const { path, schema } of settingsOf(addonName)) {
    const names = path.split(".");
    const last = names.pop() ?? path;
    let branch = root;
    for (const name of names) {
      branch[name] ??= {};
      branch = branch[name] as Branch;
    }
    branch[last] = schema;
  }
  return schemaOf(root);
}

const valueAt = (values: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>(
      (value, name) =>
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined,
      values,
    );

/** The add-on's objects with the values in effect. The values fit the schema. */
export const applyConfiguration = (
  addonName: string,
  objects: readonly Manifest[],
  values: ConfigurationValues,
): Manifest[] =>
  settingsOf(addonName).reduce<Manifest[]>(
    (changed, { path, apply }) => {
      const value = valueAt(values, path);
      return value === undefined ? changed : apply(changed, value);
    },
    [...objects],
  );
