/** What an operation may use: who calls, the state, the time. Nothing of HTTP, and no backend: operations only write down what is to be done. */
import type { Scope } from "../../domain/model.js";
import type { Directory } from "../../identity/directory.js";
import type { State } from "../../state/state.js";
import type { Operations } from "../model/generated/operations.js";

export interface EksConfig {
  /** Refuse roles that IAM does not have, and subnets whose ids cannot be any. */
  strict: boolean;
  /** Version of clusters created without one. */
  defaultVersion: string;
  /** Name of the backend that new clusters get. */
  backend: string;
  /** Why a cluster cannot have a backend; undefined when it can. Absent: there is only the one. */
  backendRefusal?: (name: string) => string | undefined;
  /** UpdateClusterVersion refuses while insights speak against it, unless `force` is given. EKS only warns. */
  enforceInsights?: boolean;
}

export interface OperationContext {
  scope: Scope;
  principalArn: string;
  requestId: string;
  state: State;
  clock: { now(): number };
  /** Which users and roles there are. */
  directory?: Directory;
  config: EksConfig;
  /** Tells the reconcilers, after the commit, that there is work of this kind and key. */
  nudge(kind: WorkKind, key: string): void;
}

/** Kinds of work items. The key of a cluster's is its id; of a node group's `<cluster id>/<node group name>`. */
export type WorkKind =
  | "cluster"
  | "nodegroup"
  | "addon"
  | "registration"
  | "subscription"
  | "insights"
  | "fargate-profile"
  | "capability";

export type EksOperations = Operations<OperationContext>;

/** Writes down that a reconciler has to look at something now, in the current transaction. */
export function scheduleWork(context: OperationContext, kind: WorkKind, key: string): void {
  context.state.work.schedule(kind, key, context.clock.now());
  context.nudge(kind, key);
}

export const nodegroupWorkKey = (nodegroup: { clusterId: string; name: string }): string =>
  `${nodegroup.clusterId}/${nodegroup.name}`;

/** Keys of everything else that belongs to a cluster by its name. */
export const clusterResourceWorkKey = nodegroupWorkKey;

/** Keys of what an account has in a region, and not in a cluster. */
const scopedWorkKey = ({ accountId, region }: Scope, name: string): string => `${accountId}/${region}/${name}`;

export const registrationWorkKey = (registration: Scope & { name: string }): string =>
  scopedWorkKey(registration, registration.name);

export const subscriptionWorkKey = (subscription: Scope & { id: string }): string =>
  scopedWorkKey(subscription, subscription.id);
