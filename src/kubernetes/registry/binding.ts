import { formatSeconds } from "../../clock/clock.js";
import { badRequest, conflict } from "../errors.js";
import type { KubeObject } from "../object.js";

/** A core/v1 Binding: the scheduler's word on which node a pod goes to. */
export interface Binding extends KubeObject {
  target: { kind?: string; name: string };
}

interface BindablePod extends KubeObject {
  spec: { nodeName?: string; nodeSelector?: Record<string, string>; schedulingGates?: unknown[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** The pod bound to the node, with condition PodScheduled true; refusals are worded as `assignPod` upstream. */
export function bound(current: KubeObject, binding: Binding, nowMs: number): KubeObject {
  const pod = current as BindablePod;
  const nodeName = binding.target?.name;
  if (!nodeName) throw badRequest("target.name: Required value");
  if (binding.target.kind && binding.target.kind !== "Node")
    throw badRequest(`target.kind: Unsupported value: "${binding.target.kind}": supported values: "Node", "<empty>"`);
  const { uid, resourceVersion, annotations, labels } = binding.metadata ?? {};
  const refuse = (why: string): never => {
    throw conflict("", "pods/binding", pod.metadata.name, why);
  };
  if (uid && uid !== pod.metadata.uid)
    refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  if (pod.metadata.deletionTimestamp) refuse(`pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName) refuse(`pod ${pod.metadata.name} is already assigned to node "${pod.spec.nodeName}"`);
  if (pod.spec.schedulingGates?.length) refuse(`pod ${pod.metadata.name} has non-empty .spec.schedulingGates`);
  const scheduled = {
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: formatSeconds(nowMs),
  };
  const conditions = (pod.status?.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      resourceVersion: resourceVersion || pod.metadata.resourceVersion,
      ...(annotations ? { annotations: { ...pod.metadata.annotations, ...annotations } } : {}),
      ...(labels ? { labels: { ...pod.metadata.labels, ...labels } } : {}),
    },
    spec: { ...pod.spec, nodeName },
    status: { ...pod.status, conditions: [...conditions, scheduled] },
  };
}
