import type { Draft } from "../../object.js";
import type { Container, Job, Pod } from "../../schema/generated/types.js";
import { podFromTemplate } from "../pod-control.js";
import { matchFailure, replacesFailedOnly } from "./policies.js";

/** The pods of a Job: how they are made, which completion index they carry and when they count as failed. */
/** Held by every pod until the Job has counted it, so that none is lost or counted twice. */
export const TRACKING = "batch.kubernetes.io/job-tracking";
const COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index";
const INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count";
const INDEX_IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count";
const INDEX_VARIABLE = "JOB_COMPLETION_INDEX";

export const isIndexed = (job: Job): boolean => job.spec?.completionMode === "Indexed";

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(TRACKING) ?? false;

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The pod's index when the Job has such an index (still). */
export function validIndexOf(job: Job, pod: Pod): number | undefined {
  const index = indexOf(pod);
  return index !== undefined && index < (job.spec?.completions ?? 0) ? index : undefined;
}

/** Unless the Job waits for the end of its pods, one that is being deleted counts as failed at once: it may never get to say so itself. */
export const isFailed = (job: Job, pod: Pod): boolean =>
  pod.status?.phase === "Failed" ||
  (!replacesFailedOnly(job) && pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== "Succeeded");

const countIn = (pod: Pod, annotation: string): number => {
  const text = pod.metadata.annotations?.[annotation] ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
};

/** Failures of the index before this pod that counted. */
export const indexFailures = (pod: Pod): number => countIn(pod, INDEX_FAILURES);

/** All of them. */
export const allIndexFailures = (pod: Pod): number => countIn(pod, INDEX_FAILURES) + countIn(pod, INDEX_IGNORED);

/** A pod to start. */
export interface Slot {
  /** Completion index, for Indexed Jobs. */
  index?: number;
  /** The failed pod of the index that it takes the place of. */
  replaces?: Pod;
}

export function jobPod(job: Job, { index, replaces }: Slot): Draft<Pod> {
  const pod = podFromTemplate(job.spec?.template, job);
  const finalizers = [...(pod.metadata.finalizers ?? []).filter((name) => name !== TRACKING), TRACKING];
  const metadata = { ...pod.metadata, finalizers };
  if (index === undefined || !pod.spec) return { ...pod, metadata };
  const text = String(index);
  const perIndex = job.spec?.backoffLimitPerIndex === undefined ? {} : failureAnnotations(job, replaces);
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: indexedPrefix(job.metadata.name, index),
      labels: { ...metadata.labels, [COMPLETION_INDEX]: text },
      annotations: { ...metadata.annotations, [COMPLETION_INDEX]: text, ...perIndex },
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: pod.spec.containers.map(withIndex),
      ...(pod.spec.initContainers ? { initContainers: pod.spec.initContainers.map(withIndex) } : {}),
    },
  };
}

/** The name of the Job is cut so that the index and five random characters fit into a label (upstream's podGenerateNameWithIndex). */
function indexedPrefix(name: string, index: number): string {
  const suffix = `-${index}-`;
  return `${name.slice(0, 63 - 5 - suffix.length)}${suffix}`;
}

function failureAnnotations(job: Job, replaces: Pod | undefined): Record<string, string> {
  if (!replaces) return { [INDEX_FAILURES]: "0" };
  const counts = matchFailure(job.spec?.podFailurePolicy, replaces).counts;
  const ignored = countIn(replaces, INDEX_IGNORED) + Number(!counts);
  return {
    [INDEX_FAILURES]: String(indexFailures(replaces) + Number(counts)),
    ...(ignored > 0 ? { [INDEX_IGNORED]: String(ignored) } : {}),
  };
}

const withIndex = (container: Container): Container =>
  container.env?.some(({ name }) => name === INDEX_VARIABLE)
    ? container
    : {
        ...container,
        env: [
          ...(container.env ?? []),
          { name: INDEX_VARIABLE, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } } },
        ],
      };
