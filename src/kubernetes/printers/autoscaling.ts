/** HorizontalPodAutoscalers: what is measured against what is aimed at. */
import type {
  HorizontalPodAutoscaler,
  V2HorizontalPodAutoscaler,
  V2MetricSpec,
  V2MetricStatus,
  V2MetricTarget,
  V2MetricValueStatus,
} from "../schema/generated/types.js";
import { age, type Column, count, listed, name, type Printer, printer, text } from "./column.js";

const SHOWN_METRICS = 2;
const UNKNOWN = "<unknown>";

const percent = (value: number | undefined): string | undefined => (value === undefined ? undefined : `${value}%`);

/** Pod resources, aimed at as an average amount or as a percentage of the requests. */
function resourceText(
  resource: { name: string; target: V2MetricTarget },
  current: V2MetricValueStatus | undefined,
): string {
  const { averageValue, averageUtilization } = resource.target;
  return averageValue !== undefined
    ? `${resource.name}: ${current?.averageValue ?? UNKNOWN}/${averageValue}`
    : `${resource.name}: ${percent(current?.averageUtilization) ?? UNKNOWN}/${percent(averageUtilization) ?? "<auto>"}`;
}

/** Metrics of something else, aimed at as a whole or as an average over the pods. */
function valueText(target: V2MetricTarget, current: V2MetricValueStatus | undefined): string {
  return target.averageValue !== undefined
    ? `${current?.averageValue ?? UNKNOWN}/${target.averageValue} (avg)`
    : `${current?.value ?? UNKNOWN}/${target.value ?? "0"}`;
}

const METRICS: Readonly<
  Record<string, (spec: V2MetricSpec, status: V2MetricStatus | undefined) => string | undefined>
> = {
  External: ({ external }, status) => external && valueText(external.target, status?.external?.current),
  Object: ({ object }, status) => object && valueText(object.target, status?.object?.current),
  Pods: ({ pods }, status) =>
    pods && `${status?.pods?.current.averageValue ?? UNKNOWN}/${pods.target.averageValue ?? "0"}`,
  Resource: ({ resource }, status) => resource && resourceText(resource, status?.resource?.current),
  ContainerResource: ({ containerResource }, status) =>
    containerResource && resourceText(containerResource, status?.containerResource?.current),
};

function metricsText({ spec, status }: V2HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const texts = metrics.map(
    (metric, index) => METRICS[metric.type]?.(metric, status?.currentMetrics?.[index]) ?? "<unknown type>",
  );
  return listed(texts, SHOWN_METRICS, ", ");
}

/** autoscaling/v1 knows CPU utilisation only. */
function cpuText({ spec, status }: HorizontalPodAutoscaler): string {
  const target = percent(spec?.targetCPUUtilizationPercentage);
  return target === undefined
    ? "<none>"
    : `cpu: ${percent(status?.currentCPUUtilizationPercentage) ?? UNKNOWN}/${target}`;
}

type Autoscaler = HorizontalPodAutoscaler | V2HorizontalPodAutoscaler;

const autoscalerColumns = <T extends Autoscaler>(targets: (object: T) => string): Column<T>[] => [
  name,
  text("Reference", ({ spec }) => `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`, "What is scaled."),
  text("Targets", targets, "Measured and wanted values of the metrics."),
  text("MinPods", ({ spec }) => String(spec?.minReplicas ?? "<unset>"), "Fewest pods it may scale to."),
  count("MaxPods", ({ spec }) => spec?.maxReplicas, "Most pods it may scale to."),
  count("Replicas", ({ status }) => status?.currentReplicas, "Pods there are."),
  age,
];

export const autoscalingPrinters: Readonly<Record<string, Printer>> = {
  HorizontalPodAutoscaler: printer(...autoscalerColumns<HorizontalPodAutoscaler>(cpuText)),
  V2HorizontalPodAutoscaler: printer(...autoscalerColumns<V2HorizontalPodAutoscaler>(metricsText)),
};
