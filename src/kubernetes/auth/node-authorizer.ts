import type { KubeApi } from "../api.js";
import { claimNamesOf } from "../runtime/volumes.js";
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PolicyRule,
  VolumeAttachment,
} from "../schema/generated/types.js";
import type { AccessAttributes, Authorizer } from "../security.js";
import { ruleAllows } from "./rules.js";

/**
 * What a kubelet may do: read what the pods on its own node need and nothing else, whatever roles say. Upstream: plugin/pkg/auth/authorizer/node. The
 * relations between nodes and objects are not kept as a graph but read off the node's pods, which an index finds.
 */
const NODE_USER = "system:node:";
const NODES = "system:nodes";
const LEASES = "kube-node-lease";

type Target = NonNullable<AccessAttributes["resource"]>;

/** Why not; undefined: allowed. */
type Judge = (node: string, verb: string, target: Target) => string | undefined;

interface References {
  secrets: Set<string>;
  configmaps: Set<string>;
}

/** Names of the Secrets and ConfigMaps that a pod speaks of. */
function referencesOf({ spec }: Pod): References {
  const secrets = new Set<string>();
  const configmaps = new Set<string>();
  const add = (to: Set<string>, name: string | undefined): void => void (name && to.add(name));
  for (const { name } of spec?.imagePullSecrets ?? []) add(secrets, name);
  const containers = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const { env = [], envFrom = [] } of containers) {
    for (const { valueFrom } of env) {
      add(secrets, valueFrom?.secretKeyRef?.name);
      add(configmaps, valueFrom?.configMapKeyRef?.name);
    }
    for (const { secretRef, configMapRef } of envFrom) {
      add(secrets, secretRef?.name);
      add(configmaps, configMapRef?.name);
    }
  }
  for (const { secret, configMap, projected, csi } of spec?.volumes ?? []) {
    add(secrets, secret?.secretName);
    add(configmaps, configMap?.name);
    add(secrets, csi?.nodePublishSecretRef?.name);
    for (const source of projected?.sources ?? []) {
      add(secrets, source.secret?.name);
      add(configmaps, source.configMap?.name);
    }
  }
  return { secrets, configmaps };
}

export function createNodeAuthorizer({
  api,
  rules,
}: {
  api: Pick<KubeApi, "get" | "byIndex">;
  /** What every node may do beside: the rules of the role system:node. */
  rules: readonly PolicyRule[];
}): Authorizer {
  const podsOf = (node: string): readonly Pod[] => api.byIndex<Pod>("pods", "node", node);
  const unrelated = (node: string): string => `no relationship found between node '${node}' and this object`;

  /** Secrets of the volumes that a pod mounts through its claims. */
  const volumesOf = (pod: Pod): PersistentVolume[] =>
    claimNamesOf(pod).flatMap((name) => {
      const claim = api.get<PersistentVolumeClaim>("persistentvolumeclaims", {
        namespace: pod.metadata.namespace,
        name,
      });
      const volume = claim?.spec?.volumeName;
      return (volume && api.get<PersistentVolume>("persistentvolumes", { name: volume })) || [];
    });
  const hasVolumeSecret = (pod: Pod, namespace: string, name: string): boolean =>
    volumesOf(pod).some(({ spec }) =>
      [spec?.csi?.nodePublishSecretRef, spec?.csi?.nodeStageSecretRef, spec?.csi?.nodeExpandSecretRef].some(
        (reference) => reference?.name === name && reference.namespace === namespace,
      ),
    );

  const readsOwn =
    (kind: keyof References): Judge =>
    (node, verb, { subresource, namespace = "", name }) => {
      if (!["get", "list", "watch"].includes(verb)) return "can only read resources of this type";
      if (subresource) return "cannot read subresource";
      if (!namespace) return "can only read namespaced object of this type";
      if (!name) return "No Object name found";
      const isRelated = podsOf(node).some(
        (pod) =>
          (pod.metadata.namespace === namespace && referencesOf(pod)[kind].has(name)) ||
          (kind === "secrets" && hasVolumeSecret(pod, namespace, name)),
      );
      return isRelated ? undefined : unrelated(node);
    };

  const claims: Judge = (node, verb, { subresource, namespace, name = "" }) => {
    const allowed = subresource === "status" ? ["get", "update", "patch"] : ["get"];
    if (!allowed.includes(verb))
      return subresource === "status"
        ? "can only get/update/patch this type"
        : "can only get individual resources of this type";
    if (subresource && subresource !== "status") return "cannot get subresource";
    const isRelated = podsOf(node).some(
      (pod) => pod.metadata.namespace === namespace && claimNamesOf(pod).includes(name),
    );
    return isRelated ? undefined : unrelated(node);
  };

  const getsOne =
    (isRelated: (node: string, name: string) => boolean): Judge =>
    (node, verb, { subresource, name }) => {
      if (verb !== "get" || !name) return "can only get individual resources of this type";
      if (subresource) return "cannot get subresource";
      return isRelated(node, name) ? undefined : unrelated(node);
    };

  const tokens: Judge = (node, verb, { subresource, namespace, name }) => {
    if (verb === "get" && !subresource) return undefined;
    if (subresource !== "token" || verb !== "create" || !name)
      return "can only create tokens for individual service accounts";
    const isRelated = podsOf(node).some(
      ({ metadata, spec }) => metadata.namespace === namespace && (spec?.serviceAccountName ?? "default") === name,
    );
    return isRelated ? undefined : unrelated(node);
  };

  const leases: Judge = (node, verb, { subresource, namespace, name }) => {
    if (!["get", "create", "update", "patch", "delete"].includes(verb))
      return "can only get, create, update, patch, or delete a node lease";
    if (subresource) return "node leases have no subresources";
    if (namespace !== LEASES) return `can only access leases in the "${LEASES}" system namespace`;
    if (verb !== "create" && name !== node)
      return "can only access node lease with the same name as the requesting node";
    return undefined;
  };

  const csiNodes: Judge = (node, verb, { subresource, name }) => {
    if (!["get", "create", "update", "patch", "delete"].includes(verb))
      return "can only get, create, update, patch, or delete a CSINode";
    if (subresource) return "cannot authorize CSINode subresources";
    if (verb !== "create" && name !== node) return "can only access CSINode with the same name as the requesting node";
    return undefined;
  };

  /** Reads of other nodes are refused where they name one; the rest is admission's. */
  const nodes: Judge = (node, verb, { subresource, name }) => {
    if (["create", "update", "patch"].includes(verb))
      return subresource && subresource !== "status" ? "forbidden" : undefined;
    if (!["get", "list", "watch"].includes(verb) || subresource) return "forbidden";
    return name && name !== node ? `node '${node}' cannot read '${name}', only its own Node object` : undefined;
  };

  const JUDGES: Readonly<Record<string, Judge>> = {
    secrets: readsOwn("secrets"),
    configmaps: readsOwn("configmaps"),
    persistentvolumeclaims: claims,
    persistentvolumes: getsOne((node, name) =>
      podsOf(node).some((pod) => volumesOf(pod).some(({ metadata }) => metadata.name === name)),
    ),
    serviceaccounts: tokens,
    nodes,
    "volumeattachments.storage.k8s.io": getsOne(
      (node, name) => api.get<VolumeAttachment>("volumeattachments.storage.k8s.io", { name })?.spec.nodeName === node,
    ),
    "leases.coordination.k8s.io": leases,
    "csinodes.storage.k8s.io": csiNodes,
  };

  return {
    name: "Node",
    authorize(attributes) {
      const { user, verb, resource: target } = attributes;
      if (!user.username.startsWith(NODE_USER) || !user.groups.includes(NODES))
        return { decision: "no-opinion", reason: "" };
      const node = user.username.slice(NODE_USER.length);
      if (!node) return { decision: "no-opinion", reason: `unknown node for user ${JSON.stringify(user.username)}` };
      const judge = target && JUDGES[target.group ? `${target.resource}.${target.group}` : target.resource];
      if (judge) {
        const why = judge(node, verb, target);
        return why === undefined ? { decision: "allow", reason: "" } : { decision: "no-opinion", reason: why };
      }
      return { decision: rules.some((rule) => ruleAllows(rule, attributes)) ? "allow" : "no-opinion", reason: "" };
    },
  };
}
