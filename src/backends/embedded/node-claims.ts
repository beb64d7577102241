/** EKS Auto Mode writes its NodeClaims itself, and lets nobody else: they say what it has launched. Those of Karpenter that users run themselves are theirs. */
import { NODE_CLAIMS, NODE_CLASS_GROUP } from "../../domain/auto-mode/node-claim.js";
import type { AdmissionPlugin } from "../../kubernetes/admission/plugin.js";
import { forbidden } from "../../kubernetes/errors.js";
import type { KubeObject } from "../../kubernetes/object.js";

interface NodeClaim extends KubeObject {
  spec?: { nodeClassRef?: { group?: string } };
}

/** EKS's own components, and Kubernetes'. */
const isOwn = (username: string): boolean => /^(eks:|system:(?!serviceaccount:(?!kube-system:)))/.test(username);

const isOfAutoMode = (claim: NodeClaim | undefined): boolean => claim?.spec?.nodeClassRef?.group === NODE_CLASS_GROUP;

export const nodeClaimAdmission: AdmissionPlugin = {
  name: "AutoModeNodeClaims",
  validate({ info: { group, resource }, name, user, object, previous }) {
    if (`${resource}.${group}` !== NODE_CLAIMS || isOwn(user.username)) return;
    if (!isOfAutoMode(object) && !isOfAutoMode(previous)) return;
    throw forbidden(
      group,
      resource,
      name,
      "EKS Auto Mode keeps its node claims itself; change their node pool instead",
    );
  },
};
