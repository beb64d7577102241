/** EKSIM_FAULTS says how many random faults there are (more take proportionally longer), EKSIM_FAULTS_SEED which. */
import { rmSync } from "node:fs";
import { afterAll, it } from "vitest";
import { temporaryDataDir } from "../reconcile/drill.js";
import { runRandomFaults } from "./random-run.js";

const COUNT = Number(process.env.EKSIM_FAULTS ?? 40);
const SEED = Number(process.env.EKSIM_FAULTS_SEED ?? 1);
/** Faults between two looks at whether all is well. */
const ROUND = 100;

const dataDir = temporaryDataDir();
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

it("random faults leave nothing broken once all have ended", { timeout: Math.max(600_000, COUNT * 1000) }, () =>
  runRandomFaults({ count: COUNT, seed: SEED, dataDir, round: ROUND }),
);
