import type { Clock } from "../clock/clock.js";
import type { KubeApi } from "./api.js";
import type { CloudInstances, ClusterLog } from "./cluster.js";
import type { Member } from "./members.js";
import type { ObjectKey } from "./object.js";
import type { Scale } from "./registry/scale.js";
import type { ResourceInfo } from "./schema/resource-info.js";
import type { WithdrawnZones } from "./withdrawn-zones.js";

/** What kubelets tell the node lifecycle controller without writing a Lease to the store every ten seconds. */
export interface NodeHeartbeats {
  /**
   * Time of the node's last lease renewal, epoch ms: kubelets renew every 10 s while they run and reach the API; computed, never stored.
   * undefined: no kubelet of that name has ever reported.
   */
  lastRenewalMs(nodeName: string): number | undefined;
}

export interface ControllerContext {
  /** A client that acts as this controller's own service account. */
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  heartbeats: NodeHeartbeats;
  cloud: CloudInstances;
  /** e.g. CA certificate in PEM for kube-root-ca.crt. */
  caCert: string;
  /** Every resource that is served now, custom ones included; the built-in ones when absent. For controllers that look after all kinds alike. */
  resources?(): readonly ResourceInfo[];
  /** Calls `listener` whenever `resources` may have changed. Returns how to stop. */
  onResourcesChanged?(listener: () => void): () => void;
  /** The scale of an object as its subresource shows it, custom resources included. Throws StatusError. */
  readScale?(resource: string, key: ObjectKey): Scale;
  /** The control plane's members, absent where there are none. */
  members?(): readonly Member[];
  /** Calls `listener` whenever `members` has changed. Returns how to stop. */
  onMembersChanged?(listener: () => void): () => void;
  /** Zones whose endpoints are kept out of EndpointSlices; none when absent. */
  withdrawnZones?: Pick<WithdrawnZones, "has" | "onChange">;
}

/** One loop of the controller manager. Adding one = a file here and a line in `controllers/index.ts`. */
export interface Controller {
  /** As kube-controller-manager names it, e.g. `deployment-controller`; also its field manager and service account. */
  name: string;
  /** It hands out `caCert`, and is started anew when that changes. */
  publishesCa?: boolean;
  /** Begins watching; returns how to stop. Level-triggered: must be right from any starting state, also after a restart. */
  start(context: ControllerContext): () => void;
}
