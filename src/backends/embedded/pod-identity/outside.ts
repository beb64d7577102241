/**
 * What the programs of containers find outside of their cluster: AWS by its host names, and the EKS Pod Identity Agent of their node, where there is one. It
 * is a DaemonSet of an add-on on ordinary nodes, part of Auto Mode's, and not on Fargate.
 */
import type { Clock } from "../../../clock/clock.js";
import { AGENT_ADDRESSES } from "../../../domain/pod-identity.js";
import type { KubeApi } from "../../../kubernetes/api.js";
import type { ClusterOptions, OutsideAnswer, OutsideRequest } from "../../../kubernetes/cluster.js";
import type { Node, Pod } from "../../../kubernetes/schema/generated/types.js";

const AWS = /\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)$/i;
const AGENTS: readonly string[] = Object.values(AGENT_ADDRESSES);
const AGENT_PODS = "app.kubernetes.io/name=eks-pod-identity-agent";
const COMPUTE_TYPE = "eks.amazonaws.com/compute-type";

export function outsideOfPods(options: {
  clock: Clock;
  api: () => KubeApi;
  aws: ((request: OutsideRequest) => Promise<OutsideAnswer>) | undefined;
}): NonNullable<ClusterOptions["outside"]> {
  const { clock, api, aws } = options;

  const hasAgent = (nodeName: string): boolean => {
    const node = api().get<Node>("nodes", { name: nodeName });
    const computeType = node?.metadata.labels?.[COMPUTE_TYPE];
    if (computeType !== undefined) return computeType === "auto";
    return api()
      .list<Pod>("pods", { namespace: "kube-system", labelSelector: AGENT_PODS })
      .some(({ spec, status }) => spec?.nodeName === nodeName && status?.phase === "Running");
  };

  return (request) => {
    if (!aws) return undefined;
    const isAgent = AGENTS.includes(request.host);
    if (isAgent && !hasAgent(request.pod.nodeName)) return "refused";
    return isAgent || AWS.test(request.host) ? clock.track(aws(request)) : undefined;
  };
}
