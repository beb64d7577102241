/** What a CustomResourceDefinition must say, beside its schemas: names, versions, columns, subresources, selectable fields, conversion. */
import type { StatusCause } from "../errors.js";
import { deepEqual } from "../patch/json.js";
import {
  duplicate,
  forbiddenField,
  IMMUTABLE,
  invalidValue,
  oneOf,
  required,
  tooMany,
  unsupported,
} from "../registry/strategies/field.js";
import { dns1035Label, dnsSubdomain } from "../registry/strategies/names.js";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from "../schema/generated/types.js";
import { schemaProblems } from "./schema-rules.js";
import { asSchema } from "./structural.js";

const APPROVAL = "api-approved.kubernetes.io";
const SCOPES = ["Cluster", "Namespaced"];
const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const REVIEW_VERSIONS = ["v1", "v1beta1"];
const MOST_SELECTABLE_FIELDS = 8;

/** True for groups that belong to the Kubernetes community, whose APIs it approves. */
export const isProtectedGroup = (group: string): boolean =>
  ["k8s.io", "kubernetes.io"].some((suffix) => group === suffix || group.endsWith(`.${suffix}`));

/** True when every version has the same value there: upstream then speaks of it as of the definition's own. */
const shared = <T>(
  versions: readonly CustomResourceDefinitionVersion[],
  part: (version: CustomResourceDefinitionVersion) => T,
): boolean =>
  versions.every((version) => deepEqual(part(version), part(versions[0] as CustomResourceDefinitionVersion)));

/** Field errors of a definition. */
export function definitionProblems(definition: CustomResourceDefinition): StatusCause[] {
  const causes: StatusCause[] = [];
  const { metadata, spec } = definition;
  if (!spec) return [required("spec")];
  if (!spec.group) causes.push(required("spec.group"));
  else {
    const complaints = dnsSubdomain(spec.group);
    if (complaints.length > 0) causes.push(invalidValue("spec.group", spec.group, complaints.join(",")));
    else if (!spec.group.includes("."))
      causes.push(invalidValue("spec.group", spec.group, "should be a domain with at least one dot"));
    if (isProtectedGroup(spec.group) && !metadata.annotations?.[APPROVAL])
      causes.push(
        required(
          `metadata.annotations[${APPROVAL}]`,
          `protected groups must have approval annotation "${APPROVAL}", see https://github.com/kubernetes/enhancements/pull/1111`,
        ),
      );
  }
  const plural = spec.names?.plural;
  if (plural && spec.group && metadata.name !== `${plural}.${spec.group}`)
    causes.push(invalidValue("metadata.name", metadata.name, 'must be spec.names.plural+"."+spec.group'));
  if (!spec.scope) causes.push(required("spec.scope"));
  else causes.push(...oneOf("spec.scope", spec.scope, SCOPES));
  if (spec.preserveUnknownFields === true)
    causes.push(
      invalidValue(
        "spec.preserveUnknownFields",
        true,
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ),
    );
  checkNames(spec.names, causes);
  checkVersions(spec.versions ?? [], causes);
  checkConversion(definition, causes);
  return causes;
}

function checkNames(names: CustomResourceDefinitionNames | undefined, causes: StatusCause[]): void {
  const label = (field: string, value: string | undefined): void => {
    if (!value) return;
    const complaints = dns1035Label(value);
    if (complaints.length > 0) causes.push(invalidValue(`spec.names.${field}`, value, complaints.join(",")));
  };
  for (const field of ["plural", "singular", "kind", "listKind"] as const)
    if (!names?.[field]) causes.push(required(`spec.names.${field}`));
  if (!names) return;
  label("plural", names.plural);
  label("singular", names.singular);
  for (const field of ["kind", "listKind"] as const) {
    const value = names[field];
    const complaints = value ? dns1035Label(value.toLowerCase()) : [];
    if (complaints.length > 0)
      causes.push(
        invalidValue(
          `spec.names.${field}`,
          value,
          `may have mixed case, but should otherwise match: ${complaints.join(",")}`,
        ),
      );
  }
  if (names.kind && names.kind === names.listKind)
    causes.push(invalidValue("spec.names.listKind", names.listKind, "kind and listKind may not be the same"));
  for (const [index, name] of (names.shortNames ?? []).entries()) label(`shortNames[${index}]`, name);
  for (const [index, name] of (names.categories ?? []).entries()) label(`categories[${index}]`, name);
}

function checkVersions(versions: readonly CustomResourceDefinitionVersion[], causes: StatusCause[]): void {
  const names = versions.map(({ name }) => name);
  names.forEach((name, index) => {
    const complaints = dns1035Label(name ?? "");
    if (complaints.length > 0)
      causes.push(invalidValue(`spec.versions[${index}].name`, name ?? "", complaints.join(",")));
  });
  if (new Set(names).size < names.length)
    causes.push(invalidValue("spec.versions", versions, "must contain unique version names"));
  if (versions.filter(({ storage }) => storage).length !== 1)
    causes.push(invalidValue("spec.versions", versions, "must have exactly one version marked as storage version"));
  const oneSchema = shared(versions, ({ schema }) => schema);
  const oneSubresources = shared(versions, ({ subresources }) => subresources);
  const oneColumns = shared(versions, ({ additionalPrinterColumns }) => additionalPrinterColumns);
  versions.forEach((version, index) => {
    const at = `spec.versions[${index}]`;
    const { schema, deprecated, deprecationWarning } = version;
    if (!schema?.openAPIV3Schema) causes.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
    else if (!oneSchema || index === 0)
      causes.push(
        ...schemaProblems(
          schema.openAPIV3Schema,
          oneSchema ? "spec.validation.openAPIV3Schema" : `${at}.schema.openAPIV3Schema`,
        ),
      );
    if (deprecationWarning !== undefined && !deprecated)
      causes.push(
        invalidValue(`${at}.deprecationWarning`, deprecationWarning, "can only be set for deprecated versions"),
      );
    if (!oneSubresources || index === 0)
      checkScale(version, oneSubresources ? "spec.subresources" : `${at}.subresources`, causes);
    if (!oneColumns || index === 0)
      checkColumns(version, oneColumns ? "spec.additionalPrinterColumns" : `${at}.additionalPrinterColumns`, causes);
    checkSelectableFields(version, `${at}.selectableFields`, causes);
  });
}

function checkScale({ subresources }: CustomResourceDefinitionVersion, field: string, causes: StatusCause[]): void {
  const scale = subresources?.scale;
  if (!scale) return;
  const path = (name: string, value: string | undefined, under: string): void => {
    if (!value) causes.push(required(`${field}.scale.${name}`));
    else if (!isSimplePath(value))
      causes.push(invalidValue(`${field}.scale.${name}`, value, "must be a simple json path starting with ."));
    else if (!value.startsWith(`${under}.`))
      causes.push(invalidValue(`${field}.scale.${name}`, value, `should be a json path under ${under}`));
  };
  path("specReplicasPath", scale.specReplicasPath, ".spec");
  path("statusReplicasPath", scale.statusReplicasPath, ".status");
  const selector = scale.labelSelectorPath;
  if (!selector) return;
  if (!isSimplePath(selector))
    causes.push(
      invalidValue(`${field}.scale.labelSelectorPath`, selector, "must be a simple json path starting with ."),
    );
  else if (!/^\.(?:status|spec)\./.test(selector))
    causes.push(
      invalidValue(`${field}.scale.labelSelectorPath`, selector, "should be a json path under either .spec or .status"),
    );
}

const isSimplePath = (path: string): boolean => path.startsWith(".");

function checkColumns(
  { additionalPrinterColumns = [] }: CustomResourceDefinitionVersion,
  field: string,
  causes: StatusCause[],
): void {
  additionalPrinterColumns.forEach(({ name, type, format, jsonPath }, index) => {
    const at = `${field}[${index}]`;
    if (!name) causes.push(required(`${at}.name`));
    const types = `must be one of ${COLUMN_TYPES.join(",")}`;
    if (!type) causes.push(required(`${at}.type`, types));
    else if (!COLUMN_TYPES.includes(type)) causes.push(invalidValue(`${at}.type`, type, types));
    if (format && !COLUMN_FORMATS.includes(format))
      causes.push(invalidValue(`${at}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`));
    if (!jsonPath) causes.push(required(`${at}.JSONPath`));
    else if (!isSimplePath(jsonPath))
      causes.push(invalidValue(`${at}.JSONPath`, jsonPath, "must be a simple json path starting with ."));
  });
}

function checkSelectableFields(version: CustomResourceDefinitionVersion, field: string, causes: StatusCause[]): void {
  const { selectableFields = [], schema } = version;
  if (selectableFields.length > MOST_SELECTABLE_FIELDS)
    causes.push(tooMany(field, selectableFields.length, MOST_SELECTABLE_FIELDS));
  const seen = new Set<string>();
  selectableFields.forEach(({ jsonPath }, index) => {
    const at = `${field}[${index}].jsonPath`;
    if (!jsonPath) {
      causes.push(required(at));
      return;
    }
    if (seen.has(jsonPath)) causes.push(duplicate(at, jsonPath));
    seen.add(jsonPath);
    const steps = jsonPath.split(".").slice(1);
    if (steps[0] === "metadata") {
      causes.push(invalidValue(at, jsonPath, "must not point to fields in metadata"));
      return;
    }
    let found: JSONSchemaProps | undefined = jsonPath.startsWith(".") ? schema?.openAPIV3Schema : undefined;
    for (const step of steps) found = found?.properties?.[step] ?? asSchema(found?.additionalProperties);
    if (!found) causes.push(invalidValue(at, jsonPath, "is an invalid path: does not refer to a valid field"));
    else if (!["string", "boolean", "integer"].includes(found.type ?? ""))
      causes.push(
        invalidValue(
          at,
          jsonPath,
          "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ),
      );
  });
}

function checkConversion({ spec }: CustomResourceDefinition, causes: StatusCause[]): void {
  const { conversion } = spec;
  if (!conversion) return;
  const { strategy, webhook } = conversion;
  if (!strategy) {
    causes.push(required("spec.conversion.strategy"));
    return;
  }
  if (strategy !== "None" && strategy !== "Webhook") {
    causes.push(unsupported("spec.conversion.strategy", strategy, ["None", "Webhook"]));
    return;
  }
  const client = webhook?.clientConfig;
  const clientField = "spec.conversion.webhookClientConfig";
  const versions = webhook?.conversionReviewVersions;
  if (strategy === "None") {
    if (client) causes.push(forbiddenField(clientField, "should not be set when strategy is not set to Webhook"));
    if (versions?.length)
      causes.push(
        forbiddenField(
          "spec.conversion.conversionReviewVersions",
          "should not be set when strategy is not set to Webhook",
        ),
      );
    return;
  }
  if (!client) causes.push(required(clientField, "required when strategy is set to Webhook"));
  else if ((client.url !== undefined) === (client.service !== undefined))
    causes.push(required(clientField, "exactly one of url or service is required"));
  else if (client.url !== undefined) causes.push(...urlProblems(`${clientField}.url`, client.url));
  else {
    if (!client.service?.name) causes.push(required(`${clientField}.service.name`, "service name is required"));
    if (!client.service?.namespace)
      causes.push(required(`${clientField}.service.namespace`, "service namespace is required"));
  }
  if (!versions?.length) causes.push(required("spec.conversion.conversionReviewVersions"));
  else if (!versions.some((version) => REVIEW_VERSIONS.includes(version)))
    causes.push(
      invalidValue(
        "spec.conversion.conversionReviewVersions",
        versions,
        `must include at least one of ${REVIEW_VERSIONS.join(", ")}`,
      ),
    );
}

function urlProblems(field: string, text: string): StatusCause[] {
  const form = "; desired format: https://host[/path]";
  if (!URL.canParse(text)) return [required(field, `url must be a valid URL${form}`)];
  const url = new URL(text);
  const refuse = (what: string): StatusCause => invalidValue(field, text, `${what}${form}`);
  const causes: StatusCause[] = [];
  if (url.protocol !== "https:")
    causes.push(invalidValue(field, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`));
  if (url.username || url.password) causes.push(refuse("user information is not permitted in the URL"));
  if (url.hash) causes.push(refuse("fragments are not permitted in the URL"));
  if (url.search) causes.push(refuse("query parameters are not permitted in the URL"));
  return causes;
}

/** What an update may not change: names of the resource ever, its kind and scope once it is served, and versions that objects are stored in. */
export function definitionUpdateProblems(
  definition: CustomResourceDefinition,
  previous: CustomResourceDefinition,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const { spec, status } = definition;
  const before = previous.spec;
  const keep = (field: string, value: unknown, was: unknown): void => {
    if (value !== was) causes.push(invalidValue(field, value, IMMUTABLE));
  };
  if (isTrue(previous, "Established")) {
    keep("spec.scope", spec.scope, before.scope);
    keep("spec.names.kind", spec.names?.kind, before.names.kind);
  }
  keep("spec.group", spec.group, before.group);
  keep("spec.names.plural", spec.names?.plural, before.names.plural);
  status?.storedVersions?.forEach((stored, index) => {
    if (spec.versions?.some(({ name }) => name === stored)) return;
    causes.push(
      invalidValue(
        `status.storedVersions[${index}]`,
        stored,
        `missing from spec.versions; ${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`,
      ),
    );
  });
  return causes;
}

export const isTrue = ({ status }: CustomResourceDefinition, type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
