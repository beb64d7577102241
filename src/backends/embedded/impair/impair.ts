/**
 * What is wrong with a simulated cluster, brought about: each part of what may be wrong has one function that makes exactly what it is told so, and
 * undoes what it was told before. A part is asked only when it has changed. Nodes that are not there yet are broken when they join.
 */
import type { Clock } from "../../../clock/clock.js";
import type { ImpairmentPart, Impairments } from "../../../domain/impairments.js";
import type { SimulatedCluster } from "../../../kubernetes/cluster.js";
import { isEqual } from "../../../kubernetes/runtime/hash.js";
import type { ClusterSpec } from "../../backend.js";
import { asBackendError } from "../api-calls.js";
import type { NodeMonitoring } from "../node-monitoring.js";
import { impairApiServer, impairWebhooks } from "./api-server.js";
import { impairLinks, impairNames } from "./network.js";
import { checkNodes, impairNodes } from "./nodes.js";
import { impairPods } from "./pods.js";

/** The cluster that things are wrong with. */
export interface ImpairedCluster {
  cluster: SimulatedCluster;
  clock: Clock;
  spec: ClusterSpec;
  /** Of its nodes. */
  monitoring: NodeMonitoring;
}

/** Leaves `wrong`, and nothing else of its kind, wrong with the cluster; undefined or empty: all is well with it. */
export type PartEffect<P extends ImpairmentPart> = (
  target: ImpairedCluster,
  wrong: Impairments[P],
) => void | Promise<void>;

/** Adding a part = its file beside this one, and a line here. */
const PARTS: { readonly [P in ImpairmentPart]: PartEffect<P> } = {
  nodes: impairNodes,
  pods: impairPods,
  links: impairLinks,
  zonesWithoutDns: impairNames,
  apiServer: impairApiServer,
  webhooks: impairWebhooks,
};

const NAMES: readonly ImpairmentPart[] = ["nodes", "links", "zonesWithoutDns", "apiServer", "webhooks", "pods"];

/** Makes of a cluster what `impair` of the backend contract says. Calls are carried out in their order. */
export function createImpairer(target: ImpairedCluster): (impairments: Impairments) => Promise<void> {
  /** What each part was told last; before that, a former process may have left something. */
  const present = new Map<ImpairmentPart, Impairments[ImpairmentPart]>();
  let last: Promise<void> = Promise.resolve();

  const change = async <P extends ImpairmentPart>(part: P, next: Impairments): Promise<void> => {
    if (present.has(part) && isEqual(present.get(part), next[part])) return;
    await PARTS[part](target, next[part]);
    present.set(part, next[part]);
  };

  const impair = async (next: Impairments): Promise<void> => {
    checkNodes(next.nodes);
    for (const part of NAMES) await asBackendError(() => change(part, next));
  };

  return (impairments) => {
    last = last.catch(() => undefined).then(() => impair(impairments));
    return last;
  };
}
