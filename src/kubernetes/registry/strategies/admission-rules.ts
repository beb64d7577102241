/** Field rules that webhook configurations and admission policies share: match rules, match conditions, and how webhooks are reached. */
import { compileExpression, type ExpressionScope } from "../../admission/policies/expressions.js";
import type { StatusCause } from "../../errors.js";
import type {
  AdmissionregistrationWebhookClientConfig,
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
} from "../../schema/generated/types.js";
import { defined, mapItems, withDefaults, withField } from "./defaulting.js";
import { duplicate, invalidValue, named, oneOf, required, requiredOneOf, tooMany, unsupported } from "./field.js";
import { dnsSubdomain, qualifiedName } from "./names.js";
import { validateSelector } from "./rules.js";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES = ["*", "Cluster", "Namespaced"];
const MOST_CONDITIONS = 64;

export const FAILURE_POLICIES = ["Fail", "Ignore"];
export const MATCH_POLICIES = ["Equivalent", "Exact"];

function validateResources(at: string, resources: readonly string[]): StatusCause[] {
  const causes: StatusCause[] = [];
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  let plain = false;
  resources.forEach((resource, i) => {
    if (resource === "") {
      causes.push(required(`${at}[${i}]`));
      return;
    }
    const [name, sub] = resource.split("/", 2);
    if (sub === undefined) {
      plain = resource !== "*";
      return;
    }
    if (wholeResources.has(name as string))
      causes.push(invalidValue(`${at}[${i}]`, resource, `if '${name}/*' is present, must not specify ${resource}`));
    if (wholeSubresources.has(sub))
      causes.push(invalidValue(`${at}[${i}]`, resource, `if '*/${sub}' is present, must not specify ${resource}`));
    if (sub === "*") wholeResources.add(name as string);
    if (name === "*") wholeSubresources.add(sub);
  });
  if (resources.length > 1 && resources.includes("*/*"))
    causes.push(invalidValue(at, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes("*") && plain)
    causes.push(
      invalidValue(at, resources, "if '*' is present, must not specify other resources without subresources"),
    );
  return causes;
}

/** A list that needs an entry, and may have `*` only alone. */
function validateChoices(at: string, choices: readonly string[] | undefined, what: string): StatusCause[] {
  if (!choices?.length) return [required(at)];
  return choices.length > 1 && choices.includes("*")
    ? [invalidValue(at, choices, `if '*' is present, must not specify other ${what}`)]
    : [];
}

export function validateRule(at: string, rule: NamedRuleWithOperations): StatusCause[] {
  const names = new Set<string>();
  return [
    ...(rule.resourceNames ?? []).flatMap((name, i) => {
      const again = names.has(name);
      names.add(name);
      return again ? [duplicate(`${at}.resourceNames[${i}]`, name)] : [];
    }),
    ...validateChoices(`${at}.operations`, rule.operations, "operations"),
    ...(rule.operations ?? []).flatMap((operation, i) =>
      OPERATIONS.includes(operation) ? [] : [unsupported(`${at}.operations[${i}]`, operation, OPERATIONS)],
    ),
    ...validateChoices(`${at}.apiGroups`, rule.apiGroups, "API groups"),
    ...validateChoices(`${at}.apiVersions`, rule.apiVersions, "API versions"),
    ...(rule.apiVersions ?? []).flatMap((version, i) => (version === "" ? [required(`${at}.apiVersions[${i}]`)] : [])),
    ...(rule.resources?.length ? validateResources(`${at}.resources`, rule.resources) : [required(`${at}.resources`)]),
    ...oneOf(`${at}.scope`, rule.scope, SCOPES),
  ];
}

const withScopes = <T extends { scope?: string }>(rules: T[] | undefined): T[] | undefined =>
  mapItems(rules, (rule) => withDefaults<{ scope?: string }>(rule, { scope: "*" }) as T);

export function defaultRules<T extends { rules?: NamedRuleWithOperations[] }>(webhook: T): T {
  return withField(webhook, "rules", withScopes(webhook.rules));
}

export function defaultMatch(match: MatchResources | undefined): MatchResources | undefined {
  if (!match) return match;
  let result = withDefaults(match, { matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} });
  result = withField(result, "resourceRules", withScopes(result.resourceRules));
  return defined(withField(result, "excludeResourceRules", withScopes(result.excludeResourceRules)));
}

export function validateMatch(at: string, match: MatchResources | undefined): StatusCause[] {
  if (!match) return [];
  return [
    ...requiredOneOf(`${at}.matchPolicy`, match.matchPolicy, MATCH_POLICIES),
    ...validateSelector(`${at}.namespaceSelector`, match.namespaceSelector),
    ...validateSelector(`${at}.objectSelector`, match.objectSelector),
    ...(match.resourceRules ?? []).flatMap((rule, i) => validateRule(`${at}.resourceRules[${i}]`, rule)),
    ...(match.excludeResourceRules ?? []).flatMap((rule, i) => validateRule(`${at}.excludeResourceRules[${i}]`, rule)),
  ];
}

/** `Invalid value` with the compiler's words for an expression that does not compile, or gives something else than wanted. */
export function validateExpression(
  at: string,
  expression: string,
  scope: ExpressionScope,
  returns: readonly string[] = [],
): StatusCause[] {
  const compiled = compileExpression(expression, scope, returns);
  return "error" in compiled ? [invalidValue(at, expression, compiled.error)] : [];
}

export function validateConditions(
  at: string,
  conditions: readonly MatchCondition[] | undefined,
  scope: ExpressionScope,
): StatusCause[] {
  const names = new Set<string>();
  return [
    ...(conditions && conditions.length > MOST_CONDITIONS ? [tooMany(at, conditions.length, MOST_CONDITIONS)] : []),
    ...(conditions ?? []).flatMap(({ name, expression }, i) => {
      const field = `${at}[${i}]`;
      const trimmed = expression?.trim() ?? "";
      const causes =
        trimmed === ""
          ? [required(`${field}.expression`)]
          : validateExpression(`${field}.expression`, trimmed, scope, ["bool"]);
      if (!name) return [...causes, required(`${field}.name`)];
      causes.push(...named(`${field}.name`, name, qualifiedName(name)));
      if (names.has(name)) causes.push(duplicate(`${field}.name`, name));
      names.add(name);
      return causes;
    }),
  ];
}

const URL_FORM = "desired format: https://host[/path]";

function validateUrl(at: string, text: string): StatusCause[] {
  if (!URL.canParse(text)) return [required(at, `url must be a valid URL: parse ${JSON.stringify(text)}; ${URL_FORM}`)];
  const url = new URL(text);
  return [
    ...(url.protocol === "https:"
      ? []
      : [invalidValue(at, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${URL_FORM}`)]),
    ...(url.host ? [] : [invalidValue(at, url.host, `host must be specified; ${URL_FORM}`)]),
    ...(url.username || url.password
      ? [invalidValue(at, url.username, `user information is not permitted in the URL; ${URL_FORM}`)]
      : []),
    ...(url.hash ? [invalidValue(at, url.hash.slice(1), `fragments are not permitted in the URL; ${URL_FORM}`)] : []),
    ...(url.search
      ? [invalidValue(at, url.search.slice(1), `query parameters are not permitted in the URL; ${URL_FORM}`)]
      : []),
  ];
}

export function validateClient(
  at: string,
  { url, service }: Partial<AdmissionregistrationWebhookClientConfig>,
): StatusCause[] {
  if ((url === undefined) === (service === undefined))
    return [required(at, "exactly one of url or service is required")];
  if (url !== undefined) return validateUrl(`${at}.url`, url);
  const field = `${at}.service`;
  const { name, namespace, port = 443, path } = service ?? {};
  return [
    ...(name ? [] : [required(`${field}.name`, "service name is required")]),
    ...(namespace ? [] : [required(`${field}.namespace`, "service namespace is required")]),
    ...(port < 1 || port > 65_535
      ? [invalidValue(`${field}.port`, port, "port is not valid: must be between 1 and 65535, inclusive")]
      : []),
    ...validatePath(`${field}.path`, path),
  ];
}

/** Empty and `/` are the root; every other segment must be a name. */
function validatePath(at: string, path = ""): StatusCause[] {
  if (path === "" || path === "/") return [];
  if (!path.startsWith("/")) return [invalidValue(at, path, "must start with a '/'")];
  const segments = path.slice(1).replace(/\/$/, "").split("/");
  return segments.flatMap((segment, i) =>
    segment === ""
      ? [invalidValue(at, path, `segment[${i}] may not be empty`)]
      : dnsSubdomain(segment).map((complaint) => invalidValue(at, path, `segment[${i}]: ${complaint}`)),
  );
}
