import type { ClockSpec } from "./clock/create-clock.js";

/** How eksim runs: made once at the start from flags and environment, frozen, and handed down. */
export interface Config {
  /** Port of the AWS endpoint; 0 picks a free one. */
  readonly port: number;
  readonly host: string;
  /** Ports for the API servers of clusters, both included; absent: any of 20000 to 29999. */
  readonly endpointPorts?: { readonly first: number; readonly last: number };
  /** Directory of the state file; `:memory:` keeps nothing. */
  readonly dataDir: string;
  readonly backend: "embedded" | "kind";
  readonly clock: ClockSpec;
  /** Start of a stepped or scaled clock, epoch ms; the machine's time when absent. */
  readonly clockStartMs?: number;
  /** Durations of what AWS does: `instant` = none beyond the real work, `aws` = typical ones. */
  readonly profile: "instant" | "aws";
  readonly seed: number;
  /** Refuse access keys, users and roles that nobody made, and subnets whose ids cannot be any, with AWS's own words. */
  readonly strict: boolean;
  /** Refuse version updates that insights speak against, unless forced. */
  readonly enforceInsights: boolean;
  readonly verifySignatures: boolean;
  /** Put into pods that have an IAM role, as AWS_ENDPOINT_URL; their SDKs go to AWS without it. */
  readonly podEndpointUrl?: string;
  /** Port of the token webhook for API servers outside; 0 picks a free one. Absent: there is none. */
  readonly tokenWebhookPort?: number;
  readonly kind: KindConfig;
  /** Secrets by access key that signatures are checked with. */
  readonly credentials: ReadonlyMap<string, string>;
  readonly logLevel: LogLevel;
  readonly logFormat: "pretty" | "json";
}

/** Of the backend kind. */
export interface KindConfig {
  /** Node images by minor version, where they are not the usual ones. */
  readonly nodeImages: ReadonlyMap<string, string>;
  /** How many clusters are made, adopted or deleted at once. */
  readonly parallel: number;
  readonly provider: "docker" | "podman" | "nerdctl";
  /** All that docker and kind see of the environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What docker, kind and their like go by. KUBECONFIG is not among them: the user's own is never written to. */
const TOOL_VARIABLES =
  /^(PATH|HOME|USER|LANG|TMPDIR|XDG_(RUNTIME_DIR|CONFIG_HOME|DATA_HOME)|DOCKER_\w+|CONTAINER_HOST|CONTAINERS?D?_\w+|NERDCTL_\w+|KIND_EXPERIMENTAL_\w+|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy)$/;

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Wrong use of the program: one line that says what to do, and exit code 2. */
export class UsageError extends Error {
  readonly exitCode = 2;
}

interface Option {
  /** Long flag without dashes; its environment variable is EKSIM_ and the upper-cased name. */
  flag: string;
  /** Placeholder of the value in help; absent for switches. */
  value?: string;
  fallback: string;
  help: string;
}

/** Every option with its default: the one table that flags, environment and help are made from. */
export const OPTIONS = [
  { flag: "port", value: "number", fallback: "4566", help: "port of the AWS endpoint; 0 picks a free one" },
  { flag: "host", value: "address", fallback: "127.0.0.1", help: "address to listen on" },
  {
    flag: "endpoint-ports",
    value: "first-last",
    fallback: "",
    help: "ports for the API servers of clusters; default: 20000-29999, or others where those are taken",
  },
  { flag: "data-dir", value: "path", fallback: ".eksim", help: "directory of the state file; :memory: keeps nothing" },
  { flag: "backend", value: "name", fallback: "embedded", help: "where Kubernetes comes from: embedded or kind" },
  {
    flag: "clock",
    value: "kind",
    fallback: "real",
    help: "real, scaled:<n> (n seconds a second) or stepped (moves when told)",
  },
  {
    flag: "clock-start",
    value: "time",
    fallback: "",
    help: "where a scaled or stepped clock starts, RFC 3339; default: now",
  },
  { flag: "profile", value: "name", fallback: "instant", help: "durations of AWS's own work: instant or aws" },
  { flag: "seed", value: "number", fallback: "1", help: "seed of every random choice" },
  { flag: "strict", fallback: "false", help: "refuse access keys, users and roles that nobody made" },
  {
    flag: "enforce-insights",
    fallback: "false",
    help: "refuse version updates that upgrade insights speak against, unless forced",
  },
  { flag: "verify-signatures", fallback: "false", help: "check the SigV4 signature of every AWS call and EKS token" },
  {
    flag: "pod-endpoint-url",
    value: "url",
    fallback: "",
    help: "AWS_ENDPOINT_URL of pods with an IAM role; EKS sets none",
  },
  {
    flag: "token-webhook-port",
    value: "number",
    fallback: "",
    help: "serve TokenReviews to API servers outside, such as kind's, on this port; default: not at all",
  },
  {
    flag: "kind-node-image",
    value: "version=image",
    fallback: "",
    help: "node images of --backend kind by Kubernetes version, separated by commas; default: kindest/node",
  },
  {
    flag: "kind-parallel",
    value: "number",
    fallback: "2",
    help: "how many clusters --backend kind makes, adopts or deletes at once",
  },
  { flag: "log-level", value: "level", fallback: "info", help: LOG_LEVELS.join(", ") },
  {
    flag: "log-format",
    value: "format",
    fallback: "pretty",
    help: "pretty, or json (one JSON object a line on stdout)",
  },
] as const satisfies readonly Option[];

export type OptionName = (typeof OPTIONS)[number]["flag"];

/** `data-dir` -> `EKSIM_DATA_DIR`. */
export const environmentName = (flag: string): string => `EKSIM_${flag.toUpperCase().replaceAll("-", "_")}`;

/**
 * Makes the configuration. Flags win over the environment, the environment over defaults. Throws UsageError naming the option, the bad value and
 * what is allowed.
 */
export function readConfig(
  flags: Partial<Record<OptionName, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const text = (flag: OptionName): string => {
    const option = OPTIONS.find((candidate) => candidate.flag === flag) as Option;
    // An empty variable counts as unset, as shells and compose files leave them.
    return flags[flag] ?? (environment[environmentName(flag)] || option.fallback);
  };
  const fail = (flag: OptionName, allowed: string): never => {
    throw new UsageError(
      `--${flag} (${environmentName(flag)}): ${JSON.stringify(text(flag))} is not valid; give ${allowed}`,
    );
  };
  const portRange = (flag: OptionName): { first: number; last: number } => {
    const [first = 0, last = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text(flag)) ?? []).slice(1).map(Number);
    if (first < 1 || last > 65_535 || first > last) fail(flag, "two ports such as 20000-20019");
    return { first, last };
  };
  const integer = (flag: OptionName, min: number, max: number): number => {
    const value = Number(text(flag));
    if (!/^\d+$/.test(text(flag)) || value < min || value > max) fail(flag, `a whole number from ${min} to ${max}`);
    return value;
  };
  const oneOf = <T extends string>(flag: OptionName, allowed: readonly T[]): T =>
    allowed.find((candidate) => candidate === text(flag)) ?? fail(flag, allowed.join(" or "));
  const toggle = (flag: OptionName): boolean => {
    if (["true", "1"].includes(text(flag))) return true;
    return ["false", "0"].includes(text(flag)) ? false : fail(flag, "true or false");
  };
  const clock = (): ClockSpec => {
    const spec = text("clock");
    if (spec === "real" || spec === "stepped") return { kind: spec };
    const factor = Number(/^scaled:(\d+(?:\.\d+)?)$/.exec(spec)?.[1] ?? Number.NaN);
    return factor > 0 && factor <= 100_000
      ? { kind: "scaled", factor }
      : fail("clock", "real, scaled:<n> with n up to 100000, or stepped");
  };
  const nodeImages = (): Map<string, string> => {
    const images = new Map<string, string>();
    for (const pair of text("kind-node-image").split(",").filter(Boolean)) {
      const [, version, image] = /^\s*(\d+\.\d+)=([^\s,]+)\s*$/.exec(pair) ?? [];
      if (version === undefined || image === undefined)
        return fail("kind-node-image", "version=image pairs such as 1.36=kindest/node:v1.36.2, separated by commas");
      images.set(version, image);
    }
    return images;
  };
  const startMs = text("clock-start") === "" ? undefined : Date.parse(text("clock-start"));
  if (Number.isNaN(startMs)) fail("clock-start", "a time such as 2026-11-22T10:00:00Z");
  if (startMs !== undefined && clock().kind === "real")
    throw new UsageError("--clock-start goes with --clock scaled:<n> or stepped, not with a real clock");
  if (text("host") === "") fail("host", "an address such as 127.0.0.1");
  if (text("data-dir") === "") fail("data-dir", "a directory");
  const podEndpointUrl = text("pod-endpoint-url");
  if (podEndpointUrl !== "" && !/^https?:\/\/[^/\s]+\S*$/.test(podEndpointUrl))
    fail("pod-endpoint-url", "a URL such as http://host.docker.internal:4566");
  return Object.freeze({
    port: integer("port", 0, 65_535),
    host: text("host"),
    ...(text("endpoint-ports") === "" ? {} : { endpointPorts: portRange("endpoint-ports") }),
    dataDir: text("data-dir"),
    backend: oneOf("backend", ["embedded", "kind"]),
    clock: clock(),
    ...(startMs === undefined ? {} : { clockStartMs: startMs }),
    profile: oneOf("profile", ["instant", "aws"]),
    seed: integer("seed", 0, 4_294_967_295),
    strict: toggle("strict"),
    enforceInsights: toggle("enforce-insights"),
    verifySignatures: toggle("verify-signatures"),
    ...(podEndpointUrl === "" ? {} : { podEndpointUrl }),
    ...(text("token-webhook-port") === "" ? {} : { tokenWebhookPort: integer("token-webhook-port", 0, 65_535) }),
    kind: {
      nodeImages: nodeImages(),
      parallel: integer("kind-parallel", 1, 64),
      provider: readProvider(environment.KIND_EXPERIMENTAL_PROVIDER),
      environment: toolEnvironment(environment),
    },
    credentials: readCredentials(environment.EKSIM_CREDENTIALS),
    logLevel: oneOf("log-level", LOG_LEVELS),
    logFormat: oneOf("log-format", ["pretty", "json"]),
  });
}

/** What docker, kind and their like see of an environment: nothing of it is a setting of eksim's own. */
export const toolEnvironment = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && TOOL_VARIABLES.test(entry[0]),
    ),
  );

/** kind's own switch, which kind reads as well. */
function readProvider(text: string | undefined): KindConfig["provider"] {
  if (text === undefined || text === "") return "docker";
  if (text === "docker" || text === "podman" || text === "nerdctl") return text;
  throw new UsageError(
    `KIND_EXPERIMENTAL_PROVIDER: ${JSON.stringify(text)} is not valid; give docker, podman or nerdctl`,
  );
}

/** `EKSIM_CREDENTIALS=key:secret,key:secret`; `test:test` is always known. Not a flag, because other users can read a process's arguments. */
function readCredentials(text: string | undefined): ReadonlyMap<string, string> {
  const credentials = new Map([["test", "test"]]);
  for (const pair of (text ?? "").split(",").filter(Boolean)) {
    const colon = pair.indexOf(":");
    if (colon <= 0 || colon === pair.length - 1)
      throw new UsageError("EKSIM_CREDENTIALS: give access-key:secret pairs, separated by commas");
    credentials.set(pair.slice(0, colon).trim(), pair.slice(colon + 1).trim());
  }
  return credentials;
}

/** The process's environment: read here and nowhere else. */
export const processEnvironment = (): Readonly<Record<string, string | undefined>> => process.env;
