/** What decides whether a cluster is ready for another version of Kubernetes, read from the cluster as it is. */
import type { SimulatedCluster } from "../../kubernetes/cluster.js";
import type { DaemonSet, Node } from "../../kubernetes/schema/generated/types.js";
import { BackendError, type UpgradeFacts } from "../backend.js";

/** Throws BackendError while the API server has no quorum: nothing can be told of the cluster then. */
export function upgradeFacts({ api, members, deprecations }: SimulatedCluster): UpgradeFacts {
  const present = members();
  if (present.filter(({ state }) => state === "up").length * 2 <= present.length) {
    throw new BackendError("unavailable", "the API server does not answer");
  }
  const kubeProxy = api.get<DaemonSet>("daemonsets.apps", { namespace: "kube-system", name: "kube-proxy" });
  // `.../eks/kube-proxy:v1.36.1-minimal-eksbuild.2`
  const kubeProxyVersion = kubeProxy?.spec?.template.spec?.containers[0]?.image?.split(":").at(-1);
  const { removedApis, requests, sinceMs } = deprecations();
  return {
    nodes: api.list<Node>("nodes").map(({ metadata, status }) => ({
      name: metadata.name,
      kubeletVersion: status?.nodeInfo?.kubeletVersion ?? "",
    })),
    ...(kubeProxyVersion ? { kubeProxyVersion } : {}),
    removedApis,
    deprecatedUses: requests,
    sinceMs,
  };
}
