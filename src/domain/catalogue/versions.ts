/**
 * Kubernetes versions as EKS offers them: release calendar and platform versions of the user guide, node AMI releases of the EKS AMI's change log
 * (as of September 2026). Whether a version is in standard support follows from its dates and the present time; nothing here says "now".
 */
import { stableHex } from "../stable-hex.js";

export interface ClusterVersion {
  /** Minor version such as `1.36`. */
  version: string;
  /** Days, `YYYY-MM-DD`; the API answers 00:00:00 UTC of them. */
  releaseDate: string;
  endOfStandardSupportDate: string;
  endOfExtendedSupportDate: string;
  /** Platform version that new clusters get. */
  platformVersion: string;
  /** Patch version of the API server. */
  kubernetesPatchVersion: string;
  /** The version of clusters created without one. */
  isDefault: boolean;
}

export type SupportStatus = "STANDARD_SUPPORT" | "EXTENDED_SUPPORT" | "UNSUPPORTED";

/** version, release, end of standard support, end of extended support, platform version, API server's patch version; newest first. */
const VERSION_ROWS = `
1.36 2026-06-02 2027-08-02 2028-08-02 eks.8 1.36.1
1.35 2026-01-27 2027-03-27 2028-03-27 eks.9 1.35.2
1.34 2025-10-02 2026-12-02 2027-12-02 eks.19 1.34.4
1.33 2025-05-29 2026-07-29 2027-07-29 eks.33 1.33.8
1.32 2025-01-23 2026-03-23 2027-03-23 eks.40 1.32.12
1.31 2024-09-26 2025-11-26 2026-11-26 eks.56 1.31.14
1.30 2024-05-23 2025-07-23 2026-07-23 eks.64 1.30.14
1.29 2024-01-23 2025-03-23 2026-03-23 eks.61 1.29.15
1.28 2023-09-26 2024-11-26 2025-11-26 eks.63 1.28.15
`;

/** Date of a node AMI release, newest first, and the kubelet patch versions it came with. */
const NODE_RELEASE_ROWS = `
20260714 1.30.14 1.31.14 1.32.13 1.33.13 1.34.9 1.35.6 1.36.2
20260625 1.30.14 1.31.14 1.32.13 1.33.13 1.34.9 1.35.6 1.36.2
20260618 1.30.14 1.31.14 1.32.13 1.33.13 1.34.9 1.35.6 1.36.2
20260610 1.30.14 1.31.14 1.32.13 1.33.12 1.34.8 1.35.5 1.36.1
20260505 1.30.14 1.31.14 1.32.13 1.33.11 1.34.7 1.35.4
20260423 1.30.14 1.31.14 1.32.13 1.33.11 1.34.7 1.35.4
20260415 1.30.14 1.31.14 1.32.13 1.33.10 1.34.6 1.35.3
20260409 1.30.14 1.31.14 1.32.13 1.33.10 1.34.6 1.35.3
`;

export const DEFAULT_VERSION = "1.36";

/** The version of clusters created without one. */
export const defaultVersion = (): string => DEFAULT_VERSION;

const DAY_MS = 86_400_000;
/** Creating a cluster of a version stays possible for a while after its last day: seen 64 days after the end of 1.30, not 186 days after that of 1.29. */
const CREATION_GRACE_MS = 90 * DAY_MS;

/** Build suffixes seen on EKS; any other is made up, but the same each time. */
const SERVER_SUFFIXES: Readonly<Record<string, string>> = { "1.36.1": "0247562" };
const KUBELET_SUFFIXES: Readonly<Record<string, string>> = { "1.36.1": "0de9cde" };

const versions: ClusterVersion[] = [];
const releases: { date: string; patch: string; minor: string }[] = [];

/** Every version that EKS ever told the dates of here, newest first. */
export function clusterVersions(): readonly ClusterVersion[] {
  if (versions.length > 0) return versions;
  for (const row of VERSION_ROWS.trim().split("\n")) {
    const [version = "", release = "", standard = "", extended = "", platform = "", patch = ""] = row.split(" ");
    versions.push({
      version,
      releaseDate: release,
      endOfStandardSupportDate: standard,
      endOfExtendedSupportDate: extended,
      platformVersion: platform,
      kubernetesPatchVersion: patch,
      isDefault: version === DEFAULT_VERSION,
    });
  }
  return versions;
}

export const clusterVersion = (version: string): ClusterVersion | undefined =>
  clusterVersions().find((entry) => entry.version === version);

/** `YYYY-MM-DD` -> epoch milliseconds at 00:00:00 UTC. */
export const dayMs = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** By the release calendar: each support ends at the beginning of its last day. */
export function supportStatus(version: ClusterVersion, nowMs: number): SupportStatus {
  if (nowMs < dayMs(version.endOfStandardSupportDate)) return "STANDARD_SUPPORT";
  return nowMs < dayMs(version.endOfExtendedSupportDate) ? "EXTENDED_SUPPORT" : "UNSUPPORTED";
}

/** Whether CreateCluster takes it: the cut-off lags the calendar, and the default version is always taken. */
export function isOffered(version: ClusterVersion, nowMs: number): boolean {
  return version.isDefault || nowMs < dayMs(version.endOfExtendedSupportDate) + CREATION_GRACE_MS;
}

/** `1.36` -> 36. */
export const minorOf = (version: string): number => Number(version.split(".")[1] ?? Number.NaN);

/** gitVersion that the API server of a cluster of this minor version reports, e.g. `v1.36.1-eks-0247562`. */
export function serverGitVersion(version: string): string {
  const patch = clusterVersion(version)?.kubernetesPatchVersion ?? `${version}.0`;
  return `v${patch}-eks-${SERVER_SUFFIXES[patch] ?? stableHex(`apiserver ${patch}`, 7)}`;
}

function nodeReleases(): readonly { date: string; patch: string; minor: string }[] {
  if (releases.length > 0) return releases;
  for (const row of NODE_RELEASE_ROWS.trim().split("\n")) {
    const [date = "", ...patches] = row.split(" ");
    for (const patch of patches) releases.push({ date, patch, minor: patch.split(".", 2).join(".") });
  }
  return releases;
}

const BOTTLEROCKET_VERSION = "1.55.0";

/**
 * Release versions of the EKS AMIs for a minor version and AMI type, newest first: `1.36.2-20260714` on Amazon Linux, `1.55.0-<8 hex>` on
 * Bottlerocket, `1.36-2026.07.14` on Windows. None for CUSTOM, whose release version is the AMI id.
 */
export function releaseVersions(version: string, amiType: string): readonly string[] {
  const ofMinor = nodeReleases().filter((release) => release.minor === version);
  if (amiType === "CUSTOM" || ofMinor.length === 0) return [];
  if (amiType.startsWith("BOTTLEROCKET")) return [`${BOTTLEROCKET_VERSION}-${stableHex(`bottlerocket ${version}`, 8)}`];
  if (amiType.startsWith("WINDOWS")) {
    return ofMinor.map(({ date }) => `${version}-${date.slice(0, 4)}.${date.slice(4, 6)}.${date.slice(6)}`);
  }
  return ofMinor.map(({ date, patch }) => `${patch}-${date}`);
}

/** Newest release version; undefined when EKS makes no AMIs for this version or type. */
export const latestReleaseVersion = (version: string, amiType: string): string | undefined =>
  releaseVersions(version, amiType)[0];

/** kubeletVersion of a node: `v<patch>-eks-<7 hex>`; the suffix is the same for all AMIs of one artifact build. */
export function kubeletVersion(version: string, releaseVersion: string): string {
  const named = /^(\d+\.\d+\.\d+)-\d{8}$/.exec(releaseVersion)?.[1];
  const patch = named ?? nodeReleases().find((release) => release.minor === version)?.patch ?? `${version}.0`;
  return `v${patch}-eks-${KUBELET_SUFFIXES[patch] ?? stableHex(`kubelet ${patch}`, 7)}`;
}
