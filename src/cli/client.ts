import type { Command } from "commander";
import { processEnvironment, UsageError } from "../config.js";

/** Which emulator, account and region a command is about. */
export interface Target {
  endpoint: string;
  accountId: string;
  region: string;
}

/** Options that every command has which talks to a running emulator. */
export function withTarget(command: Command): Command {
  return command
    .option("--endpoint <url>", "where eksim runs (default: AWS_ENDPOINT_URL, else http://127.0.0.1:4566)")
    .option("--region <region>", "AWS region (default: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1)");
}

/** The target from flags and the environment that AWS's own tools read; a zone's name says its region. */
export function targetOf(options: { endpoint?: string; region?: string }, zone?: string): Target {
  const environment = processEnvironment();
  const zoneRegion = /^([a-z]{2}(?:-[a-z]+)+-\d)[a-z]$/.exec(zone ?? "")?.[1];
  const accessKey = environment.AWS_ACCESS_KEY_ID ?? "";
  return {
    endpoint: (options.endpoint || environment.AWS_ENDPOINT_URL || "http://127.0.0.1:4566").replace(/\/+$/, ""),
    accountId: /^\d{12}$/.test(accessKey) ? accessKey : "000000000000",
    region: options.region || zoneRegion || environment.AWS_REGION || environment.AWS_DEFAULT_REGION || "us-east-1",
  };
}

/** Calls `/_eksim/<path>` and gives its JSON. A refusal, or an emulator that does not answer, becomes a UsageError that says what to do. */
export async function call<T>(
  target: Target,
  method: "GET" | "POST" | "DELETE",
  path: string,
  parameters: Record<string, string | number | undefined> = {},
  body?: unknown,
): Promise<T> {
  const url = new URL(`${target.endpoint}/_eksim/${path}`);
  url.searchParams.set("account", target.accountId);
  url.searchParams.set("region", target.region);
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, String(value));
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new UsageError(
      `no eksim answers at ${target.endpoint}; start one with \`npx eksim start\` or name it with --endpoint`,
      { cause: error },
    );
  }
  const text = await response.text();
  let answer: { message?: string };
  try {
    answer = JSON.parse(text) as { message?: string };
  } catch (error) {
    throw new UsageError(`${target.endpoint} answers, but not as eksim does; name the emulator with --endpoint`, {
      cause: error,
    });
  }
  if (!response.ok) throw new UsageError(answer.message ?? `eksim answered ${response.status}`);
  return answer as T;
}
