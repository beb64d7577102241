/**
 * What EKS does to a cluster without being asked: new platform versions, and the next minor version once support of the present one ends. Sources: the
 * user guide on platform versions (rolled out gradually, no downtime) and on the version life cycle (upgradePolicy; the control plane alone moves).
 */
import {
  clusterVersion,
  dayMs,
  minorOf,
  nextPlatformVersionMs,
  platformNumber,
  platformVersionAt,
} from "../catalogue/index.js";
import type { ClusterRecord } from "../model.js";

/** Why a cluster is upgraded by itself; kept in the plan of the update. */
export type SupportEnd = "end of standard support" | "end of extended support";

export type Patch =
  | { kind: "platform-version"; platformVersion: string }
  | { kind: "upgrade"; version: string; platformVersion: string; why: SupportEnd };

export interface PatchingDecision {
  due?: Patch;
  /** When the calendar has to be looked at again; never in the past. */
  nextCheckMs?: number;
}

const DAY_MS = 86_400_000;
/** Roll-outs are spread over the clusters: each gets its turn within this time. EKS names no figures. */
const ROLL_OUT_MS = { platformVersion: 10 * DAY_MS, upgrade: 3 * DAY_MS };

/** `delayMs` draws the cluster's turn within a roll-out: the same for the same name. Only for clusters that are at rest. */
export function decidePatching(
  cluster: Pick<ClusterRecord, "version" | "platformVersion" | "upgradePolicy" | "createdAtMs">,
  options: { nowMs: number; delayMs: (name: string, withinMs: number) => number },
): PatchingDecision {
  const { nowMs } = options;
  const upgrade = upgradeOf(cluster, options);
  if (upgrade && upgrade.atMs <= nowMs) return { due: upgrade.patch };
  const platform = platformOf(cluster, options);
  if (platform && platform.atMs <= nowMs) return { due: platform.patch };
  const checks = [upgrade?.atMs, platform?.atMs, nextPlatformVersionMs(cluster.version, nowMs)].filter(
    (atMs) => atMs !== undefined,
  );
  return checks.length > 0 ? { nextCheckMs: Math.min(...checks) } : {};
}

type Turn = { patch: Patch; atMs: number } | undefined;
type Options = Parameters<typeof decidePatching>[1];

/** The policy STANDARD leaves a version when its standard support ends, EXTENDED when its extended support does. */
function upgradeOf(cluster: Parameters<typeof decidePatching>[0], { delayMs }: Options): Turn {
  const present = clusterVersion(cluster.version);
  const next = clusterVersion(`1.${minorOf(cluster.version) + 1}`);
  if (!present || !next) return undefined;
  const [why, day]: [SupportEnd, string] =
    cluster.upgradePolicy.supportType === "STANDARD"
      ? ["end of standard support", present.endOfStandardSupportDate]
      : ["end of extended support", present.endOfExtendedSupportDate];
  // A cluster that was created after the last day is left alone for a moment too.
  const atMs =
    Math.max(dayMs(day), cluster.createdAtMs) + delayMs(`upgrade from ${cluster.version}`, ROLL_OUT_MS.upgrade);
  const platformVersion = platformVersionAt(next.version, atMs)?.platformVersion ?? next.platformVersion;
  return { patch: { kind: "upgrade", version: next.version, platformVersion, why }, atMs };
}

function platformOf(cluster: Parameters<typeof decidePatching>[0], { nowMs, delayMs }: Options): Turn {
  const newest = platformVersionAt(cluster.version, nowMs);
  if (!newest || platformNumber(newest.platformVersion) <= platformNumber(cluster.platformVersion)) return undefined;
  const { platformVersion, releasedAtMs } = newest;
  return {
    patch: { kind: "platform-version", platformVersion },
    atMs: releasedAtMs + delayMs(`platform version ${cluster.version} ${platformVersion}`, ROLL_OUT_MS.platformVersion),
  };
}
