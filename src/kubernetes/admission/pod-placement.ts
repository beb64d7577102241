/** Plugins that add to a pod what decides where and how it runs: Priority, DefaultTolerationSeconds, RuntimeClass. And new nodes' first taint. */
import { forbidden } from "../errors.js";
import type { Node, PriorityClass, RuntimeClass, Toleration } from "../schema/generated/types.js";
import type { AdmissionPlugin } from "./plugin.js";
import { podOf } from "./pod-object.js";

export const priority: AdmissionPlugin = {
  name: "Priority",
  admit(request, reader) {
    const pod = podOf(request);
    if (!pod) return;
    const name = pod.spec.priorityClassName;
    let found: PriorityClass | undefined;
    if (name) {
      found = reader.get("priorityclasses.scheduling.k8s.io", { name }) as PriorityClass | undefined;
      if (!found) throw forbidden("", "pods", request.name, `no PriorityClass with name ${name} was found`);
    } else {
      const defaults = (reader.list("priorityclasses.scheduling.k8s.io") as PriorityClass[]).filter(
        ({ globalDefault }) => globalDefault,
      );
      // Of several global defaults the lowest wins.
      found = defaults.reduce<PriorityClass | undefined>(
        (least, next) => (least && (least.value ?? 0) <= (next.value ?? 0) ? least : next),
        undefined,
      );
    }
    const value = found?.value ?? 0;
    const policy = found?.preemptionPolicy ?? "PreemptLowerPriority";
    const given = pod.spec.priority;
    if (given !== undefined && given !== value) {
      throw forbidden(
        "",
        "pods",
        request.name,
        `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    }
    if (pod.spec.preemptionPolicy !== undefined && pod.spec.preemptionPolicy !== policy) {
      throw forbidden(
        "",
        "pods",
        request.name,
        `the string value of PreemptionPolicy (${pod.spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    }
    pod.spec = {
      ...pod.spec,
      priority: value,
      preemptionPolicy: policy,
      ...(found && !name ? { priorityClassName: found.metadata.name } : {}),
    };
  },
  validate({ operation, info, object, name, subresource }, reader) {
    if (info.resource !== "priorityclasses" || subresource || (operation !== "CREATE" && operation !== "UPDATE"))
      return;
    if (!(object as PriorityClass).globalDefault) return;
    const other = (reader.list("priorityclasses.scheduling.k8s.io") as PriorityClass[]).find(
      (item) => item.globalDefault && item.metadata.name !== name,
    );
    if (other)
      throw forbidden(
        info.group,
        info.resource,
        name,
        `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
      );
  },
};

/** How long a pod stays bound to a node that is not ready or not reachable, unless it says otherwise: kube-apiserver's default. */
const DEFAULT_TOLERATION_SECONDS = 300;
/** One list for all pods that tolerate nothing else. */
const DEFAULT_TOLERATIONS: Toleration[] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(
  (key) => ({
    key,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: DEFAULT_TOLERATION_SECONDS,
  }),
);

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  admit(request) {
    const pod = podOf(request, ["CREATE", "UPDATE"]);
    if (!pod) return;
    const present = pod.spec.tolerations;
    if (!present?.length) {
      pod.spec = { ...pod.spec, tolerations: DEFAULT_TOLERATIONS };
      return;
    }
    const covers = (key: string) =>
      present.some(
        (toleration) =>
          (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === "NoExecute"),
      );
    const added = DEFAULT_TOLERATIONS.filter(({ key }) => !covers(key as string));
    if (added.length > 0) pod.spec = { ...pod.spec, tolerations: [...present, ...added] };
  },
};

export const runtimeClass: AdmissionPlugin = {
  name: "RuntimeClass",
  admit(request, reader) {
    const pod = podOf(request);
    const name = pod?.spec.runtimeClassName;
    if (!pod || !name) return;
    const found = reader.get("runtimeclasses.node.k8s.io", { name }) as RuntimeClass | undefined;
    if (!found) throw forbidden("", "pods", request.name, `pod rejected: RuntimeClass "${name}" not found`);
    const overhead = found.overhead?.podFixed;
    const { nodeSelector, tolerations } = found.scheduling ?? {};
    for (const [key, value] of Object.entries(nodeSelector ?? {})) {
      const chosen = pod.spec.nodeSelector?.[key];
      if (chosen !== undefined && chosen !== value) {
        throw forbidden(
          "",
          "pods",
          request.name,
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${chosen}`,
        );
      }
    }
    pod.spec = {
      ...pod.spec,
      ...(overhead ? { overhead } : {}),
      ...(nodeSelector ? { nodeSelector: { ...pod.spec.nodeSelector, ...nodeSelector } } : {}),
      ...(tolerations?.length ? { tolerations: [...(pod.spec.tolerations ?? []), ...tolerations] } : {}),
    };
  },
  validate(request) {
    const pod = podOf(request);
    if (pod?.spec.overhead && !pod.spec.runtimeClassName) {
      throw forbidden(
        "",
        "pods",
        request.name,
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
      );
    }
  },
};

/** Nobody is scheduled to a node before its conditions have been looked at. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  admit({ operation, info, subresource, object }) {
    if (info.resource !== "nodes" || operation !== "CREATE" || subresource) return;
    const node = object as Node;
    const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };
    const taints = node.spec?.taints ?? [];
    if (taints.some(({ key, effect }) => key === taint.key && effect === taint.effect)) return;
    node.spec = { ...node.spec, taints: [...taints, taint] };
  },
};
