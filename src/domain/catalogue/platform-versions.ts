/**
 * Platform versions: builds of EKS's control plane for one minor version. AWS rolls them out by itself; the user guide lists when each came. What has
 * come since the list ends is not known, so that from then on one comes every three weeks, as has been the pace.
 */
import { clusterVersion, dayMs } from "./versions.js";

interface Release {
  platformVersion: string;
  /** Epoch milliseconds. */
  releasedAtMs: number;
}

/** version, then platform version and day of release, newest first. The newest is also the version's own in the release calendar. */
const HISTORY_ROWS = `
1.36 eks.8@2026-08-01
1.35 eks.9@2026-04-03 eks.8@2026-03-18 eks.5@2026-03-05 eks.4@2026-02-24 eks.3@2026-01-27
1.34 eks.19@2026-04-03 eks.18@2026-03-18 eks.15@2026-03-05 eks.13@2026-01-28 eks.10@2025-12-19 eks.4@2025-10-02
1.33 eks.33@2026-04-03 eks.32@2026-03-18 eks.29@2026-03-05 eks.24@2025-12-19 eks.6@2025-06-26 eks.4@2025-05-28
1.32 eks.40@2026-04-03 eks.36@2026-03-05 eks.31@2025-12-19 eks.2@2025-01-23
1.31 eks.56@2026-04-03 eks.52@2026-03-05 eks.46@2025-11-18 eks.29@2025-06-26 eks.4@2024-09-26
1.30 eks.64@2026-04-03 eks.60@2026-03-05 eks.37@2025-06-26 eks.2@2024-05-23
1.29 eks.61@2026-03-05
1.28 eks.63@2025-11-18
`;

/** From here on platform versions are made up. */
const KNOWN_UNTIL_MS = Date.UTC(2026, 11, 1);
const CADENCE_MS = 21 * 86_400_000;

const histories = new Map<string, Release[]>();

function historyOf(version: string): readonly Release[] {
  if (histories.size === 0) {
    for (const row of HISTORY_ROWS.trim().split("\n")) {
      const [name = "", ...entries] = row.split(" ");
      const releases = entries.map((entry) => {
        const [platformVersion = "", day = ""] = entry.split("@");
        return { platformVersion, releasedAtMs: dayMs(day) };
      });
      histories.set(name, releases);
    }
  }
  return histories.get(version) ?? [];
}

/** Number in `eks.19`. */
export const platformNumber = (platformVersion: string): number => Number(platformVersion.replace(/^\D+/, ""));

/**
 * The newest platform version of a minor version at a time, and when it came. Before the first known one that one; no new ones come once extended support
 * has ended. Undefined for versions that EKS does not know.
 */
export function platformVersionAt(version: string, nowMs: number): Release | undefined {
  const known = historyOf(version);
  const entry = clusterVersion(version);
  const newest = known[0];
  if (!newest || !entry) return undefined;
  const lastMs = Math.min(nowMs, dayMs(entry.endOfExtendedSupportDate));
  const since = Math.floor((lastMs - KNOWN_UNTIL_MS) / CADENCE_MS);
  if (since >= 1) {
    return {
      platformVersion: `eks.${platformNumber(newest.platformVersion) + since}`,
      releasedAtMs: KNOWN_UNTIL_MS + since * CADENCE_MS,
    };
  }
  return known.find(({ releasedAtMs }) => releasedAtMs <= nowMs) ?? known.at(-1);
}

/** When the next platform version of a minor version comes; undefined when none does. */
export function nextPlatformVersionMs(version: string, nowMs: number): number | undefined {
  const entry = clusterVersion(version);
  if (!entry) return undefined;
  const listed = historyOf(version).findLast(({ releasedAtMs }) => releasedAtMs > nowMs);
  if (listed) return listed.releasedAtMs;
  const since = Math.max(0, Math.floor((nowMs - KNOWN_UNTIL_MS) / CADENCE_MS));
  const nextMs = KNOWN_UNTIL_MS + (since + 1) * CADENCE_MS;
  return nextMs <= dayMs(entry.endOfExtendedSupportDate) ? nextMs : undefined;
}
