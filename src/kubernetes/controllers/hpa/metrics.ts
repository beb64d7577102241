import type { KubeApi } from "../../api.js";
import { POD_METRICS, type PodMetrics } from "../../metrics/metrics-api.js";
import { formatQuantity, isQuantity, quantityToMilli } from "../../registry/quantity.js";
import type {
  Pod,
  V2HorizontalPodAutoscaler,
  V2MetricSpec,
  V2MetricStatus,
  V2MetricTarget,
} from "../../schema/generated/types.js";
import { MetricError, type PodSample, replicasByPods, replicasByValue, type Tolerances } from "./replicas.js";

/**
 * What each kind of metric asks for. Resource metrics are those of metrics.k8s.io. For the others no adapter exists in a new cluster; the annotation
 * eksim.dev/metrics of the autoscaler can play one: a JSON object from the metric's name to its value, per pod for metrics of type Pods.
 */
const PROGRAMMED = "eksim.dev/metrics";

export interface Question {
  autoscaler: V2HorizontalPodAutoscaler;
  /** The target's pods. */
  pods: readonly Pod[];
  currentReplicas: number;
  tolerances: Tolerances;
  nowMs: number;
}

export interface Answer {
  replicas: number;
  /** As it reads in conditions and events. */
  name: string;
  status: V2MetricStatus;
}

export interface MetricSources {
  api: Pick<KubeApi, "list">;
  /** Whether metrics.k8s.io is served now. */
  hasResourceMetrics(): boolean;
}

const quantityOf = (milli: number): string =>
  formatQuantity({ value: BigInt(Math.round(milli)) * 1_000_000n, format: "DecimalSI" });

/** Failure reasons of the condition ScalingActive and of events, by type of metric. */
export const FAILURES: Readonly<Record<string, string>> = {
  Resource: "FailedGetResourceMetric",
  ContainerResource: "FailedGetContainerResourceMetric",
  Pods: "FailedGetPodsMetric",
  Object: "FailedGetObjectMetric",
  External: "FailedGetExternalMetric",
};

function samplesOf(
  { api, hasResourceMetrics }: MetricSources,
  { autoscaler, pods }: Question,
  resource: string,
  container: string | undefined,
): Map<string, PodSample> {
  const refuse = (why: string): never => {
    throw new MetricError(`unable to get metrics for resource ${resource}: ${why}`);
  };
  if (!hasResourceMetrics())
    refuse(
      "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)",
    );
  const names = new Set(pods.map(({ metadata }) => metadata.name));
  const found = api
    .list<PodMetrics>(POD_METRICS, { namespace: autoscaler.metadata.namespace })
    .filter(({ metadata }) => names.has(metadata.name));
  if (found.length === 0) refuse("no metrics returned from resource metrics API");
  const samples = new Map<string, PodSample>();
  for (const { metadata, timestamp, window, containers } of found) {
    const measured = containers.filter(({ name }) => container === undefined || name === container);
    if (measured.length === 0) {
      if (container !== undefined)
        refuse(`container ${container} not present in metrics for pod ${metadata.namespace}/${metadata.name}`);
      continue;
    }
    const milli = measured.reduce((sum, { usage }) => sum + quantityToMilli(usage[resource as "cpu"] ?? "0"), 0);
    samples.set(metadata.name, {
      milli,
      timestampMs: Date.parse(timestamp),
      windowMs: Number.parseFloat(window) * 1000,
    });
  }
  return samples;
}

/** The value that the autoscaler's annotation gives to a metric, thousandths. */
function programmed({ metadata }: V2HorizontalPodAutoscaler, metric: string): number | undefined {
  const text = metadata.annotations?.[PROGRAMMED];
  if (text === undefined) return undefined;
  try {
    const value: unknown = (JSON.parse(text) as Record<string, unknown>)[metric];
    return isQuantity(value) ? quantityToMilli(String(value)) : undefined;
  } catch {
    return undefined;
  }
}

const milliOf = (quantity: string | undefined): number => (quantity ? quantityToMilli(quantity) : 0);

function byResource(
  sources: MetricSources,
  question: Question,
  {
    type,
    name: resource,
    container,
    target,
  }: { type: string; name: string; container?: string; target: V2MetricTarget },
): Answer {
  const member = container === undefined ? "resource" : "containerResource";
  const words = container === undefined ? `${resource} resource` : `${resource} container resource`;
  const byUtilization = target.averageValue === undefined;
  try {
    if (byUtilization && target.averageUtilization === undefined)
      throw new MetricError(
        "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set",
      );
    const proposal = replicasByPods({
      ...question,
      samples: samplesOf(sources, question, resource, container),
      resource,
      container,
      target: byUtilization
        ? { utilization: target.averageUtilization ?? 100 }
        : { averageMilli: milliOf(target.averageValue) },
    });
    const current = {
      ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
      averageValue: quantityOf(proposal.averageMilli),
    };
    return {
      replicas: proposal.replicas,
      name: byUtilization ? `${words} utilization (percentage of request)` : words,
      status: { type, [member]: { name: resource, ...(container === undefined ? {} : { container }), current } },
    };
  } catch (error) {
    if (!(error instanceof MetricError)) throw error;
    throw new MetricError(`failed to get ${resource} ${byUtilization ? "utilization" : "usage"}: ${error.message}`);
  }
}

const valueTarget = ({ value, averageValue }: V2MetricTarget) =>
  averageValue === undefined ? { valueMilli: milliOf(value) } : { averageMilli: milliOf(averageValue) };

/** Replicas, words and status of a metric that is one value: an object's, or one from outside. */
function byValue(question: Question, target: V2MetricTarget, milli: number) {
  const { replicas, averageMilli } = replicasByValue({ ...question, milli, target: valueTarget(target) });
  const current =
    averageMilli === undefined ? { value: quantityOf(milli) } : { averageValue: quantityOf(averageMilli) };
  return { replicas, current };
}

const unregistered = (metric: string): MetricError =>
  new MetricError(
    `unable to get metric ${metric}: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered`,
  );

/** Asks one metric of the autoscaler. @throws MetricError with the text for condition and event */
export function askMetric(sources: MetricSources, question: Question, spec: V2MetricSpec): Answer {
  const { autoscaler } = question;
  const { namespace } = autoscaler.metadata;
  if (spec.type === "Resource" && spec.resource)
    return byResource(sources, question, { type: spec.type, ...spec.resource });
  if (spec.type === "ContainerResource" && spec.containerResource)
    return byResource(sources, question, { type: spec.type, ...spec.containerResource });
  if (spec.type === "Pods" && spec.pods) {
    const { metric, target } = spec.pods;
    const milli = programmed(autoscaler, metric.name);
    if (milli === undefined) throw unregistered(metric.name);
    const sample = { milli, timestampMs: question.nowMs, windowMs: 60_000 };
    const samples = new Map(question.pods.map(({ metadata }) => [metadata.name, sample]));
    const proposal = replicasByPods({ ...question, samples, target: { averageMilli: milliOf(target.averageValue) } });
    const current = { averageValue: quantityOf(proposal.averageMilli) };
    return {
      replicas: proposal.replicas,
      name: `pods metric ${metric.name}`,
      status: { type: spec.type, pods: { metric, current } },
    };
  }
  if (spec.type === "Object" && spec.object) {
    const { metric, target, describedObject } = spec.object;
    const milli = programmed(autoscaler, metric.name);
    if (milli === undefined) throw unregistered(metric.name);
    const { replicas, current } = byValue(question, target, milli);
    const status = { type: spec.type, object: { describedObject, metric, current } };
    return { replicas, name: `${describedObject.kind} metric ${metric.name}`, status };
  }
  if (spec.type === "External" && spec.external) {
    const { metric, target } = spec.external;
    const milli = programmed(autoscaler, metric.name);
    const shown = JSON.stringify(metric.selector?.matchLabels ?? null);
    if (milli === undefined)
      throw new MetricError(
        `unable to get external metric ${namespace}/${metric.name}/${shown}: unable to fetch metrics from external metrics API: the server could not find the requested resource (get ${metric.name}.external.metrics.k8s.io)`,
      );
    const { replicas, current } = byValue(question, target, milli);
    return {
      replicas,
      name: `external metric ${metric.name}(${shown})`,
      status: { type: spec.type, external: { metric, current } },
    };
  }
  throw new MetricError(`unknown metric source type ${JSON.stringify(spec.type)}`);
}
