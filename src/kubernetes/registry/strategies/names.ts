/**
 * The name formats of Kubernetes. Each rule returns what is wrong, in apimachinery's words (`util/validation`), and nothing when all is well.
 */

const NONE: readonly string[] = [];
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

const tooLong = (most: number): string => `must be no more than ${most} characters`;
const tooManyBytes = (most: number): string => `must be no more than ${most} bytes`;

const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const NAME_PART_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY_TEXT =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/** A value that is absent although its type says otherwise counts as empty: clients leave out what Go would write as "". */
function check(value: string | undefined, most: number, pattern: RegExp, text: string): readonly string[] {
  const given = value ?? "";
  if (given.length <= most && pattern.test(given)) return NONE;
  return [...(given.length > most ? [tooLong(most)] : []), ...(pattern.test(given) ? [] : [text])];
}

export const dnsLabel = (value: string): readonly string[] =>
  // A name that would do but for its dots is told so.
  check(value, 63, LABEL, SUBDOMAIN.test(value ?? "") ? "must not contain dots" : LABEL_TEXT);
export const dns1035Label = (value: string): readonly string[] => check(value, 63, LABEL_1035, LABEL_1035_TEXT);
export const dnsSubdomain = (value: string): readonly string[] => check(value, 253, SUBDOMAIN, SUBDOMAIN_TEXT);

export function labelValue(value = ""): readonly string[] {
  if (value.length <= 63 && LABEL_VALUE.test(value)) return NONE;
  return [...(value.length > 63 ? [tooManyBytes(63)] : []), ...(LABEL_VALUE.test(value) ? [] : [LABEL_VALUE_TEXT])];
}

/** `name` or `prefix.example/name`: keys of labels, taints, extended resources. */
export function qualifiedName(value = ""): readonly string[] {
  if (value.length <= 63 && QUALIFIED.test(value)) return NONE;
  const parts = value.split("/");
  if (parts.length > 2) {
    return [
      "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ];
  }
  const complaints: string[] = [];
  const name = parts.at(-1) as string;
  if (parts.length === 2) {
    const prefix = parts[0] as string;
    if (prefix === "") complaints.push("prefix part must be non-empty");
    else complaints.push(...dnsSubdomain(prefix).map((complaint) => `prefix part ${complaint}`));
  }
  if (name === "") complaints.push("name part must be non-empty");
  else if (name.length > 63) complaints.push(`name part ${tooManyBytes(63)}`);
  if (!QUALIFIED.test(name)) complaints.push(NAME_PART_TEXT);
  return complaints;
}

/** Names of container and service target ports (IANA service names). */
export function portName(value = ""): readonly string[] {
  const complaints: string[] = [];
  if (value.length > 15) complaints.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(value))
    complaints.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(value)) complaints.push("must contain at least one letter (a-z)");
  if (value.includes("--")) complaints.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) complaints.push("must not begin or end with a hyphen");
  return complaints;
}

/** Since 1.34 every printable ASCII character except `=`. */
export function environmentName(value = ""): readonly string[] {
  return /^[ -<>-~]+$/.test(value)
    ? NONE
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** Keys of ConfigMaps and Secrets: they become file names. */
export function configKey(value = ""): readonly string[] {
  if (value.length <= 253 && CONFIG_KEY.test(value) && !value.startsWith(".")) return NONE;
  const complaints: string[] = [];
  if (value.length > 253) complaints.push(tooLong(253));
  if (!CONFIG_KEY.test(value)) complaints.push(CONFIG_KEY_TEXT);
  if (value === "." || value === "..") complaints.push(`must not be '${value}'`);
  else if (value.startsWith("..")) complaints.push("must not start with '..'");
  return complaints;
}
