/** Objects that EKS itself keeps in a cluster, and who may do what there. */
export type ConfigMapData = Readonly<Record<string, string>>;

/** Objects that are written under the name of a field manager, in the manner of server-side apply. */
export interface ClusterObjects {
  /**
   * Applies the objects in order. Returns the fields in conflict: those that another manager has with another value. In mode `refuse` nothing at all is
   * changed when there are any; `take` takes them over; `leave` applies everything but them.
   */
  apply(
    clusterId: string,
    objects: readonly ClusterObject[],
    options: { manager: string; mode: ApplyMode },
  ): Promise<FieldConflict[]>;
  /** Deletes those that the manager has applied anything of, in order, with what belongs to them. */
  remove(clusterId: string, names: readonly ObjectName[], options: { manager: string }): Promise<void>;
  /** Of the Deployments among them: names of those that are not there, and of those with fewer available replicas than they want. */
  replicas(
    clusterId: string,
    names: readonly ObjectName[],
    options: { manager: string },
  ): Promise<{ missing: string[]; lacking: string[] }>;
}

/** Answers for a cluster's API server whether it would let somebody do something. */
export interface AccessJudge {
  /** `by` = the authorizer that allowed it: `RBAC`, `eks-access-policies`, ... */
  judge(question: {
    user: { username: string; groups: readonly string[]; extra?: Readonly<Record<string, readonly string[]>> };
    verb: string;
    resource?: { group: string; resource: string; subresource?: string; namespace?: string; name?: string };
    path?: string;
  }): { allowed: boolean; reason: string; by?: string };
  /** The resource that goes by a name as kubectl takes it: `deploy`, `deployments.apps`. */
  resourceNamed(name: string): { group: string; resource: string; namespaced: boolean } | undefined;
}

export type ApplyMode = "refuse" | "take" | "leave";

export interface ObjectName {
  /** e.g. `deployments.apps`. */
  resource: string;
  namespace?: string;
  name: string;
}

export interface ClusterObject {
  resource: string;
  object: {
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace?: string };
    [field: string]: unknown;
  };
}

export interface FieldConflict {
  kind: string;
  /** API group; empty for the core one. */
  group: string;
  name: string;
  /** Path such as `.spec.replicas`. */
  field: string;
}
