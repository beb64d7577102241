/** What would keep an emulator from starting, found out before anything is written. */
import { createServer } from "node:net";
import { BackendError } from "../backends/backend.js";
import { FASTEST as FASTEST_KIND } from "../backends/kind/pace.js";
import { createClock } from "../clock/create-clock.js";
import { type Config, UsageError } from "../config.js";
import type { Log } from "../log.js";
import { IN_MEMORY } from "./saved-time.js";

/** Why there can be no cluster of kind in this run; undefined when there can. */
export function kindRefusal({ dataDir, clock }: Config): string | undefined {
  if (dataDir === IN_MEMORY) return "containers outlive this process, so it needs a --data-dir that does too";
  if (clock.kind === "stepped")
    return "real containers keep real time, and the clock is stepped; leave out --clock, or give scaled:<n>";
  if (clock.kind === "scaled" && clock.factor > FASTEST_KIND)
    return `real containers keep up with a clock of scaled:${FASTEST_KIND} at most, and this one is scaled:${clock.factor}`;
  return undefined;
}

/** Finds out before anything is written whether kind clusters can be made. */
export async function checkKindTools({ kind }: Config, log: Log): Promise<void> {
  const [{ createRunner }, { checkTools }] = await Promise.all([
    import("../backends/kind/runner.js"),
    import("../backends/kind/tools.js"),
  ]);
  const clock = createClock({ kind: "real" }, { seed: 1 });
  try {
    const runner = createRunner({ clock, log, environment: kind.environment });
    log.info({ ...(await checkTools(runner, kind.provider)) }, "kind clusters are made with these versions");
  } catch (error) {
    throw error instanceof BackendError ? new UsageError(error.message, { cause: error }) : error;
  } finally {
    clock.stop();
  }
}

/** Errors of listen() that are the user's to solve. */
const LISTEN_REFUSALS: Record<string, (config: Config) => string> = {
  EADDRINUSE: ({ port }) =>
    `port ${port} is in use; end what listens there, or choose another with --port (0 picks a free one)`,
  EACCES: ({ port }) => `port ${port} may not be opened by this user; choose one above 1023 with --port`,
  EADDRNOTAVAIL: ({ host }) => `${host} is not an address of this machine; choose one with --host`,
  ENOTFOUND: ({ host }) => `${host} cannot be resolved; give an address with --host`,
};

/** What the user is told of an error of listen(); others stay as they are. */
export function listenRefusal(error: unknown, config: Config): unknown {
  const refusal = LISTEN_REFUSALS[(error as NodeJS.ErrnoException).code ?? ""];
  return refusal ? new UsageError(refusal(config), { cause: error }) : error;
}

/** Finds out before anything is written whether the address can be had. */
export async function checkAddress(config: Config): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ port: config.port, host: config.host }, resolve);
    });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  } catch (error) {
    throw listenRefusal(error, config);
  }
}
