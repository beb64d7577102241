/** Rules of a pod's volumes (upstream: ValidateVolumes). */
import type { StatusCause } from "../../errors.js";
import type { KeyToPath, Volume } from "../../schema/generated/types.js";
import { isQuantity } from "../quantity.js";
import { validateRelativePath } from "./container-validation.js";
import { duplicate, forbiddenField, inRange, invalidValue, named, required } from "./field.js";
import { dnsLabel } from "./names.js";
import { QUANTITY_TEXT } from "./resource-validation.js";

const MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive";

const validateMode = (field: string, mode: number | undefined): StatusCause[] =>
  mode !== undefined && (mode < 0 || mode > 0o777) ? [invalidValue(field, mode, MODE_TEXT)] : [];

function validateKeys(field: string, items: readonly KeyToPath[] | undefined): StatusCause[] {
  return (items ?? []).flatMap((item, index) => {
    const at = `${field}[${index}]`;
    return [
      ...(item.key ? [] : [required(`${at}.key`)]),
      ...(item.path ? validateRelativePath(`${at}.path`, item.path) : [required(`${at}.path`)]),
      ...validateMode(`${at}.mode`, item.mode),
    ];
  });
}

/** What must be there, by source. Sources not listed have no rules of their own here. */
const SOURCE_RULES: { [K in keyof Volume]?: (field: string, source: NonNullable<Volume[K]>) => StatusCause[] } = {
  emptyDir: (field, { sizeLimit }) =>
    sizeLimit?.startsWith("-")
      ? [forbiddenField(`${field}.sizeLimit`, "SizeLimit field must be a valid resource quantity")]
      : sizeLimit === undefined || isQuantity(sizeLimit)
        ? []
        : [invalidValue(`${field}.sizeLimit`, sizeLimit, QUANTITY_TEXT)],
  hostPath: (field, { path }) => {
    if (!path) return [required(`${field}.path`)];
    return path.split("/").includes("..") ? [invalidValue(`${field}.path`, path, "must not contain '..'")] : [];
  },
  secret: (field, { secretName, defaultMode, items }) => [
    ...(secretName ? [] : [required(`${field}.secretName`)]),
    ...validateMode(`${field}.defaultMode`, defaultMode),
    ...validateKeys(`${field}.items`, items),
  ],
  configMap: (field, { name, defaultMode, items }) => [
    ...(name ? [] : [required(`${field}.name`)]),
    ...validateMode(`${field}.defaultMode`, defaultMode),
    ...validateKeys(`${field}.items`, items),
  ],
  downwardAPI: (field, { defaultMode }) => validateMode(`${field}.defaultMode`, defaultMode),
  persistentVolumeClaim: (field, { claimName }) => (claimName ? [] : [required(`${field}.claimName`)]),
  ephemeral: (field, { volumeClaimTemplate }) =>
    volumeClaimTemplate ? [] : [required(`${field}.volumeClaimTemplate`)],
  csi: (field, { driver }) => (driver ? [] : [required(`${field}.driver`)]),
  nfs: (field, { server, path }) => [
    ...(server ? [] : [required(`${field}.server`)]),
    ...(path ? [] : [required(`${field}.path`)]),
  ],
  projected: (field, { sources, defaultMode }) => [
    ...validateMode(`${field}.defaultMode`, defaultMode),
    ...(sources ?? []).flatMap((source, index) => {
      const token = source.serviceAccountToken;
      if (!token) return [];
      const at = `${field}.sources[${index}].serviceAccountToken`;
      const seconds = token.expirationSeconds ?? 3600;
      return [
        ...(token.path ? validateRelativePath(`${at}.path`, token.path) : [required(`${at}.path`)]),
        ...(seconds < 600
          ? [invalidValue(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes")]
          : []),
        ...inRange(`${at}.expirationSeconds`, seconds, 0, 2 ** 32),
      ];
    }),
  ],
};

export function validateVolumes(field: string, volumes: readonly Volume[] | undefined): StatusCause[] {
  const names = new Set<string>();
  return (volumes ?? []).flatMap((volume, index) => {
    const at = `${field}[${index}]`;
    const causes: StatusCause[] = volume.name
      ? named(`${at}.name`, volume.name, dnsLabel(volume.name))
      : [required(`${at}.name`)];
    if (volume.name && names.has(volume.name)) causes.push(duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    const sources = (Object.keys(volume) as (keyof Volume)[]).filter((key) => key !== "name" && volume[key]);
    if (sources.length === 0) causes.push(required(at, "must specify a volume type"));
    sources.forEach((source, position) => {
      if (position > 0) causes.push(forbiddenField(`${at}.${source}`, "may not specify more than 1 volume type"));
      const rule = SOURCE_RULES[source] as ((path: string, value: unknown) => StatusCause[]) | undefined;
      if (rule) causes.push(...rule(`${at}.${source}`, volume[source]));
    });
    return causes;
  });
}
