import { type DestinationStream, type Logger, pino } from "pino";
import type { Config } from "./config.js";

export type Log = Logger;

const LEVELS: Record<number, string> = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };

/** Fields that every line has and a person does not need. */
const QUIET = new Set(["level", "time", "pid", "hostname", "msg", "err"]);

/** `10:00:00 warn  message key=value`, with an error's stack on the following lines. */
function pretty(line: string): string {
  const entry = JSON.parse(line) as {
    level: number;
    time: number;
    msg?: string;
    err?: { stack?: string; message?: string };
    [field: string]: unknown;
  };
  const fields = Object.entries(entry)
    .filter(([name]) => !QUIET.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const head = `${new Date(entry.time).toISOString().slice(11, 19)} ${(LEVELS[entry.level] ?? "").padEnd(5)} ${entry.msg ?? ""}`;
  const error = entry.err ? `\n${entry.err.stack ?? entry.err.message ?? ""}` : "";
  return `${[head, ...fields].join(" ")}${error}\n`;
}

/** The program's log: JSON lines on stdout, or lines for people on stderr so that stdout stays free for what was asked. Bearer tokens and signatures never enter it. */
export function createLog(config: Pick<Config, "logLevel" | "logFormat">): Log {
  const people: DestinationStream = { write: (line) => void process.stderr.write(pretty(line)) };
  const options = {
    level: config.logLevel,
    redact: ["req.headers.authorization", "headers.authorization", "authorization", "token"],
  };
  return config.logFormat === "json" ? pino(options, pino.destination({ dest: 1, sync: true })) : pino(options, people);
}
