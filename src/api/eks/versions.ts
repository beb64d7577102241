/** The Kubernetes versions that EKS offers, with their support calendar. */
import {
  type ClusterVersion,
  clusterVersions,
  dayMs,
  platformVersionAt,
  supportStatus,
} from "../../domain/catalogue/index.js";
import type { ClusterVersionInformation, ClusterVersionStatus } from "../model/generated/operations.js";
import type { EksOperations, OperationContext } from "./context.js";
import { pageOf } from "./paging.js";

function versionView(entry: ClusterVersion, context: OperationContext): ClusterVersionInformation {
  const nowMs = context.clock.now();
  const status = supportStatus(entry, nowMs);
  return {
    clusterVersion: entry.version,
    clusterType: "eks",
    defaultPlatformVersion: platformVersionAt(entry.version, nowMs)?.platformVersion ?? entry.platformVersion,
    defaultVersion: entry.version === context.config.defaultVersion,
    releaseDate: dayMs(entry.releaseDate),
    endOfStandardSupportDate: dayMs(entry.endOfStandardSupportDate),
    endOfExtendedSupportDate: dayMs(entry.endOfExtendedSupportDate),
    // EKS serves the spelling of versionStatus here although the enum of this deprecated member has another.
    status: status as string as ClusterVersionStatus,
    versionStatus: status,
    kubernetesPatchVersion: entry.kubernetesPatchVersion,
  };
}

/** `extended-support`, as the deprecated filter spells it, -> `EXTENDED_SUPPORT`. */
const upperCase = (status: string): string => status.toUpperCase().replaceAll("-", "_");

export const versions = {
  DescribeClusterVersions(input, context) {
    const asked = input.versionStatus ?? (input.status && upperCase(input.status));
    const shown = clusterVersions()
      .map((entry) => versionView(entry, context))
      .filter(
        (version) =>
          (!input.clusterType || version.clusterType === input.clusterType) &&
          (!input.defaultOnly || version.defaultVersion === true) &&
          (!input.clusterVersions?.length || input.clusterVersions.includes(version.clusterVersion ?? "")) &&
          (!asked || version.versionStatus === asked) &&
          // Versions out of support are shown to those who ask for them.
          (version.versionStatus !== "UNSUPPORTED" || input.includeAll === true || asked === "UNSUPPORTED"),
      );
    const { maxResults, nextToken: token, ...filters } = input;
    const names = shown.map((version) => version.clusterVersion ?? "");
    const { keys, nextToken } = pageOf(
      context,
      ["DescribeClusterVersions", filters],
      { maxResults, nextToken: token },
      (page) => {
        const start = page.after === undefined ? 0 : names.indexOf(page.after) + 1;
        return names.slice(start, start + page.limit);
      },
    );
    return { clusterVersions: shown.filter((version) => keys.includes(version.clusterVersion ?? "")), nextToken };
  },
} satisfies Partial<EksOperations>;
