/** Kinds that run pods, and what limits or scales them. */
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  LabelSelector,
  PodDisruptionBudget,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  Scale,
  StatefulSet,
} from "../schema/generated/types.js";
import {
  age,
  boolean,
  type Column,
  conditionStatus,
  count,
  integer,
  name,
  orNone,
  type Printable,
  type Printer,
  printer,
  text,
  wideText,
} from "./column.js";
import { ageOf, humanDuration } from "./human-duration.js";
import { containerImages, containerNames } from "./pods.js";
import { labelsText, selectorOrNone, selectorText } from "./selector-text.js";

/** The wide columns that tell what runs. */
const templateColumns = <T extends Printable>(template: (object: T) => PodTemplateSpec | undefined): Column<T>[] => [
  wideText(
    "Containers",
    (object) => containerNames(template(object)?.spec?.containers),
    "Names of the template's containers.",
  ),
  wideText(
    "Images",
    (object) => containerImages(template(object)?.spec?.containers),
    "Images of the template's containers.",
  ),
];

const selectorColumn = <T extends Printable>(selector: (object: T) => string): Column<T> =>
  wideText("Selector", selector, "Labels of the pods that belong to it.");

interface Replicated extends Printable {
  spec?: { replicas?: number; template?: PodTemplateSpec };
  status?: { replicas?: number; readyReplicas?: number };
}

const replicaColumns = <T extends Replicated>(selector: (object: T) => string): Printer =>
  printer<T>(
    name,
    integer("Desired", ({ spec }) => spec?.replicas, "Pods wanted."),
    integer("Current", ({ status }) => status?.replicas, "Pods there are."),
    integer("Ready", ({ status }) => status?.readyReplicas, "Pods that are ready."),
    age,
    ...templateColumns<T>(({ spec }) => spec?.template),
    selectorColumn(selector),
  );

function completions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: Job, nowMs: number): string {
  if (!status?.startTime) return "";
  const end = status.completionTime ? Date.parse(status.completionTime) : nowMs;
  return humanDuration(end - Date.parse(status.startTime));
}

/** Conditions that name a job's status, in order of weight; a deletion stands between the final ones and the rest. */
function jobStatus({ metadata, status }: Job): string {
  const holds = (type: string): boolean => conditionStatus(status?.conditions, type) === "True";
  if (holds("Complete")) return "Complete";
  if (holds("Failed")) return "Failed";
  if (metadata.deletionTimestamp) return "Terminating";
  if (holds("Suspended")) return "Suspended";
  return holds("FailureTarget") ? "FailureTarget" : "Running";
}

const triState = (value: boolean | undefined): string => (value === undefined ? "<unset>" : value ? "True" : "False");

/** `deployment.apps/web`; `<none>` for an orphan. */
function controllerName({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return "<none>";
  const slash = owner.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : `.${owner.apiVersion.slice(0, slash)}`;
  return `${(owner.kind + group).toLowerCase()}/${owner.name}`;
}

const selectorOf = ({ spec }: Printable & { spec?: { selector?: LabelSelector } }): string =>
  selectorOrNone(spec?.selector);

export const workloadPrinters: Readonly<Record<string, Printer>> = {
  ReplicationController: replicaColumns<ReplicationController>(({ spec }) => labelsText(spec?.selector)),
  ReplicaSet: replicaColumns<ReplicaSet>(selectorOf),
  Deployment: printer<Deployment>(
    name,
    text(
      "Ready",
      ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
      "Ready pods of those wanted.",
    ),
    count("Up-to-date", ({ status }) => status?.updatedReplicas, "Pods made from the present template."),
    count("Available", ({ status }) => status?.availableReplicas, "Pods that have been ready for minReadySeconds."),
    age,
    ...templateColumns<Deployment>(({ spec }) => spec?.template),
    selectorColumn(({ spec }) => selectorText(spec?.selector)),
  ),
  DaemonSet: printer<DaemonSet>(
    name,
    integer("Desired", ({ status }) => status?.desiredNumberScheduled, "Nodes that should run the pod."),
    integer("Current", ({ status }) => status?.currentNumberScheduled, "Nodes that should run the pod and do."),
    integer("Ready", ({ status }) => status?.numberReady, "Nodes on which the pod is ready."),
    integer("Up-to-date", ({ status }) => status?.updatedNumberScheduled, "Nodes that run the present template."),
    integer("Available", ({ status }) => status?.numberAvailable, "Nodes on which the pod is available."),
    text(
      "Node Selector",
      ({ spec }) => labelsText(spec?.template.spec?.nodeSelector),
      "Labels of the nodes that count.",
    ),
    age,
    ...templateColumns<DaemonSet>(({ spec }) => spec?.template),
    selectorColumn(selectorOf),
  ),
  StatefulSet: printer<StatefulSet>(
    name,
    text(
      "Ready",
      ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
      "Ready pods of those wanted.",
    ),
    age,
    ...templateColumns<StatefulSet>(({ spec }) => spec?.template),
  ),
  Job: printer<Job>(
    name,
    text("Status", jobStatus, "State of the job."),
    text("Completions", completions, "Pods that succeeded, of those needed."),
    text("Duration", jobDuration, "Time from start to completion."),
    age,
    ...templateColumns<Job>(({ spec }) => spec?.template),
    selectorColumn(selectorOf),
  ),
  CronJob: printer<CronJob>(
    name,
    text("Schedule", ({ spec }) => spec?.schedule, "When jobs are started, in cron format."),
    text("Timezone", ({ spec }) => orNone(spec?.timeZone), "Time zone of the schedule."),
    boolean("Suspend", ({ spec }) => triState(spec?.suspend), "Whether new jobs are held back."),
    integer("Active", ({ status }) => status?.active?.length, "Jobs running now."),
    text(
      "Last Schedule",
      ({ status }, nowMs) => (status?.lastScheduleTime ? ageOf(status.lastScheduleTime, nowMs) : "<none>"),
      "Time since a job was started.",
    ),
    age,
    ...templateColumns<CronJob>(({ spec }) => spec?.jobTemplate.spec?.template),
    selectorColumn(({ spec }) => selectorOrNone(spec?.jobTemplate.spec?.selector)),
  ),
  ControllerRevision: printer<ControllerRevision>(
    name,
    text("Controller", controllerName, "Controller that the revision belongs to."),
    count("Revision", ({ revision }) => revision, "Number of the revision."),
    age,
  ),
  PodDisruptionBudget: printer<PodDisruptionBudget>(
    name,
    text("Min Available", ({ spec }) => String(spec?.minAvailable ?? "N/A"), "Pods that must stay available."),
    text("Max Unavailable", ({ spec }) => String(spec?.maxUnavailable ?? "N/A"), "Pods that may be unavailable."),
    integer("Allowed Disruptions", ({ status }) => status?.disruptionsAllowed, "Pods that may be evicted now."),
    age,
  ),
  Scale: printer<Scale>(
    name,
    integer("Desired", ({ spec }) => spec?.replicas, "Pods wanted."),
    integer("Available", ({ status }) => status?.replicas, "Pods there are."),
    age,
  ),
};
