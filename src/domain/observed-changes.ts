/** Changes of a cluster's nodes and Deployments of which something is to be told, on any backend: objects change far more often than what is asked of them. */
import {
  hasReplicas,
  isManagedBy,
  isReady,
  type ObservedDeployment,
  type ObservedObject,
  readyCondition,
  unhealthyConditions,
  type WithConditions,
} from "./kubernetes-objects.js";

/** A change as watches give it. */
export interface ObjectChange<T> {
  type: string;
  object: T;
}

export interface NodeChange {
  kind: "node";
  nodeName: string;
  ready: boolean;
  present: boolean;
  /** Why it is not Ready. */
  reason?: string;
  unhealthy: readonly { type: string; reason: string }[];
}

export interface DeploymentChange {
  kind: "deployment";
  namespace: string;
  name: string;
  ready: boolean;
}

/** Takes every change of a node; tells of those of its readiness and health, and of its end. */
export function nodeChanges(
  tell: (change: NodeChange) => void,
): (change: ObjectChange<ObservedObject & WithConditions>) => void {
  const seen = new Map<string, string>();
  return ({ type, object }) => {
    const nodeName = object.metadata.name;
    const present = type !== "DELETED";
    const ready = present && isReady(object);
    const unhealthy = present ? unhealthyConditions(object) : [];
    const look = `${ready} ${unhealthy.map(({ type: condition, reason }) => `${condition}/${reason}`).join(" ")}`;
    if (present && seen.get(nodeName) === look) return;
    if (present) seen.set(nodeName, look);
    else seen.delete(nodeName);
    const reason = readyCondition(object)?.reason;
    tell({ kind: "node", nodeName, ready, present, ...(reason && !ready ? { reason } : {}), unhealthy });
  };
}

/** Takes every change of a Deployment; tells when one of the manager's begins or ceases to have its replicas. */
export function deploymentChanges(
  manager: string,
  tell: (change: DeploymentChange) => void,
): (change: ObjectChange<ObservedDeployment>) => void {
  const seen = new Map<string, boolean>();
  return ({ type, object }) => {
    if (!isManagedBy(object, manager)) return;
    const { name, namespace = "" } = object.metadata;
    const key = `${namespace}/${name}`;
    const present = type !== "DELETED";
    const ready = present && hasReplicas(object);
    if (present && seen.get(key) === ready) return;
    if (present) seen.set(key, ready);
    else seen.delete(key);
    tell({ kind: "deployment", namespace, name, ready });
  };
}
