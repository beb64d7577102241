/** Which association a service account has. Asked for every new pod, so that what was read is kept until one is written. */
import type { PodIdentityAssociationRecord } from "../domain/pod-identity-association.js";
import type { State } from "./state.js";

export type PodIdentityIndex = (
  clusterId: string,
  namespace: string,
  serviceAccount: string,
) => PodIdentityAssociationRecord | undefined;

export function createPodIdentityIndex(state: Pick<State, "podIdentityAssociations">): PodIdentityIndex {
  const known = new Map<string, Map<string, PodIdentityAssociationRecord>>();
  let asOf: number | undefined;
  return (clusterId, namespace, serviceAccount) => {
    const now = state.podIdentityAssociations.version();
    if (now !== asOf) {
      known.clear();
      asOf = now;
    }
    let ofCluster = known.get(clusterId);
    if (!ofCluster) {
      const associations = state.podIdentityAssociations.list(clusterId);
      ofCluster = new Map(associations.map((item) => [`${item.namespace}/${item.serviceAccount}`, item]));
      known.set(clusterId, ofCluster);
    }
    return ofCluster.get(`${namespace}/${serviceAccount}`);
  };
}
