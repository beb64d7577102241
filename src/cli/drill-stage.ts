/** Where `eksim drill` plays: in the emulator that is named, or in one that is made for the drill and ended after it. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { UsageError } from "../config.js";
import { BACKEND_TAG, type Drill } from "../faults/drills/drill.js";
import type { DrillTarget } from "../faults/drills/target.js";
import { startEksim } from "../testkit/index.js";
import { targetOf } from "./client.js";
import { remoteTarget } from "./drill-target.js";

export interface StageOptions {
  endpoint?: string;
  region?: string;
  seed?: string;
  backend?: string;
  speed?: string;
}

/** Where the stepped and scaled clocks of drills start unless they say otherwise: the same log every time. */
const CLOCK_START = "2026-10-01T00:00:00Z";

export async function onStage<T>(
  drill: Drill,
  options: StageOptions,
  work: (target: DrillTarget) => Promise<T>,
): Promise<T> {
  if (options.endpoint === undefined) return inOwnEmulator(drill, options, work);
  if (options.seed !== undefined || options.backend !== undefined || options.speed !== undefined)
    throw new UsageError("--seed, --backend and --speed are those of the emulator at --endpoint; leave them out here");
  return whileRunning(async () => work(await remoteTarget(targetOf(options))));
}

async function inOwnEmulator<T>(
  drill: Drill,
  options: StageOptions,
  work: (target: DrillTarget) => Promise<T>,
): Promise<T> {
  const { clock, profile, clockStart = CLOCK_START, region } = drill.options;
  const backend = backendOf(options.backend) ?? drill.options.backend ?? "embedded";
  const usesKind = backend === "kind" || drill.clusters.some(({ input }) => tagsOf(input)[BACKEND_TAG] === "kind");
  const ownClock = speedOf(options.speed) ?? (usesKind && clock === "stepped" ? "real" : clock);
  const seed = options.seed === undefined ? (drill.seed ?? 1) : seedOf(options.seed);
  // What kind makes outlives the process: its files must not go with it.
  const dataDir = usesKind ? mkdtempSync(join(tmpdir(), "eksim-drill-")) : undefined;
  try {
    const eksim = await startEksim({
      clock: ownClock,
      // Real machines have stamps of their own, which are to go with the emulator's.
      ...(ownClock === "real" || usesKind ? {} : { clockStart }),
      profile,
      backend,
      seed,
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(options.region || region ? { region: options.region ?? region ?? "" } : {}),
    });
    try {
      return await work(await eksim.drillTarget({ isPrivate: !usesKind }));
    } finally {
      await eksim.stop();
    }
  } finally {
    if (dataDir !== undefined) forget(dataDir);
  }
}

const tagsOf = ({ tags }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  (tags ?? {}) as Record<string, unknown>;

/** Removes the directory of an emulator that has nothing left outside of it, and says what to do where it has. */
function forget(dataDir: string): void {
  const files = join(dataDir, "kind");
  const clusters = existsSync(files) ? readdirSync(files).filter((name) => name !== "owner") : [];
  if (clusters.length === 0) rmSync(dataDir, { recursive: true, force: true });
  else
    console.error(
      `Containers of the drill are left. Take them over with: eksim start --data-dir ${dataDir} (then delete the cluster, or run eksim gc)`,
    );
}

/** Waiting timers alone do not keep a process, and between two looks at an emulator elsewhere there is nothing else. */
async function whileRunning<T>(work: () => Promise<T>): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", () => {});
  try {
    return await work();
  } finally {
    port1.close();
    port2.close();
  }
}

function backendOf(text: string | undefined): "embedded" | "kind" | undefined {
  if (text === undefined || text === "embedded" || text === "kind") return text;
  throw new UsageError(`--backend: ${JSON.stringify(text)} is not valid; give embedded or kind`);
}

/** The clock that runs so fast. */
function speedOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text) === 1 ? "real" : `scaled:${text}`;
  throw new UsageError(`--speed: ${JSON.stringify(text)} is not valid; give simulated seconds a second, such as 6`);
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 4_294_967_295) return seed;
  throw new UsageError(`--seed: ${JSON.stringify(text)} is not valid; give a whole number from 0 to 4294967295`);
}
