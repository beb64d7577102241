/** The programs that this backend needs: which versions there are, which are needed, and what to do about it. */
import { BackendError } from "../backend.js";
import type { Provider } from "./engine.js";
import type { Runner, RunResult } from "./runner.js";

export interface ToolVersions {
  engine: string;
  /** 1 or 2: which cgroups the engine's machine has. */
  cgroups: number;
  kind: string;
  /** Absent: not installed. eksim itself does without. */
  kubectl?: string;
}

/** Oldest versions that are known to do. Docker 20.10 could not start nodes on machines with a reduced set of capabilities. */
const NEEDED = { docker: "24.0", podman: "4.4", nerdctl: "1.7", kind: "0.27" } as const;

const INSTALL: Readonly<Record<Provider | "kind", string>> = {
  docker: "install Docker Engine (https://docs.docker.com/engine/install) and start it: systemctl start docker",
  podman: "install Podman: https://podman.io/docs/installation",
  nerdctl: "install nerdctl: https://github.com/containerd/nerdctl/releases",
  kind: "install kind: go install sigs.k8s.io/kind@latest, or brew install kind",
};

/** Reads the versions. Rejects with BackendError in words that say what was found, what is needed, and which command helps. */
export async function checkTools(runner: Runner, provider: Provider): Promise<ToolVersions> {
  const [engine, kind, kubectl] = await Promise.all([
    engineVersion(runner, provider),
    kindVersion(runner),
    kubectlVersion(runner),
  ]);
  demand(provider, engine.version, NEEDED[provider]);
  demand("kind", kind, NEEDED.kind);
  return { engine: engine.version, cgroups: engine.cgroups, kind, ...(kubectl ? { kubectl } : {}) };
}

function demand(tool: Provider | "kind", found: string, needed: string): void {
  if (compareVersions(found, needed) >= 0) return;
  throw new BackendError(
    "failed",
    `${tool} ${found} is too old: --backend kind needs ${needed} or newer; ${INSTALL[tool]}`,
  );
}

/** What each engine is asked for its version, its cgroups and whether it is root's. nerdctl's `info` has the version of containerd. */
const ASKED: Readonly<Record<Provider, readonly string[]>> = {
  docker: ["info", "--format", "{{.ServerVersion}} cgroup {{.CgroupVersion}} {{.SecurityOptions}}"],
  podman: [
    "info",
    "--format",
    "{{.Version.Version}} cgroup {{.Host.CgroupsVersion}} rootless={{.Host.Security.Rootless}}",
  ],
  nerdctl: ["info", "--format", "cgroup {{.CgroupVersion}} {{.SecurityOptions}}"],
};

/** The engine's own version, not that of the command: it has to answer. */
async function engineVersion(runner: Runner, provider: Provider): Promise<{ version: string; cgroups: number }> {
  const ask = (args: readonly string[]): Promise<RunResult> =>
    installed(provider, () => runner.run(provider, args, { anyExitCode: true, timeoutMs: 20_000 }));
  const { stdout, stderr, exitCode } = await ask(ASKED[provider]);
  // `docker info` prints what it knows of itself and leaves the server's version empty when no server answers.
  const version = firstVersion(provider === "nerdctl" ? (await ask(["--version"])).stdout : stdout);
  if (exitCode !== 0 || version === undefined) {
    const why = stderr.trim().split("\n").at(-1) ?? "";
    throw new BackendError(
      "failed",
      `${provider} does not answer${why ? ` (${why})` : ""}; --backend kind needs ${provider} ${NEEDED[provider]} or newer: ${INSTALL[provider]}`,
    );
  }
  if (/\brootless\b(?!=false)/.test(stdout))
    throw new BackendError(
      "failed",
      `${provider} runs rootless, and the networks of its containers are not this machine's: API servers would not reach the token webhook. --backend kind needs ${provider} as root: ${AS_ROOT[provider]}`,
    );
  return { version, cgroups: /cgroup v?1/.test(stdout) ? 1 : 2 };
}

const AS_ROOT: Readonly<Record<Provider, string>> = {
  docker: "docker context use default",
  podman: "sudo eksim start, or podman machine set --rootful",
  nerdctl: "sudo eksim start",
};

async function kindVersion(runner: Runner): Promise<string> {
  const { stdout } = await installed("kind", () => runner.run("kind", ["version", "--quiet"], { timeoutMs: 20_000 }));
  const version = firstVersion(stdout);
  if (version !== undefined) return version;
  throw new BackendError("failed", `kind did not say its version but ${JSON.stringify(stdout)}; ${INSTALL.kind}`);
}

async function kubectlVersion(runner: Runner): Promise<string | undefined> {
  try {
    const { stdout } = await runner.run("kubectl", ["version", "--client"], { timeoutMs: 20_000 });
    return firstVersion(stdout);
  } catch (error) {
    if (error instanceof BackendError) return undefined;
    throw error;
  }
}

async function installed<T>(tool: Provider | "kind", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    throw new BackendError(
      "failed",
      `${error.message}; --backend kind needs ${tool} ${NEEDED[tool]} or newer: ${INSTALL[tool]}`,
      { cause: error },
    );
  }
}

const firstVersion = (text: string): string | undefined => /\d+\.\d+(\.\d+)?/.exec(text)?.[0];

/** By numbers; parts that are missing count as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
