/** Nodes, namespaces, events and the small kinds that configure pods. */
import type {
  ComponentStatus,
  ConfigMap,
  CoreEvent,
  EventsEvent,
  Lease,
  Namespace,
  Node,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Secret,
  ServiceAccount,
} from "../schema/generated/types.js";
import {
  age,
  boolean,
  type Column,
  conditionStatus,
  count,
  integer,
  joined,
  name,
  orNone,
  type Printer,
  printer,
  text,
  wideText,
} from "./column.js";
import { ageOf } from "./human-duration.js";

function nodeStatus({ spec, status }: Node): string {
  const ready = conditionStatus(status?.conditions, "Ready");
  const state = ready === undefined ? "Unknown" : ready === "True" ? "Ready" : "NotReady";
  return spec?.unschedulable ? `${state},SchedulingDisabled` : state;
}

const ROLE_PREFIX = "node-role.kubernetes.io/";

/** Roles come from labels: `node-role.kubernetes.io/<role>` and `kubernetes.io/role=<role>`. */
function nodeRoles({ metadata }: Node): string {
  const roles = Object.entries(metadata.labels ?? {}).map(([label, value]) =>
    label.startsWith(ROLE_PREFIX) ? label.slice(ROLE_PREFIX.length) : label === "kubernetes.io/role" ? value : "",
  );
  return joined([...new Set(roles)].filter((role) => role !== "").sort());
}

const nodeAddress = ({ status }: Node, type: string): string =>
  orNone(status?.addresses?.find((address) => address.type === type)?.address);

const kernelOf = (info: { kernelVersion?: string; architecture?: string } | undefined): string =>
  orUnknown(info?.kernelVersion) + (info?.architecture ? ` (${info.architecture})` : "");

const orUnknown = (value: string | undefined): string => value || "<unknown>";

/** What both versions of events have in common; in events.k8s.io some of it has other names. */
interface EventFacts {
  first: string | undefined;
  last: string | undefined;
  count: number | undefined;
  object: { kind?: string; name?: string; fieldPath?: string } | undefined;
  source: (string | undefined)[];
  message: string | undefined;
}

const coreFacts = (event: CoreEvent): EventFacts => ({
  first: event.firstTimestamp || event.eventTime,
  last: event.series?.lastObservedTime || event.lastTimestamp,
  count: event.series?.count ?? event.count,
  object: event.involvedObject,
  source: [event.source?.component || event.reportingComponent, event.source?.host || event.reportingInstance],
  message: event.message,
});

const eventsFacts = (event: EventsEvent): EventFacts => ({
  first: event.deprecatedFirstTimestamp || event.eventTime,
  last: event.series?.lastObservedTime || event.deprecatedLastTimestamp,
  count: event.series?.count ?? event.deprecatedCount,
  object: event.regarding,
  source: [
    event.deprecatedSource?.component || event.reportingController,
    event.deprecatedSource?.host || event.reportingInstance,
  ],
  message: event.note,
});

function involved({ object }: EventFacts): string {
  const kind = (object?.kind ?? "").toLowerCase();
  return object?.name ? `${kind}/${object.name}` : kind;
}

const eventColumns = <T extends CoreEvent | EventsEvent>(facts: (event: T) => EventFacts): Column<T>[] => [
  text(
    "Last Seen",
    (event, nowMs) => ageOf(facts(event).last || facts(event).first, nowMs),
    "Time since it happened last.",
  ),
  text("Type", ({ type }) => type, "Normal or Warning."),
  text("Reason", ({ reason }) => reason, "Why it happened, in one word."),
  text("Object", (event) => involved(facts(event)), "What it happened to."),
  wideText("Subobject", (event) => facts(event).object?.fieldPath, "Part of the object that it is about."),
  wideText("Source", (event) => facts(event).source.filter(Boolean).join(", "), "Component that reported it."),
  text("Message", (event) => facts(event).message?.trim(), "What happened."),
  wideText("First Seen", (event, nowMs) => ageOf(facts(event).first, nowMs), "Time since it happened first."),
  { ...count<T>("Count", (event) => facts(event).count || 1, "How often it happened."), priority: 1 },
  { ...name, priority: 1 },
];

/** Used and hard amounts; those of limits have a column of their own. */
function quotaText({ status }: ResourceQuota, limits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter((resource) => resource.startsWith("limits.") === limits)
    .sort()
    .map((resource) => `${resource}: ${status?.used?.[resource] ?? "0"}/${status?.hard?.[resource]}`)
    .join(", ");
}

const sizeOf = (map: object | undefined): number => Object.keys(map ?? {}).length;

const HEALTH: Readonly<Record<string, string>> = { True: "Healthy", False: "Unhealthy", Unknown: "Unhealthy" };
const health = ({ conditions }: ComponentStatus) => conditions?.find(({ type }) => type === "Healthy");

export const clusterPrinters: Readonly<Record<string, Printer>> = {
  Node: printer<Node>(
    name,
    text("Status", nodeStatus, "Whether the node is ready and takes pods."),
    text("Roles", (node) => orNone(nodeRoles(node)), "Roles that labels give the node."),
    age,
    text("Version", ({ status }) => status?.nodeInfo?.kubeletVersion, "Version of the kubelet."),
    wideText("Internal-IP", (node) => nodeAddress(node, "InternalIP"), "Address inside the network."),
    wideText("External-IP", (node) => nodeAddress(node, "ExternalIP"), "Address outside of the network."),
    wideText("OS-Image", ({ status }) => orUnknown(status?.nodeInfo?.osImage), "Operating system."),
    wideText(
      "Kernel-Version",
      ({ status }) => kernelOf(status?.nodeInfo),
      "Version of the kernel, and what it runs on.",
    ),
    wideText(
      "Container-Runtime",
      ({ status }) => orUnknown(status?.nodeInfo?.containerRuntimeVersion),
      "Name and version of the container runtime.",
    ),
  ),
  Namespace: printer<Namespace>(
    name,
    text("Status", ({ status }) => status?.phase, "Phase of the namespace."),
    age,
  ),
  CoreEvent: printer(...eventColumns<CoreEvent>(coreFacts)),
  EventsEvent: printer(...eventColumns<EventsEvent>(eventsFacts)),
  ConfigMap: printer<ConfigMap>(
    name,
    count("Data", ({ data, binaryData }) => sizeOf(data) + sizeOf(binaryData), "Number of entries."),
    age,
  ),
  Secret: printer<Secret>(
    name,
    text("Type", ({ type }) => type, "What the secret is for."),
    count("Data", ({ data }) => sizeOf(data), "Number of entries."),
    age,
  ),
  ServiceAccount: printer<ServiceAccount>(name, age),
  ResourceQuota: printer<ResourceQuota>(
    name,
    text("Request", (quota) => quotaText(quota, false), "Used and allowed requests and objects."),
    text("Limit", (quota) => quotaText(quota, true), "Used and allowed limits."),
    age,
  ),
  PriorityClass: printer<PriorityClass>(
    name,
    integer("Value", ({ value }) => value, "Priority of pods of the class."),
    boolean("Global-Default", ({ globalDefault }) => globalDefault ?? false, "Whether pods without a class get it."),
    age,
    text("PreemptionPolicy", ({ preemptionPolicy }) => preemptionPolicy, "Whether pods of the class may evict others."),
  ),
  RuntimeClass: printer<RuntimeClass>(
    name,
    text("Handler", ({ handler }) => handler, "Runtime that runs the pods."),
    age,
  ),
  Lease: printer<Lease>(
    name,
    text("Holder", ({ spec }) => spec?.holderIdentity, "Who holds the lease."),
    age,
  ),
  ComponentStatus: printer<ComponentStatus>(
    name,
    text(
      "Status",
      (component) => HEALTH[health(component)?.status ?? ""] ?? "Unknown",
      "Whether the component is healthy.",
    ),
    text("Message", (component) => health(component)?.message, "What the component says."),
    text("Error", (component) => health(component)?.error, "What is wrong with it."),
  ),
};
