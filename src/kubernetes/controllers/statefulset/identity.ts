import type { Draft } from "../../object.js";
import type {
  ControllerRevision,
  PersistentVolumeClaim,
  Pod,
  PodTemplateSpec,
  StatefulSet,
  Volume,
} from "../../schema/generated/types.js";
import { podFromTemplate } from "../pod-control.js";

/** Names, ordinals and claims of a StatefulSet's pods: what makes each of them itself over every replacement. */
const POD_NAME = "statefulset.kubernetes.io/pod-name";
const POD_INDEX = "apps.kubernetes.io/pod-index";
const REVISION_LABEL = "controller-revision-hash";

export const replicasOf = (set: StatefulSet): number => set.spec?.replicas ?? 1;
export const startOf = (set: StatefulSet): number => set.spec?.ordinals?.start ?? 0;

/** The ordinal in a pod's name; undefined when it is not a name of this set. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  if (!pod.metadata.name.startsWith(prefix)) return undefined;
  const digits = pod.metadata.name.slice(prefix.length);
  return /^\d+$/.test(digits) ? Number(digits) : undefined;
}

export const revisionOf = (pod: Pod): string | undefined => pod.metadata.labels?.[REVISION_LABEL];

export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

const claimName = (set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string =>
  `${template.metadata?.name ?? ""}-${set.metadata.name}-${ordinal}`;

/** The template that a revision holds. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined;
  const { $patch: _, ...template } = data?.spec?.template ?? {};
  return template;
}

/** The pod of an ordinal as a revision wants it. */
export function statefulPod(set: StatefulSet, ordinal: number, revision: ControllerRevision): Draft<Pod> {
  const name = podName(set, ordinal);
  const pod = podFromTemplate(templateOf(revision), set);
  const { metadata } = pod;
  const claims: Volume[] = (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    name: template.metadata?.name ?? "",
    persistentVolumeClaim: { claimName: claimName(set, template, ordinal) },
  }));
  const others = (pod.spec?.volumes ?? []).filter((volume) => !claims.some((claim) => claim.name === volume.name));
  const volumes = [...others, ...claims];
  const { serviceName } = set.spec ?? {};
  return {
    metadata: {
      ...metadata,
      // Upstream makes these pods as any others, and names them afterwards.
      generateName: `${set.metadata.name}-`,
      name,
      labels: {
        ...metadata.labels,
        [POD_NAME]: name,
        [POD_INDEX]: String(ordinal),
        [REVISION_LABEL]: revision.metadata.name,
      },
    },
    spec: {
      containers: [],
      ...pod.spec,
      hostname: name,
      ...(serviceName ? { subdomain: serviceName } : {}),
      ...(volumes.length ? { volumes } : {}),
    },
  };
}

/** The claims of an ordinal; they outlive the pod. */
export function claimsOf(set: StatefulSet, ordinal: number): Draft<PersistentVolumeClaim>[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    metadata: {
      ...(template.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace,
      labels: { ...template.metadata?.labels, ...set.spec?.selector.matchLabels },
    },
    spec: template.spec,
  }));
}
