/** What is wrong with machines, in the terms of the simulated Kubernetes. */
import { isHonoured } from "../../../domain/eks/token-times.js";
import type { NodeImpairment } from "../../../domain/impairments.js";
import type { NodeTrouble } from "../../../kubernetes/trouble.js";
import { BackendError } from "../../backend.js";
import type { PartEffect } from "./impair.js";

/** Conditions that the kubelet itself answers for: nobody else can report them. */
const KUBELETS_OWN: readonly string[] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

function troubleOf({ pressures, clockSkewMs, diskFull, imagePulls }: NodeImpairment): NodeTrouble {
  return {
    ...(pressures ? { pressures } : {}),
    // Kubelets on EKS show tokens that they sign by their own clock.
    ...(clockSkewMs ? { clockSkewMs, unauthorized: !isHonoured(clockSkewMs) } : {}),
    ...(diskFull ? { diskFull } : {}),
    ...(imagePulls ? { unpullable: imagePulls.images } : {}),
  };
}

/** Throws BackendError `unsupported` when something is to be found wrong that no monitoring could find. */
export function checkNodes(nodes: Readonly<Record<string, NodeImpairment>>): void {
  for (const { conditions = [] } of Object.values(nodes))
    for (const { type } of conditions)
      if (KUBELETS_OWN.includes(type))
        throw new BackendError(
          "unsupported",
          `the condition ${type} is reported by the kubelet itself: use pressures, or take away the node's power or network`,
        );
}

export const impairNodes: PartEffect<"nodes"> = ({ cluster, monitoring }, nodes) => {
  const troubles: Record<string, NodeTrouble> = {};
  const findings: Record<string, NonNullable<NodeImpairment["conditions"]>> = {};
  for (const [name, impairment] of Object.entries(nodes)) {
    troubles[name] = troubleOf(impairment);
    if (impairment.conditions) findings[name] = impairment.conditions;
  }
  cluster.setNodeTroubles(troubles);
  monitoring.setFindings(findings);
};
