/** EKS's mutating webhook for Fargate: new pods that match a profile are handed to Fargate's own scheduler. Pods that exist already are left alone. */
import { COMPUTE_TYPE, FARGATE_SCHEDULER, PROFILE_LABEL, profileFor } from "../../../domain/fargate.js";
import type { AdmissionPlugin } from "../../../kubernetes/admission/plugin.js";
import { podOf } from "../../../kubernetes/admission/pod-object.js";
import { controllerOf } from "../../../kubernetes/runtime/owners.js";
import type { FargateProfileSpec } from "../../backend.js";

const DEFAULT_SCHEDULER = "default-scheduler";
/** Fargate pods are alone on their machine: nothing may be put before them there. */
const PRIORITY_CLASS = "system-node-critical";

export function fargateAdmission(profiles: () => readonly FargateProfileSpec[]): AdmissionPlugin {
  return {
    name: "FargateProfiles",
    admit(request) {
      if (profiles().length === 0) return;
      const pod = podOf(request);
      if (!pod || pod.spec.nodeName) return;
      // CoreDNS of a cluster with nodes says so.
      if (pod.metadata.annotations?.[COMPUTE_TYPE] === "ec2") return;
      // Another scheduler was chosen on purpose; pods of DaemonSets belong to nodes that exist.
      if ((pod.spec.schedulerName ?? DEFAULT_SCHEDULER) !== DEFAULT_SCHEDULER) return;
      if (controllerOf(pod)?.kind === "DaemonSet") return;
      const profile = profileFor(profiles(), request.namespace ?? "", pod.metadata.labels);
      if (!profile) return;
      pod.metadata = { ...pod.metadata, labels: { ...pod.metadata.labels, [PROFILE_LABEL]: profile.name } };
      const { priority: _computedAnew, preemptionPolicy: _likewise, ...spec } = pod.spec;
      pod.spec = { ...spec, schedulerName: FARGATE_SCHEDULER, priorityClassName: PRIORITY_CLASS };
    },
  };
}
