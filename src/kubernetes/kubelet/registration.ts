import { type Clock, formatMicros } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { NodeSpec } from "../cluster.js";
import { isStatusError } from "../errors.js";
import type { Lease, Node } from "../schema/generated/types.js";
import { newNode } from "./node-object.js";
import { LEASE_DURATION_SECONDS } from "./timings.js";

/** What a kubelet makes in the cluster when it starts: its Node, and what it keeps beside it. */
const LEASES = "leases.coordination.k8s.io";
const CSI_NODES = "csinodes.storage.k8s.io";
const LEASE_NAMESPACE = "kube-node-lease";

export interface Registration {
  /** Makes the Node, or finds it again. */
  ensureNode(): Promise<{ node: Node; isNew: boolean }>;
  /** The lease and the CSINode, where they are missing. Rejects when they cannot be made now. */
  putCompanions(): Promise<void>;
}

export function createRegistration(
  spec: NodeSpec,
  { api, cloudApi, clock }: { api: KubeApi; cloudApi: KubeApi; clock: Clock },
): Registration {
  const { name } = spec;

  /** Something that a kubelet keeps beside its Node, named alike and gone with it. */
  const putCompanion = async (resource: string, node: Node, namespace: string | undefined, spec: object) => {
    if (api.get(resource, { namespace, name })) return;
    const owner = { apiVersion: "v1", kind: "Node", name, uid: node.metadata.uid };
    await api
      .create(resource, { metadata: { name, namespace, ownerReferences: [owner] }, spec })
      .catch((error: unknown) => {
        if (!isStatusError(error, "AlreadyExists")) throw error;
      });
  };

  const putCompanions = async (): Promise<void> => {
    const node = api.get<Node>("nodes", { name });
    if (!node) return;
    const lease: Lease["spec"] = {
      holderIdentity: name,
      leaseDurationSeconds: LEASE_DURATION_SECONDS,
      renewTime: formatMicros(clock.now()),
    };
    await putCompanion(LEASES, node, LEASE_NAMESPACE, lease);
    // Drivers register through sockets of their plugins, which are programs, and no program runs here.
    await putCompanion(CSI_NODES, node, undefined, { drivers: [] });
  };

  const ensureNode = async (): Promise<{ node: Node; isNew: boolean }> => {
    const present = api.get<Node>("nodes", { name });
    if (present) return { node: present, isNew: false };
    // Not as the node itself: the cloud's controller adds labels that a kubelet may not give itself, and here they come with the registration.
    return { node: await cloudApi.create<Node>("nodes", newNode(spec, clock.now())), isNew: true };
  };

  return { ensureNode, putCompanions };
}
