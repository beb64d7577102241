/**
 * The formats of OpenAPI strings that API servers check (those of go-openapi's registry). A format that is not known here is not checked, as upstream.
 */
import { isIP, isIPv4, isIPv6 } from "node:net";

const HOST_LABEL = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_-]*[\p{L}\p{N}_])?$/u;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const uuidOf = (version: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, "i");
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
/** RFC 3339 with the liberties that upstream's parser takes: a space for the T, and a zone without its colon. */
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-]\d{2}:?\d{2})$/;
/** Go's durations (`1h30m`), and words (`3 days`), which the registry takes beside them. */
const GO_DURATION = /^[-+]?(?:0|(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const WORD_DURATION =
  /^(?:\d+\s*(?:nanosecond|nano|ns|n|microsecond|micro|us|µs|millisecond|milli|ms|minute|min|m|hour|hr|h|second|sec|s|day|d|week|wk|w)s?\s*)+$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const EMAIL = /^[^\s@<>(),;:\\"[\]]+@[^\s@<>(),;:\\"[\]]+$/;
const HEX_COLOR = /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/;
const RGB_COLOR = /^rgb\(\s*(?:(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*,\s*){2}(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*\)$/;
const MAC = /^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4,6}[0-9a-f]{2}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2,3})$/i;
const ISBN10 = /^(?:\d{9}X|\d{10})$/;
const ISBN13 = /^\d{13}$/;
const SEPARATORS = /[\s-]/g;

function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (!match) return false;
  const [, year, month, day] = match.map(Number);
  const date = new Date(Date.UTC(year as number, (month as number) - 1, day));
  return date.getUTCMonth() === (month as number) - 1 && date.getUTCDate() === day;
}

function isDateTime(text: string): boolean {
  const match = DATE_TIME.exec(text);
  if (!match) return false;
  const [, date = "", hours, minutes, seconds] = match;
  return isDate(date) && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60;
}

function isCidr(text: string): boolean {
  const slash = text.indexOf("/");
  const version = slash < 0 ? 0 : isIP(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  return version !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}

const isHostname = (text: string): boolean =>
  text.length > 0 &&
  text.length <= 255 &&
  text.split(".").every((label) => label.length <= 63 && HOST_LABEL.test(label));

function isUri(text: string): boolean {
  if (text.startsWith("/")) return true;
  return URL.canParse(text);
}

/** The sum over the digits with the weights of the standard must divide evenly. */
function isIsbn(text: string, form: RegExp): boolean {
  const digits = text.replace(SEPARATORS, "");
  if (!form.test(digits)) return false;
  const values = [...digits].map((digit) => (digit === "X" ? 10 : Number(digit)));
  if (form === ISBN10) return values.reduce((sum, value, index) => sum + value * (10 - index), 0) % 11 === 0;
  return values.reduce((sum, value, index) => sum + value * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  if (!/^\d{12,19}$/.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

const K8S_SHORT_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const K8S_LONG_NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  byte: (text) => text.length > 0 && BASE64.test(text),
  cidr: isCidr,
  creditcard: isCreditCard,
  date: isDate,
  "date-time": isDateTime,
  datetime: isDateTime,
  duration: (text) => GO_DURATION.test(text) || WORD_DURATION.test(text.trim()),
  email: (text) => EMAIL.test(text),
  hexcolor: (text) => HEX_COLOR.test(text),
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: isIPv6,
  isbn: (text) => isIsbn(text, ISBN10) || isIsbn(text, ISBN13),
  isbn10: (text) => isIsbn(text, ISBN10),
  isbn13: (text) => isIsbn(text, ISBN13),
  "k8s-long-name": (text) => text.length <= 253 && K8S_LONG_NAME.test(text),
  "k8s-short-name": (text) => K8S_SHORT_NAME.test(text),
  mac: (text) => MAC.test(text),
  password: () => true,
  rgbcolor: (text) => RGB_COLOR.test(text),
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  uri: isUri,
  uuid: (text) => UUID.test(text),
  uuid3: (text) => uuidOf("3").test(text),
  uuid4: (text) => uuidOf("4").test(text),
  uuid5: (text) => uuidOf("5").test(text),
};

/** The check of a format; undefined for one that nobody checks. */
export const formatCheck = (format: string): ((text: string) => boolean) | undefined =>
  Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
