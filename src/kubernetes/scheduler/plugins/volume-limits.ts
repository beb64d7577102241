import type { NodeInfo } from "../node-info.js";
import { type FilterPlugin, refuse } from "../plugin.js";
import { claimNameOf, type PodInfo } from "../pod-info.js";
import type { ClusterLookups } from "../snapshot.js";

/** NodeVolumeLimits: a CSI driver says in a node's CSINode how many volumes it can attach there. */

const TOO_MANY = refuse("node(s) exceed max volume count");

/** The pod's CSI volumes: `driver/handle` -> driver. Claims that wait for a volume count by themselves. */
function volumesOf(pod: PodInfo, lookups: ClusterLookups): ReadonlyMap<string, string> {
  const volumes = new Map<string, string>();
  for (const source of pod.demand.claims) {
    const name = claimNameOf(pod.pod.metadata.name, source);
    const claim = lookups.claim(pod.namespace, name);
    if (!claim) continue;
    const csi = claim.spec?.volumeName ? lookups.volume(claim.spec.volumeName)?.spec?.csi : undefined;
    if (csi) volumes.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
    else if (!claim.spec?.volumeName && claim.spec?.storageClassName) {
      const driver = lookups.storageClass(claim.spec.storageClassName)?.provisioner;
      if (driver) volumes.set(`${driver}/${pod.namespace}/${name}`, driver);
    }
  }
  return volumes;
}

function attachedTo(node: NodeInfo, lookups: ClusterLookups): ReadonlyMap<string, string> {
  const attached = new Map<string, string>();
  for (const pod of node.pods.values())
    if (pod.demand.claims.length > 0) for (const [id, driver] of volumesOf(pod, lookups)) attached.set(id, driver);
  return attached;
}

export const nodeVolumeLimits: FilterPlugin = {
  name: "NodeVolumeLimits",
  wakesOn: ["node", "podGone", "storage"],
  prepare: (pod, { lookups }) => {
    if (pod.demand.claims.length === 0) return undefined;
    const wanted = volumesOf(pod, lookups);
    if (wanted.size === 0) return undefined;
    return (node) => {
      const limits = lookups.volumeLimits(node.name);
      if (limits.size === 0) return undefined;
      const attached = attachedTo(node, lookups);
      for (const driver of new Set(wanted.values())) {
        const limit = limits.get(driver);
        if (limit === undefined) continue;
        let count = 0;
        for (const other of attached.values()) if (other === driver) count++;
        for (const [id, own] of wanted) if (own === driver && !attached.has(id)) count++;
        if (count > limit) return TOO_MANY;
      }
      return undefined;
    };
  },
};
