/** Kubernetes and AMI release versions of node groups. */
import { clusterVersion, latestReleaseVersion, minorOf, releaseVersions } from "../catalogue/index.js";
import { stableHex } from "../stable-hex.js";
import { invalidParameter } from "./refusals.js";

/** Node groups may be created up to this many minors behind their cluster. */
const OLDEST_LAG = 3;

/** Throws when a node group of this version may not be created in the cluster. */
export function checkNodegroupVersion(version: string, clusterVersionNow: string): void {
  const newest = minorOf(clusterVersionNow);
  const supported = Array.from({ length: OLDEST_LAG + 1 }, (_, lag) => `1.${newest - lag}`);
  if (!supported.includes(version)) {
    throw invalidParameter(
      `Cluster Kubernetes version ${clusterVersionNow} supports the following Nodegroup Kubernetes versions: [${supported.join(", ")}]`,
    );
  }
}

/** The form that release versions of a kind of AMI have; more of them exist than any table here holds. */
function hasReleaseForm(release: string, version: string, amiType: string): boolean {
  const minor = version.replace(".", "\\.");
  if (amiType.startsWith("BOTTLEROCKET")) return /^\d+\.\d+\.\d+-[0-9a-f]{8}$/.test(release);
  if (amiType.startsWith("WINDOWS")) return new RegExp(`^${minor}-\\d{4}\\.\\d{2}\\.\\d{2}$`).test(release);
  return new RegExp(`^${minor}\\.\\d+-\\d{8}$`).test(release);
}

/**
 * The release version for a node group: the one asked for when it is one of this Kubernetes version, else the newest. A custom AMI's is its own id, which
 * only its launch template tells; `launchTemplate` is what that made-up id is derived from.
 */
export function chooseRelease(options: {
  version: string;
  amiType: string;
  asked?: string | undefined;
  launchTemplate?: string | undefined;
}): string {
  const { version, amiType, asked } = options;
  if (amiType === "CUSTOM") return `ami-${stableHex(`custom ami ${options.launchTemplate ?? ""}`, 17)}`;
  if (asked === undefined) {
    // Versions that EKS builds no AMIs for any more keep the form of a release.
    return (
      latestReleaseVersion(version, amiType) ??
      `${clusterVersion(version)?.kubernetesPatchVersion ?? `${version}.0`}-20250203`
    );
  }
  if (!releaseVersions(version, amiType).includes(asked) && !hasReleaseForm(asked, version, amiType)) {
    throw invalidParameter(`Requested release version ${asked} is not valid for kubernetes version ${version}.`);
  }
  return asked;
}
