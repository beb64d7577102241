/** Kubernetes' own types: quantities, URLs, semantic versions, named formats, and keys of JSON pointers. */
import { formatQuantity, parseQuantity, type Quantity, QuantityError } from "../../registry/quantity.js";
import { dns1035Label, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../../registry/strategies/names.js";
import { CelError } from "../scalars.js";
import { ListValue, mapValue, Opaque, Optional, type Value } from "../values.js";
import { define, type Overload, traversal } from "./declare.js";

const NANO = 1_000_000_000n;
const QUANTITY = "kubernetes.Quantity";
const URL_TYPE = "kubernetes.URL";
const SEMVER = "kubernetes.Semver";
const FORMAT = "kubernetes.NamedFormat";

class Amount {
  constructor(readonly quantity: Quantity) {}
  equals(other: Amount): boolean {
    return other.quantity.value === this.quantity.value;
  }
  toString(): string {
    return formatQuantity(this.quantity);
  }
}
type QuantityValue = Opaque<Amount>;

const quantityValue = (value: bigint, format: Quantity["format"]): QuantityValue =>
  new Opaque(QUANTITY, new Amount({ value, format }));

function quantity(text: string): QuantityValue {
  try {
    return new Opaque(QUANTITY, new Amount(parseQuantity(text)));
  } catch (error) {
    if (error instanceof QuantityError) throw new CelError(error.message);
    throw error;
  }
}

/** True unless `make` throws a CelError. */
function succeeds(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}

const amountOf = ({ content }: QuantityValue): bigint => content.quantity.value;
const sign = (value: bigint): bigint => (value < 0n ? -1n : value > 0n ? 1n : 0n);
const fitsInt = (value: bigint): boolean =>
  value % NANO === 0n && value / NANO < 2n ** 63n && value / NANO >= -(2n ** 63n);

function asInteger(amount: QuantityValue): bigint {
  if (!fitsInt(amountOf(amount))) throw new CelError("cannot convert value to integer");
  return amountOf(amount) / NANO;
}

const added = (a: QuantityValue, b: bigint): QuantityValue => quantityValue(amountOf(a) + b, a.content.quantity.format);

const quantities: readonly Overload[] = [
  define("isQuantity", "(string) -> bool", (text: string) => succeeds(() => quantity(text)), traversal),
  define("quantity", `(string) -> ${QUANTITY}`, quantity, traversal),
  define("sign", `${QUANTITY}.() -> int`, (a: QuantityValue) => sign(amountOf(a))),
  define("isInteger", `${QUANTITY}.() -> bool`, (a: QuantityValue) => fitsInt(amountOf(a))),
  define("asInteger", `${QUANTITY}.() -> int`, asInteger),
  define("asApproximateFloat", `${QUANTITY}.() -> double`, (a: QuantityValue) => Number(amountOf(a)) / 1e9),
  define(
    "isGreaterThan",
    `${QUANTITY}.(${QUANTITY}) -> bool`,
    (a: QuantityValue, b: QuantityValue) => amountOf(a) > amountOf(b),
  ),
  define(
    "isLessThan",
    `${QUANTITY}.(${QUANTITY}) -> bool`,
    (a: QuantityValue, b: QuantityValue) => amountOf(a) < amountOf(b),
  ),
  define("compareTo", `${QUANTITY}.(${QUANTITY}) -> int`, (a: QuantityValue, b: QuantityValue) =>
    sign(amountOf(a) - amountOf(b)),
  ),
  define("add", `${QUANTITY}.(${QUANTITY}) -> ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) =>
    added(a, amountOf(b)),
  ),
  define("add", `${QUANTITY}.(int) -> ${QUANTITY}`, (a: QuantityValue, b: bigint) => added(a, b * NANO)),
  define("sub", `${QUANTITY}.(${QUANTITY}) -> ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) =>
    added(a, -amountOf(b)),
  ),
  define("sub", `${QUANTITY}.(int) -> ${QUANTITY}`, (a: QuantityValue, b: bigint) => added(a, -b * NANO)),
];

/** Go's url.ParseRequestURI: an absolute URL, or an absolute path. */
class Address {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  constructor(readonly text: string) {
    const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/(?:[^/?@]*@)?([^/?]*))?([^?]*)(?:\?([\s\S]*))?$/.exec(text);
    const [, scheme = "", host = "", path = "", query = ""] = match ?? [];
    const bad =
      !match ||
      // biome-ignore lint/suspicious/noControlCharactersInRegex: Go refuses exactly these
      /[\x00-\x20\x7f]/.test(text) ||
      /%(?![0-9a-fA-F]{2})/.test(path) ||
      /:(?!\d*$)/.test(host.replace(/^\[[^\]]*\]/, "")) ||
      (scheme === "" && !path.startsWith("/") && host === "") ||
      (scheme !== "" && host === "" && !path.startsWith("/"));
    if (bad)
      throw new CelError(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      );
    this.scheme = scheme.toLowerCase();
    this.host = host;
    this.path = path;
    this.query = query;
  }
  toString(): string {
    return this.text;
  }
}
type UrlValue = Opaque<Address>;

const url = (text: string): UrlValue => new Opaque(URL_TYPE, new Address(text));

const hostname = (host: string): string =>
  host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.replace(/:\d*$/, "");

function queryOf(query: string): Value {
  const values = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(query)) values.set(key, [...(values.get(key) ?? []), value]);
  return mapValue([...values].map(([key, list]) => [key, new ListValue(list)] as const));
}

const urls: readonly Overload[] = [
  define("isURL", "(string) -> bool", (text: string) => succeeds(() => url(text)), traversal),
  define("url", `(string) -> ${URL_TYPE}`, url, traversal),
  define("getScheme", `${URL_TYPE}.() -> string`, ({ content }: UrlValue) => content.scheme),
  define("getHost", `${URL_TYPE}.() -> string`, ({ content }: UrlValue) => content.host),
  define("getHostname", `${URL_TYPE}.() -> string`, ({ content }: UrlValue) => hostname(content.host)),
  define("getPort", `${URL_TYPE}.() -> string`, ({ content }: UrlValue) => /:(\d*)$/.exec(content.host)?.[1] ?? ""),
  define("getEscapedPath", `${URL_TYPE}.() -> string`, ({ content }: UrlValue) =>
    content.path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/g, (character) => encodeURIComponent(character)),
  ),
  define("getQuery", `${URL_TYPE}.() -> map(string, list(string))`, ({ content }: UrlValue) => queryOf(content.query)),
];

const SEMVER_SYNTAX =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;

class Version {
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];
  constructor(readonly text: string) {
    const match = SEMVER_SYNTAX.exec(text);
    if (!match) throw new CelError(`Invalid character(s) found in version ${JSON.stringify(text)}`);
    this.numbers = [match[1], match[2], match[3]].map((part) => BigInt(part as string));
    this.pre = match[4]?.split(".") ?? [];
  }
  compare(other: Version): number {
    for (let i = 0; i < 3; i++) {
      const [a, b] = [this.numbers[i] as bigint, other.numbers[i] as bigint];
      if (a !== b) return a < b ? -1 : 1;
    }
    if (this.pre.length === 0 || other.pre.length === 0)
      return other.pre.length - this.pre.length > 0 ? 1 : this.pre.length === other.pre.length ? 0 : -1;
    for (let i = 0; i < Math.max(this.pre.length, other.pre.length); i++) {
      const [a, b] = [this.pre[i], other.pre[i]];
      if (a === b) continue;
      if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
      const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)];
      if (numeric[0] && numeric[1]) return BigInt(a) < BigInt(b) ? -1 : 1;
      if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
      return a < b ? -1 : 1;
    }
    return 0;
  }
  equals(other: Version): boolean {
    return this.compare(other) === 0;
  }
  toString(): string {
    return this.text;
  }
}
type SemverValue = Opaque<Version>;

/** With `normalize`: a leading v goes, missing parts are zero, and so are leading zeros. */
function semver(text: string, normalize = false): SemverValue {
  if (!normalize) return new Opaque(SEMVER, new Version(text));
  const [, core = "", tail = ""] = /^v?([0-9.]*)([\s\S]*)$/.exec(text.trim()) ?? [];
  const parts = core.split(".").map((part) => part.replace(/^0+(?=\d)/, ""));
  while (parts.length < 3) parts.push("0");
  return new Opaque(SEMVER, new Version(parts.join(".") + tail));
}

const part =
  (index: number) =>
  ({ content }: SemverValue): bigint =>
    content.numbers[index] as bigint;
const versionOrder = (a: SemverValue, b: SemverValue): number => a.content.compare(b.content);

const versions: readonly Overload[] = [
  define("isSemver", "(string) -> bool", (text: string) => succeeds(() => semver(text)), traversal),
  define(
    "isSemver",
    "(string, bool) -> bool",
    (text: string, normalize: boolean) => succeeds(() => semver(text, normalize)),
    traversal,
  ),
  define("semver", `(string) -> ${SEMVER}`, (text: string) => semver(text), traversal),
  define("semver", `(string, bool) -> ${SEMVER}`, semver, traversal),
  define("major", `${SEMVER}.() -> int`, part(0)),
  define("minor", `${SEMVER}.() -> int`, part(1)),
  define("patch", `${SEMVER}.() -> int`, part(2)),
  define("isLessThan", `${SEMVER}.(${SEMVER}) -> bool`, (a: SemverValue, b: SemverValue) => versionOrder(a, b) < 0),
  define("isGreaterThan", `${SEMVER}.(${SEMVER}) -> bool`, (a: SemverValue, b: SemverValue) => versionOrder(a, b) > 0),
  define("compareTo", `${SEMVER}.(${SEMVER}) -> int`, (a: SemverValue, b: SemverValue) => BigInt(versionOrder(a, b))),
];

interface NamedFormat {
  name: string;
  check(text: string): readonly string[];
}

const prefixed =
  (check: (text: string) => readonly string[]) =>
  (text: string): readonly string[] =>
    check(text.endsWith("-") ? `${text.slice(0, -1)}a` : text);

const matching =
  (pattern: RegExp, complaint: string) =>
  (text: string): string[] =>
    pattern.test(text) ? [] : [complaint];

const isUrl = (text: string): string[] => (succeeds(() => url(text)) ? [] : ["invalid uri"]);
const isDate = (text: string): string[] =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? [] : ["invalid date"];
const isDateTime = (text: string): string[] =>
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(Date.parse(text))
    ? []
    : ["invalid datetime"];
const FORMATS: Readonly<Record<string, (text: string) => readonly string[]>> = {
  dns1123Label: dnsLabel,
  dns1123Subdomain: dnsSubdomain,
  dns1035Label,
  qualifiedName,
  dns1123LabelPrefix: prefixed(dnsLabel),
  dns1123SubdomainPrefix: prefixed(dnsSubdomain),
  dns1035LabelPrefix: prefixed(dns1035Label),
  labelValue,
  uri: isUrl,
  uuid: matching(
    /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
    "does not match the UUID format",
  ),
  byte: matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "invalid base64"),
  date: isDate,
  datetime: isDateTime,
};

function namedFormat(name: string): Optional {
  const check = FORMATS[name];
  return check ? Optional.of(new Opaque<NamedFormat>(FORMAT, { name, check })) : Optional.none;
}

const formats: readonly Overload[] = [
  ...Object.entries(FORMATS).map(([name, check]) =>
    define(`format.${name}`, `() -> ${FORMAT}`, () => new Opaque<NamedFormat>(FORMAT, { name, check })),
  ),
  define("format.named", `(string) -> optional_type(${FORMAT})`, namedFormat),
  define(
    "validate",
    `${FORMAT}.(string) -> optional_type(list(string))`,
    ({ content }: Opaque<NamedFormat>, text: string) => {
      const complaints = content.check(text);
      return complaints.length > 0 ? Optional.of(new ListValue(complaints)) : Optional.none;
    },
    ([, text]) => traversal([text ?? null], null),
  ),
];

const pointers: readonly Overload[] = [
  define(
    "jsonpatch.escapeKey",
    "(string) -> string",
    (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1"),
    traversal,
  ),
];

export const kubernetesFunctions: readonly Overload[] = [...quantities, ...urls, ...versions, ...formats, ...pointers];
