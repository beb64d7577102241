/**
 * Resources that are served in more than one API version from one stored form. Two of the stable ones are: HorizontalPodAutoscalers (stored as autoscaling/v2)
 * and Events (stored as core/v1, also served as events.k8s.io/v1).
 */
import type { KubeObject } from "../../object.js";
import type {
  CoreEvent,
  EventsEvent,
  HorizontalPodAutoscaler,
  V2HorizontalPodAutoscaler,
  V2MetricSpec,
} from "../../schema/generated/types.js";
import { defined } from "./defaulting.js";

interface Conversion {
  /** apiVersion of the stored form. */
  stored: string;
  /** By apiVersion of the other forms. */
  others: Readonly<
    Record<string, { toStored(object: KubeObject): KubeObject; fromStored(object: KubeObject): KubeObject }>
  >;
}

/** v1 has one metric of its own; what else a v2 object holds survives a round trip in this annotation, as upstream. */
const V2_METRICS = "autoscaling.alpha.kubernetes.io/metrics";
const V2_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior";
const V2_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions";
const V2_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics";

const isCpuUtilization = (metric: V2MetricSpec): boolean =>
  metric.type === "Resource" &&
  metric.resource?.name === "cpu" &&
  metric.resource.target.averageUtilization !== undefined;

function autoscalerToV1(object: KubeObject): KubeObject {
  const { spec, status, metadata } = object as V2HorizontalPodAutoscaler;
  const cpu = spec.metrics?.find(isCpuUtilization);
  const others = spec.metrics?.filter((metric) => metric !== cpu) ?? [];
  const kept: Record<string, unknown> = {
    ...(others.length > 0 ? { [V2_METRICS]: others } : {}),
    ...(spec.behavior ? { [V2_BEHAVIOR]: spec.behavior } : {}),
    ...(status?.conditions?.length ? { [V2_CONDITIONS]: status.conditions } : {}),
    ...(status?.currentMetrics?.length ? { [V2_CURRENT_METRICS]: status.currentMetrics } : {}),
  };
  const annotations = Object.fromEntries(Object.entries(kept).map(([key, value]) => [key, JSON.stringify(value)]));
  const current = status?.currentMetrics?.find(
    (metric) => metric.type === "Resource" && metric.resource?.name === "cpu",
  );
  const result: HorizontalPodAutoscaler = {
    apiVersion: "autoscaling/v1",
    kind: object.kind,
    metadata:
      Object.keys(annotations).length > 0
        ? { ...metadata, annotations: { ...metadata.annotations, ...annotations } }
        : metadata,
    spec: defined({
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      targetCPUUtilizationPercentage: cpu?.resource?.target.averageUtilization,
    }),
    status:
      status &&
      defined({
        observedGeneration: status.observedGeneration,
        lastScaleTime: status.lastScaleTime,
        currentReplicas: status.currentReplicas ?? 0,
        desiredReplicas: status.desiredReplicas,
        currentCPUUtilizationPercentage: current?.resource?.current.averageUtilization,
      }),
  };
  return defined(result);
}

function autoscalerFromV1(object: KubeObject): KubeObject {
  const { spec, status, metadata } = object as HorizontalPodAutoscaler;
  const {
    [V2_METRICS]: metrics,
    [V2_BEHAVIOR]: behavior,
    [V2_CONDITIONS]: conditions,
    [V2_CURRENT_METRICS]: current,
    ...annotations
  } = metadata.annotations ?? {};
  const parsed = <T>(text: string | undefined): T | undefined => {
    try {
      return text === undefined ? undefined : (JSON.parse(text) as T);
    } catch {
      return undefined;
    }
  };
  const cpu = spec?.targetCPUUtilizationPercentage;
  const own: V2MetricSpec[] =
    cpu === undefined
      ? []
      : [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpu } } }];
  const all = [...(parsed<V2MetricSpec[]>(metrics) ?? []), ...own];
  return defined({
    apiVersion: "autoscaling/v2",
    kind: object.kind,
    metadata: metadata.annotations ? { ...metadata, annotations } : metadata,
    spec:
      spec &&
      defined({
        scaleTargetRef: spec.scaleTargetRef,
        minReplicas: spec.minReplicas,
        maxReplicas: spec.maxReplicas,
        ...(all.length > 0 ? { metrics: all } : {}),
        behavior: parsed(behavior),
      }),
    status:
      status &&
      defined({
        observedGeneration: status.observedGeneration,
        lastScaleTime: status.lastScaleTime,
        currentReplicas: status.currentReplicas,
        desiredReplicas: status.desiredReplicas,
        conditions: parsed(conditions),
        currentMetrics: parsed(current),
      }),
  });
}

function eventToEvents(object: KubeObject): KubeObject {
  const event = object as CoreEvent;
  const result: EventsEvent = {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: event.metadata,
    // The new API requires eventTime; old events only have their first time.
    eventTime: event.eventTime as string,
    action: event.action,
    reason: event.reason,
    note: event.message,
    type: event.type,
    regarding: event.involvedObject,
    related: event.related,
    reportingController: event.reportingComponent,
    reportingInstance: event.reportingInstance,
    series: event.series && { count: event.series.count ?? 0, lastObservedTime: event.series.lastObservedTime ?? "" },
    deprecatedCount: event.count,
    deprecatedFirstTimestamp: event.firstTimestamp,
    deprecatedLastTimestamp: event.lastTimestamp,
    deprecatedSource: event.source,
  };
  return defined(result);
}

function eventFromEvents(object: KubeObject): KubeObject {
  const event = object as EventsEvent;
  const result: CoreEvent = {
    apiVersion: "v1",
    kind: "Event",
    metadata: event.metadata,
    eventTime: event.eventTime,
    action: event.action,
    reason: event.reason,
    message: event.note,
    type: event.type,
    involvedObject: event.regarding ?? {},
    related: event.related,
    reportingComponent: event.reportingController,
    reportingInstance: event.reportingInstance,
    series: event.series,
    count: event.deprecatedCount,
    firstTimestamp: event.deprecatedFirstTimestamp,
    lastTimestamp: event.deprecatedLastTimestamp,
    source: event.deprecatedSource,
  };
  return defined(result);
}

/** By the name of the stored resource. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  "horizontalpodautoscalers.autoscaling": {
    stored: "autoscaling/v2",
    others: { "autoscaling/v1": { toStored: autoscalerFromV1, fromStored: autoscalerToV1 } },
  },
  events: { stored: "v1", others: { "events.k8s.io/v1": { toStored: eventFromEvents, fromStored: eventToEvents } } },
};

/** Resources that are another resource's storage under a different group. */
const STORED_AS: Readonly<Record<string, string>> = { "events.events.k8s.io": "events" };

/** Under which name a resource's objects are stored: `events` for `events.events.k8s.io`, else the name itself. */
export const storedResource = (resource: string): string => STORED_AS[resource] ?? resource;

/** The object in the stored version of its resource; the same object when it is that already. */
export function toStoredVersion(resource: string, object: KubeObject): KubeObject {
  const conversion = CONVERSIONS[storedResource(resource)];
  return conversion?.others[object.apiVersion]?.toStored(object) ?? object;
}

/** A stored object as `apiVersion` shows it; the same object when it is stored that way. */
export function fromStoredVersion(resource: string, object: KubeObject, apiVersion: string): KubeObject {
  const conversion = CONVERSIONS[storedResource(resource)];
  return conversion?.others[apiVersion]?.fromStored(object) ?? object;
}
