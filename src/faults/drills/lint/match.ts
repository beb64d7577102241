/** Whether pods and nodes suit each other: labels, taints, volumes. The rules are those of kube-scheduler's filters. */
import { meets } from "../../../domain/auto-mode/requirements.js";
import type { ClaimFacts, Labels, NodeFacts, PodFacts, PodTerm, Taint, Term, Toleration } from "./facts.js";

export const matches = (selector: Term, labels: Labels): boolean => meets(labels, selector);

export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    ({ key, operator = "Equal", value = "", effect }) =>
      (effect === undefined || effect === "" || effect === taint.effect) &&
      (key === undefined || key === "" ? operator === "Exists" : key === taint.key) &&
      (operator === "Exists" || value === (taint.value ?? "")),
  );
}

const CORDON: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** Taints that keep new pods away, the cordon among them. */
export const isTaintedFor = ({ tolerations }: Pick<PodFacts, "tolerations">, node: NodeFacts): boolean =>
  (node.unschedulable && !tolerates(tolerations, CORDON)) ||
  node.taints.some((taint) => taint.effect !== "PreferNoSchedule" && !tolerates(tolerations, taint));

/** nodeSelector and required node affinity. */
export function isWantedBy({ nodeSelector, nodeTerms }: PodFacts, { labels }: NodeFacts): boolean {
  for (const key in nodeSelector) if (labels[key] !== nodeSelector[key]) return false;
  return nodeTerms === undefined || nodeTerms.some((term) => term.length > 0 && meets(labels, term));
}

export const reaches = ({ reachableFrom }: ClaimFacts, { labels }: NodeFacts): boolean =>
  reachableFrom === undefined || reachableFrom.some((term) => meets(labels, term));

/** Whether a pod is one of those that a term is about. */
export const isMeantBy = (term: PodTerm, pod: Pick<PodFacts, "namespace" | "labels">): boolean =>
  (term.namespaces === undefined || term.namespaces.includes(pod.namespace)) && matches(term.selector, pod.labels);

/** How long it stays on a node that nobody hears of any more, in seconds; undefined: for good. */
export function stayOnUnreachable({ tolerations }: Pick<PodFacts, "tolerations">): number | undefined {
  const taint: Taint = { key: "node.kubernetes.io/unreachable", effect: "NoExecute" };
  const own = tolerations.filter((toleration) => tolerates([toleration], taint));
  if (own.length === 0) return 0;
  if (own.some(({ tolerationSeconds }) => tolerationSeconds === undefined)) return undefined;
  return Math.max(0, Math.min(...own.map(({ tolerationSeconds = 0 }) => tolerationSeconds)));
}

/** `80/TCP` takes the port of every address, `80/TCP/10.0.0.1` of that alone. */
export function portsClash(a: readonly string[], b: readonly string[]): boolean {
  return a.some((one) =>
    b.some((other) => {
      const [port, protocol, address] = one.split("/");
      const [otherPort, otherProtocol, otherAddress] = other.split("/");
      return (
        port === otherPort &&
        protocol === otherProtocol &&
        (address === undefined || otherAddress === undefined || address === otherAddress)
      );
    }),
  );
}
