/**
 * What clients may write although nothing in this simulated cluster acts upon it. Whoever does is told so by a warning: the table below is the whole list
 * for built-in kinds, and a controller that is added takes its line away.
 */
import type { KubeObject } from "../../object.js";
import type { PodSpec } from "../../schema/generated/types.js";
import { podSpecIn } from "./pod-specs.js";

type Silence = string | ((object: KubeObject) => string | undefined);

const noDevices = "devices are not allocated in this simulated cluster";

const KINDS: Readonly<Record<string, Silence>> = {
  "flowschemas.flowcontrol.apiserver.k8s.io": "priority and fairness is not enforced by this simulated API server",
  "networkpolicies.networking.k8s.io":
    "pods of this simulated cluster have no network: policies have nothing to filter",
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io":
    "priority and fairness is not enforced by this simulated API server",
  "resourceclaims.resource.k8s.io": noDevices,
  "resourceclaimtemplates.resource.k8s.io": noDevices,
};

/** Parts of pods, by what shows that a pod has them. */
const POD_PARTS: readonly { has: (spec: PodSpec) => boolean; text: string }[] = [
  { has: ({ resourceClaims }) => (resourceClaims?.length ?? 0) > 0, text: noDevices },
];

/** What of the object has no effect here, in words for the client who wrote it. */
export function notSimulated(resource: string, object: KubeObject): string[] {
  const silence = KINDS[resource];
  const text = typeof silence === "function" ? silence(object) : silence;
  const pods = podSpecIn(resource, object);
  const parts = pods ? POD_PARTS.filter(({ has }) => has(pods.spec)) : [];
  return [...(text === undefined ? [] : [text]), ...parts.map((part) => `${pods?.path}: ${part.text}`)];
}
