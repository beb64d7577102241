/** A kubelet changes nothing but its own Node and the pods on it (upstream: plugin/pkg/admission/noderestriction). */
import { forbidden } from "../errors.js";
import { sameValue } from "../registry/strategies/equality.js";
import type { Node, Pod } from "../schema/generated/types.js";
import type { AdmissionPlugin, AdmissionRequest } from "./plugin.js";

const NODE_USER = "system:node:";
const MIRROR = "kubernetes.io/config.mirror";
const RESTRICTED_LABELS = "node-restriction.kubernetes.io/";

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
    (key) => key.includes(RESTRICTED_LABELS) && labels[key] !== old[key],
  );
  if (touched.length > 0 && operation !== "DELETE") {
    throw forbidden("", "nodes", name, `is not allowed to modify labels: ${touched.sort().join(", ")}`);
  }
  if (operation === "UPDATE" && before && !sameValue((object as Node).spec?.taints, before.spec?.taints)) {
    throw forbidden("", "nodes", name, `node "${node}" is not allowed to modify taints`);
  }
}

function judgePod(node: string, { operation, name, object, previous, subresource }: AdmissionRequest): void {
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

const JUDGES: Readonly<Record<string, (node: string, request: AdmissionRequest) => void>> = {
  nodes: judgeNode,
  pods: judgePod,
};

export const nodeRestriction: AdmissionPlugin = {
  name: "NodeRestriction",
  validate(request) {
    const judge = request.info.group === "" ? JUDGES[request.info.resource] : undefined;
    if (!judge) return;
    const node = nodeOf(request);
    if (node !== undefined) judge(node, request);
  },
};
