/** A kubelet changes nothing but its own Node and the pods on it (upstream: plugin/pkg/admission/noderestriction). */
import type { KubeApi, UserInfo } from "../api.js";
import { conflict, forbidden, notFound } from "../errors.js";
import type { KubeObject } from "../object.js";
import { sameValue } from "../registry/strategies/equality.js";
import { DRIVERS } from "../runtime/volumes.js";
import type { CSIDriver, Node, PersistentVolume, PersistentVolumeClaim, Pod } from "../schema/generated/types.js";
import type { AccessAttributes } from "../security.js";
import type { AdmissionPlugin, AdmissionReader, AdmissionRequest } from "./plugin.js";

const NODE_USER = "system:node:";
const MIRROR = "kubernetes.io/config.mirror";
/** Labels of Kubernetes' own domains that a kubelet may give to its node; all others of them are for those who judge nodes. */
const OWN_LABELS: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);
const OWN_LABEL_DOMAINS = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const LEASES = "kube-node-lease";

/** True for labels by which others recognise nodes: a kubelet that could set them could draw pods to itself. */
function isForbiddenLabel(key: string): boolean {
  const domain = key.includes("/") ? key.slice(0, key.indexOf("/")) : "";
  if (domain === "node-restriction.kubernetes.io" || domain.endsWith(".node-restriction.kubernetes.io")) return true;
  if (!/(^|\.)(kubernetes|k8s)\.io$/.test(domain) || OWN_LABELS.has(key)) return false;
  return !OWN_LABEL_DOMAINS.some((own) => domain === own || domain.endsWith(`.${own}`));
}

/** Name of the node that asks; undefined when it is no kubelet. */
export function nodeOf({ user }: Pick<AdmissionRequest, "user">): string | undefined {
  return user.username.startsWith(NODE_USER) && user.groups.includes("system:nodes")
    ? user.username.slice(NODE_USER.length)
    : undefined;
}

function judgeNode(node: string, { operation, name, object, previous }: AdmissionRequest): void {
  if (name !== node) throw forbidden("", "nodes", name, `node "${node}" is not allowed to modify node "${name}"`);
  const before = previous as Node | undefined;
  const labels = object?.metadata.labels ?? {};
  const old = before?.metadata.labels ?? {};
  const touched = [...new Set([...Object.keys(labels), ...Object.keys(old)])].filter(
    (key) => isForbiddenLabel(key) && labels[key] !== old[key],
  );
  if (touched.length > 0 && operation !== "DELETE") {
    throw forbidden("", "nodes", name, `is not allowed to modify labels: ${touched.sort().join(", ")}`);
  }
  if (operation === "UPDATE" && before && !sameValue((object as Node).spec?.taints, before.spec?.taints)) {
    throw forbidden("", "nodes", name, `node "${node}" is not allowed to modify taints`);
  }
}

function judgePod(
  node: string,
  { operation, name, namespace, object, previous, subresource }: AdmissionRequest,
  reader: AdmissionReader,
): void {
  if (subresource === "eviction") {
    const evicted = reader.get("pods", { namespace, name }) as Pod | undefined;
    if (evicted && evicted.spec?.nodeName !== node)
      throw forbidden("", "pods", name, `node "${node}" can only evict pods with spec.nodeName set to itself`);
    return;
  }
  const pod = (object ?? previous) as Pod | undefined;
  const placed = ((previous ?? object) as Pod | undefined)?.spec?.nodeName;
  if (operation === "CREATE" && !subresource) {
    if (pod?.metadata.annotations?.[MIRROR] === undefined) {
      throw forbidden(
        "",
        "pods",
        name,
        `pod does not have "${MIRROR}" annotation, node "${node}" can only create mirror pods`,
      );
    }
    if (placed !== node)
      throw forbidden("", "pods", name, `node "${node}" can only create pods with spec.nodeName set to itself`);
  } else if (placed !== undefined && placed !== node) {
    const what = operation === "DELETE" ? "delete pods" : "update pod status for pods";
    throw forbidden("", "pods", name, `node "${node}" can only ${what} with spec.nodeName set to itself`);
  }
}

/** Objects that stand for the node itself and have its name. */
function judgeCompanion(node: string, { info, name, namespace }: AdmissionRequest): void {
  if (info.resource === "leases" && namespace !== LEASES)
    throw forbidden(info.group, info.resource, name, `can only access leases in the "${LEASES}" system namespace`);
  if (name !== node) {
    const why = `can only access ${info.resource === "leases" ? "node lease" : info.kind} with the same name as the requesting node`;
    throw forbidden(info.group, info.resource, name, why);
  }
}

/** Of a claim, a kubelet reports how its expansion goes. */
function judgeClaim(node: string, { subresource, name, object, previous }: AdmissionRequest): void {
  if (subresource !== "status")
    throw forbidden("", "persistentvolumeclaims", name, `node "${node}" may only update PVC status`);
  const RESIZING = [
    "capacity",
    "conditions",
    "allocatedResources",
    "allocatedResourceStatuses",
    "modifyVolumeStatus",
    "currentVolumeAttributesClassName",
  ];
  const rest = (claim: KubeObject | undefined): unknown =>
    Object.fromEntries(Object.entries((claim?.status ?? {}) as object).filter(([field]) => !RESIZING.includes(field)));
  if (!sameValue(rest(object), rest(previous)))
    throw forbidden(
      "",
      "persistentvolumeclaims",
      name,
      `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`,
    );
}

const JUDGES: Readonly<Record<string, (node: string, request: AdmissionRequest, reader: AdmissionReader) => void>> = {
  nodes: judgeNode,
  pods: judgePod,
  persistentvolumeclaims: judgeClaim,
  "leases.coordination.k8s.io": judgeCompanion,
  "csinodes.storage.k8s.io": judgeCompanion,
};

/** Audiences that the pod's volumes ask tokens for: projected ones, and those of CSI drivers. */
function audiencesOf({ spec, metadata }: Pod, api: Pick<KubeApi, "get">): Set<string> {
  const found = new Set<string>();
  const ofDriver = (name: string | undefined): void => {
    const driver = name ? api.get<CSIDriver>(DRIVERS, { name }) : undefined;
    for (const { audience } of driver?.spec.tokenRequests ?? []) found.add(audience);
  };
  for (const { projected, csi, persistentVolumeClaim } of spec?.volumes ?? []) {
    for (const { serviceAccountToken } of projected?.sources ?? [])
      if (serviceAccountToken?.audience) found.add(serviceAccountToken.audience);
    ofDriver(csi?.driver);
    if (!persistentVolumeClaim) continue;
    const key = { namespace: metadata.namespace, name: persistentVolumeClaim.claimName };
    const volume = api.get<PersistentVolumeClaim>("persistentvolumeclaims", key)?.spec?.volumeName;
    if (volume) ofDriver(api.get<PersistentVolume>("persistentvolumes", { name: volume })?.spec?.csi?.driver);
  }
  return found;
}

/** A kubelet gets tokens for pods that are bound to its node. Throws 403 otherwise; others than kubelets may ask for any. */
export function assertTokenForOwnPod(
  user: UserInfo,
  serviceAccount: KubeObject,
  request: KubeObject,
  { api, isAllowed }: { api: Pick<KubeApi, "get">; isAllowed(attributes: AccessAttributes): boolean },
): void {
  const node = nodeOf({ user });
  if (node === undefined) return;
  const { name, namespace } = serviceAccount.metadata;
  const refused = (why: string) => forbidden("", "serviceaccounts", name, why);
  const { boundObjectRef: reference, audiences = [] } = (request.spec ?? {}) as {
    boundObjectRef?: { kind?: string; name?: string; uid?: string };
    audiences?: string[];
  };
  if (reference?.kind !== "Pod" || !reference.name) throw refused("node requested token not bound to a pod");
  if (!reference.uid) throw refused("node requested token with a pod binding without a uid");
  const pod = api.get<Pod>("pods", { namespace, name: reference.name });
  if (!pod) throw notFound("", "pods", reference.name);
  if (pod.metadata.uid !== reference.uid) {
    const why = `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict("", "pods", reference.name, why);
  }
  if (pod.spec?.nodeName !== node) throw refused("node requested token bound to a pod scheduled on a different node");
  for (const audience of audiences) {
    // Somebody may have been given an audience without a pod that asks for it.
    const resource = { group: "", version: "", resource: audience, namespace, name };
    if (audiencesOf(pod, api).has(audience)) continue;
    if (isAllowed({ user, verb: "request-serviceaccounts-token-audience", resource })) continue;
    throw refused(
      `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.username} is not authorized to request tokens for this audience`,
    );
  }
}

export const nodeRestriction: AdmissionPlugin = {
  name: "NodeRestriction",
  validate(request, reader) {
    const { group, resource } = request.info;
    const judge = JUDGES[group ? `${resource}.${group}` : resource];
    if (!judge) return;
    const node = nodeOf(request);
    if (node !== undefined) judge(node, request, reader);
  },
};
