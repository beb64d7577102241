/**
 * What EKS checks of a cluster, as data: each check looks at the facts and gives a verdict for a Kubernetes version. Names and the reasons of passing checks are
 * EKS's own. A finding about the next version is an ERROR, one about a later version a WARNING.
 */

import { addon, isCompatible } from "../catalogue/addons.js";
import { minorOf } from "../catalogue/index.js";
import type {
  DeprecationDetail,
  InsightCategory,
  InsightRecord,
  InsightResource,
  InsightSummary,
  InsightVerdict,
  UpgradeFacts,
} from "../insights.js";
import type { ClusterRecord } from "../model.js";
import { stableHex } from "../stable-hex.js";
import { kubeletLag } from "./version-rules.js";

export interface InsightInput extends UpgradeFacts {
  cluster: ClusterRecord;
  addons: readonly { name: string; version: string; arn: string }[];
  /** The version that a rollback would go to, while one is possible. */
  rollbackTo?: string;
}

/** A check with its outcome, before it is known when it was first so. */
export type Finding = Omit<InsightRecord, "clusterId" | "id" | "lastRefreshMs" | "lastTransitionMs">;

type Outcome = InsightVerdict & { resources?: InsightResource[]; summary?: InsightSummary };

interface Check {
  name: string;
  category: InsightCategory;
  description: string;
  recommendation: string;
  links: Record<string, string>;
  judge(input: InsightInput, version: string): Outcome;
}

const UPGRADE_GUIDE = "https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html";
const SKEW_POLICY = "https://kubernetes.io/releases/version-skew-policy";

const minorVersion = (minor: number): string => `1.${minor}`;
/** `v1.35.6-eks-1a2b3c4` and `v1.35.3-eksbuild.2` -> `1.35`. */
const minorOfBuild = (build: string): string => build.replace(/^v/, "").split(".", 2).join(".");

/** How a component of nodes of one version stands to an API server of another. */
function skew(what: string, component: string, cluster: string, target: string): InsightVerdict | undefined {
  if (component === cluster) return undefined;
  const lag = minorOf(target) - minorOf(component);
  return lag > kubeletLag(minorOf(component))
    ? { status: "ERROR", reason: `${what} version ${component} would not be supported by Kubernetes ${target}.` }
    : {
        status: "WARNING",
        reason: `${what} version ${component} differs from the version ${cluster} of the control plane.`,
      };
}

/** The worst of what was found in resources, in the words for it; `passing` when nothing was. */
function worst(resources: readonly InsightResource[], passing: string, failing: string): Outcome {
  const statuses = resources.map(({ insightStatus }) => insightStatus?.status);
  const status = statuses.includes("ERROR") ? "ERROR" : statuses.length > 0 ? "WARNING" : "PASSING";
  return { status, reason: status === "PASSING" ? passing : failing, resources: [...resources] };
}

const KUBELET: Omit<Check, "category" | "judge"> = {
  name: "Kubelet version skew",
  description:
    "Checks for kubelet versions of worker nodes in the cluster to see if upgrade would cause non compliance with supported Kubernetes kubelet version skew policy.",
  recommendation: "Upgrade your worker nodes to match the Kubernetes version of your cluster control plane.",
  links: { "Kubelet version skew policy": SKEW_POLICY, "Updating a managed node group": UPGRADE_GUIDE },
};

const nodeUri = (name: string): string => `/api/v1/nodes/${name}`;

/** Checks of the version after the cluster's own. */
const UPGRADE_CHECKS: readonly Check[] = [
  {
    ...KUBELET,
    category: "UPGRADE_READINESS",
    judge: ({ cluster, nodes }, version) =>
      worst(
        nodes.flatMap(({ name, kubeletVersion }) => {
          const insightStatus = skew("Kubelet", minorOfBuild(kubeletVersion), cluster.version, version);
          return insightStatus ? [{ insightStatus, kubernetesResourceUri: nodeUri(name) }] : [];
        }),
        "Node kubelet versions match the cluster control plane version.",
        "Node kubelet versions do not match the cluster control plane version.",
      ),
  },
  {
    name: "kube-proxy version skew",
    category: "UPGRADE_READINESS",
    description:
      "Checks version of kube-proxy in cluster to see if upgrade would cause non compliance with supported Kubernetes kube-proxy version skew policy.",
    recommendation: "Upgrade kube-proxy to match the Kubernetes version of your cluster control plane.",
    links: { "kube-proxy version skew policy": SKEW_POLICY },
    judge: ({ cluster, kubeProxyVersion }, version) => {
      const insightStatus =
        kubeProxyVersion && skew("kube-proxy", minorOfBuild(kubeProxyVersion), cluster.version, version);
      const kubernetesResourceUri = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";
      return worst(
        insightStatus ? [{ insightStatus, kubernetesResourceUri }] : [],
        "kube-proxy versions match the cluster control plane version.",
        "kube-proxy versions do not match the cluster control plane version.",
      );
    },
  },
  {
    name: "EKS add-on version compatibility",
    category: "UPGRADE_READINESS",
    description:
      "Checks version of installed EKS add-ons to ensure they are compatible with the next version of Kubernetes.",
    recommendation: "Upgrade add-on versions to be compatible with next Kubernetes version before upgrade.",
    links: { "Managing Amazon EKS add-ons": "https://docs.aws.amazon.com/eks/latest/userguide/managing-add-ons.html" },
    judge: ({ addons }, version) => {
      const misfits = addons.flatMap(({ name, version: installed, arn }) => {
        const compatible = (addon(name)?.versions ?? []).filter((candidate) => isCompatible(candidate, version));
        // Of a version that EKS offers no add-ons for yet, nothing can be said.
        if (compatible.length === 0 || compatible.some((candidate) => candidate.version === installed)) return [];
        return [{ name, arn, installed, compatibleVersions: compatible.map((candidate) => candidate.version) }];
      });
      const outcome = worst(
        misfits.map(({ name, arn, installed }) => ({
          insightStatus: {
            status: "ERROR",
            reason: `Version ${installed} of ${name} is not compatible with Kubernetes ${version}.`,
          },
          arn,
        })),
        "All installed EKS add-on versions are compatible with next Kubernetes version.",
        "Some installed EKS add-on versions are not compatible with next Kubernetes version.",
      );
      const addonCompatibilityDetails = misfits.map(({ name, compatibleVersions }) => ({ name, compatibleVersions }));
      return { ...outcome, summary: { addonCompatibilityDetails } };
    },
  },
  {
    name: "Cluster health issues",
    category: "UPGRADE_READINESS",
    description:
      "Checks for any cluster health issues that prevent successful upgrade to the next Kubernetes version on EKS.",
    recommendation: "Resolve cluster health issues to unblock upgrade to the next version.",
    links: { "Cluster health FAQs": "https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html" },
    judge: ({ cluster }) =>
      worst(
        cluster.healthIssues.map(({ message }) => ({
          insightStatus: { status: "ERROR", reason: message },
          arn: cluster.arn,
        })),
        "No cluster health issues detected.",
        "Cluster health issues detected.",
      ),
  },
];

/** Kubelets must not be newer than the API server, so nodes go back before it does. */
const ROLLBACK_CHECK: Check = {
  ...KUBELET,
  category: "ROLLBACK_READINESS",
  description: "Checks for kubelet versions of worker nodes that are newer than the version of a rollback.",
  recommendation: "Roll your worker nodes back before you roll back the cluster control plane.",
  judge: ({ nodes }, version) =>
    worst(
      nodes
        .filter(({ kubeletVersion }) => minorOf(minorOfBuild(kubeletVersion)) > minorOf(version))
        .map(({ name, kubeletVersion }) => ({
          insightStatus: {
            status: "ERROR",
            reason: `Kubelet version ${minorOfBuild(kubeletVersion)} would not be supported by Kubernetes ${version}.`,
          },
          kubernetesResourceUri: nodeUri(name),
        })),
      "No node kubelet version is newer than the rollback version.",
      "Some node kubelet versions are newer than the rollback version.",
    ),
};

function deprecationCheck(version: string): Check {
  return {
    name: `Deprecated APIs removed in Kubernetes v${version}`,
    category: "UPGRADE_READINESS",
    description: `Checks for usage of deprecated APIs that are scheduled for removal in Kubernetes v${version}. Upgrading your cluster before migrating to the updated APIs supported by v${version} could cause application impact.`,
    recommendation: `Update manifests and API clients to use newer Kubernetes APIs if applicable before upgrading to Kubernetes v${version}.`,
    links: {
      "EKS update cluster documentation": UPGRADE_GUIDE,
      "Kubernetes v1 deprecation guide": `https://kubernetes.io/docs/reference/using-api/deprecation-guide/#v${version.replace(".", "-")}`,
    },
    judge: ({ cluster, removedApis, deprecatedUses }) => {
      const deprecationDetails = removedApis
        .filter(({ removedIn }) => removedIn === version)
        .map(
          ({ usage, replacedWith, removedIn, replacedSince }): DeprecationDetail => ({
            usage,
            ...(replacedWith === undefined ? {} : { replacedWith, startServingReplacementVersion: replacedSince }),
            stopServingVersion: removedIn,
            clientStats: clientStats(deprecatedUses.filter((use) => use.usage === usage)),
          }),
        );
      const summary = { deprecationDetails };
      const used = deprecationDetails.filter(({ clientStats: clients }) => clients.length > 0);
      if (used.length === 0) {
        return { status: "PASSING", reason: "No deprecated API usage detected within the last 30 days.", summary };
      }
      const status = minorOf(version) - minorOf(cluster.version) === 1 ? "ERROR" : "WARNING";
      const reason = "Deprecated API usage detected within last 30 days and your cluster is on Kubernetes v";
      return {
        status,
        reason: `${reason}${cluster.version}.`,
        resources: used.map(({ usage }) => ({ kubernetesResourceUri: usage })),
        summary,
      };
    },
  };
}

/** By client, whichever API server counted. */
function clientStats(uses: InsightInput["deprecatedUses"]): DeprecationDetail["clientStats"] {
  const clients = new Map<string, DeprecationDetail["clientStats"][number]>();
  for (const { userAgent, count, lastMs } of uses) {
    const known = clients.get(userAgent);
    clients.set(userAgent, {
      userAgent,
      numberOfRequestsLast30Days: (known?.numberOfRequestsLast30Days ?? 0) + count,
      lastRequestTime: Math.max(known?.lastRequestTime ?? 0, lastMs),
    });
  }
  return [...clients.values()];
}

/** Everything that EKS checks of the cluster as it is. */
export function findings(input: InsightInput): Finding[] {
  const current = minorOf(input.cluster.version);
  const next = minorVersion(current + 1);
  const removals = [...new Set(input.removedApis.map(({ removedIn }) => removedIn))].filter(
    (version) => minorOf(version) > current,
  );
  const due: [Check, string][] = [
    ...UPGRADE_CHECKS.map((check): [Check, string] => [check, next]),
    ...removals.map((version): [Check, string] => [deprecationCheck(version), version]),
    ...(input.rollbackTo === undefined ? [] : [[ROLLBACK_CHECK, input.rollbackTo] satisfies [Check, string]]),
  ];
  return due.map(([{ name, category, description, recommendation, links, judge }, kubernetesVersion]) => {
    const { status, reason, resources = [], summary = {} } = judge(input, kubernetesVersion);
    return {
      name,
      category,
      kubernetesVersion,
      description,
      recommendation,
      additionalInfo: links,
      verdict: { status, reason },
      resources,
      summary,
    };
  });
}

/** The same insight has the same id at every look: a UUID of version 4. */
export function insightId(clusterId: string, { name, category, kubernetesVersion }: Finding): string {
  const hex = stableHex(`${clusterId} ${category} ${name} ${kubernetesVersion}`, 32);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Insights that speak against an upgrade to `version`. */
export const blockingInsights = (insights: readonly InsightRecord[], version: string): InsightRecord[] =>
  insights.filter(
    ({ category, kubernetesVersion, verdict }) =>
      category === "UPGRADE_READINESS" && kubernetesVersion === version && verdict.status === "ERROR",
  );
