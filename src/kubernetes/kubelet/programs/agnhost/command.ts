import type { Work } from "../../machine/kernel.js";
import type { HttpRequest, HttpResponse } from "../../machine/network.js";
import type { ProgramContext } from "../../machine/program.js";
import { formatDate } from "../dates.js";

/** What agnhost's sub-commands share: flags as Go reads them, its log, plain answers, and servers that run until they are stopped. */

type Flags = ReadonlyMap<string, string>;

/** `--name=value` and `--name value`, and what is neither. */
export function parse(args: readonly string[], booleans: readonly string[] = []): { flags: Flags; rest: string[] } {
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [, name, value] = /^--?([\w-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) rest.push(arg);
    else if (value !== undefined || booleans.includes(name)) flags.set(name, value ?? "true");
    else flags.set(name, args[++i] ?? "");
  }
  return { flags, rest };
}

const stamp = (context: ProgramContext): string => formatDate(context.system.kernel.wallNow(), "%Y/%m/%d %H:%M:%S");
export const log = (context: ProgramContext, text: string): void => context.stderr.write(`${stamp(context)} ${text}\n`);

export const text = (body: string, status = 200): HttpResponse => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body,
});

export const query = (request: HttpRequest): { path: string; get: (name: string) => string } => {
  const url = new URL(request.path, "http://pod");
  const form = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded")
    ? new URLSearchParams(request.body)
    : undefined;
  return { path: url.pathname, get: (name) => url.searchParams.get(name) ?? form?.get(name) ?? "" };
};

/** A server that runs until it is stopped, or until `ends` says with which code. */
export function* serveUntil(context: ProgramContext, ends: () => number | undefined): Work<number> {
  const { process } = context;
  process.handlers.set("TERM", "handle");
  while (process.pending.length === 0) {
    const code = ends();
    if (code !== undefined) return code;
    yield { ready: () => process.pending.length > 0 || ends() !== undefined, interruptible: true };
  }
  return 0;
}
