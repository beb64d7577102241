import { CelError, Duration, Timestamp } from "./scalars.js";

/** Timestamps and durations as text. */

const NANOS = 1_000_000_000n;
const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/;

/** Throws CelError. */
export function parseTimestamp(text: string): Timestamp {
  const match = RFC3339.exec(text);
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(ms)) throw new CelError(`invalid timestamp ${JSON.stringify(text)}`);
  return new Timestamp(BigInt(ms) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0").slice(0, 9)));
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: NANOS,
  m: 60n * NANOS,
  h: 3600n * NANOS,
};

/** Go's spelling of durations. Throws CelError. */
export function parseDuration(text: string): Duration {
  const refuse = (): never => {
    throw new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  };
  const negative = text.startsWith("-");
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return new Duration(0n);
  if (rest === "") refuse();
  let nanos = 0n;
  while (rest !== "") {
    const match = /^(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/.exec(rest);
    if (!match || (match[1] === "" && !match[2])) return refuse();
    const unit = UNITS[match[3] as string] as bigint;
    nanos += BigInt(match[1] || "0") * unit;
    if (match[2]) nanos += (BigInt(match[2]) * unit) / 10n ** BigInt(match[2].length);
    rest = rest.slice(match[0].length);
  }
  return new Duration(negative ? -nanos : nanos);
}

const trimFraction = (nanos: bigint): string => {
  const digits = nanos.toString().padStart(9, "0").replace(/0+$/, "");
  return digits ? `.${digits}` : "";
};

export function formatDuration(nanos: bigint): string {
  const sign = nanos < 0n ? "-" : "";
  const size = nanos < 0n ? -nanos : nanos;
  return `${sign}${size / NANOS}${trimFraction(size % NANOS)}s`;
}

export function formatTimestamp(nanos: bigint): string {
  const fraction = ((nanos % NANOS) + NANOS) % NANOS;
  const seconds = (nanos - fraction) / NANOS;
  const date = new Date(Number(seconds) * 1000).toISOString();
  return `${date.slice(0, 19)}${trimFraction(fraction)}Z`;
}
