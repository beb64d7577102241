import { formatSeconds } from "../../../clock/clock.js";
import type { Controller } from "../../controller.js";
import { GROUP as METRICS } from "../../metrics/metrics-api.js";
import { keyOf, parseKey } from "../../object.js";
import { quantityToMilli } from "../../registry/quantity.js";
import { type Scale, scaleOf } from "../../registry/scale.js";
import { type LabelPredicate, parseLabelSelector } from "../../registry/selectors.js";
import { withCondition } from "../../runtime/conditions.js";
import { isEqual } from "../../runtime/hash.js";
import type {
  Pod,
  V2HorizontalPodAutoscaler,
  V2HorizontalPodAutoscalerStatus,
  V2MetricStatus,
} from "../../schema/generated/types.js";
import { parseApiVersion, resourceOfKind } from "../../schema/kinds.js";
import { resourceName } from "../../schema/resource-info.js";
import { defineController, on } from "../define-controller.js";
import { messageOf } from "../pod-control.js";
import { type History, limitReplicas, newHistory, noteScaling } from "./limits.js";
import { type Answer, askMetric, FAILURES } from "./metrics.js";
import { MetricError } from "./replicas.js";

/** The horizontal pod autoscaler: looks at each one every 15 s. Upstream: pkg/controller/podautoscaler/horizontal.go. */
const RESOURCE = "horizontalpodautoscalers.autoscaling";
/** --horizontal-pod-autoscaler-sync-period */
const SYNC_MS = 15_000;

type Status = V2HorizontalPodAutoscalerStatus;

/** What metrics together ask for. */
interface Verdict {
  replicas: number;
  /** Of the metric that asks for most. */
  name: string;
  statuses: V2MetricStatus[];
}

export const horizontalPodAutoscalerController = (): Controller =>
  defineController({ name: "horizontal-pod-autoscaler" }, (env) => {
    const { api, clock, events, queue } = env;
    const histories = new Map<string, History>();
    /** What each autoscaler's target selects. */
    const selectors = new Map<string, LabelPredicate>();
    const sources = {
      api,
      hasResourceMetrics: () =>
        env.resources?.().some(({ group, resource }) => group === METRICS && resource === "pods") ?? false,
    };

    const condition = (status: Status, type: string, value: boolean, reason: string, message: string): Status => ({
      ...status,
      conditions: withCondition(status.conditions, {
        type,
        status: value ? "True" : "False",
        reason,
        message,
        lastTransitionTime: formatSeconds(clock.now()),
      }),
    });

    /** The resource that the target's kind is stored as; refuses kinds that are not served. */
    const targetResource = ({ spec }: V2HorizontalPodAutoscaler): string => {
      const { kind, apiVersion = "v1" } = spec.scaleTargetRef;
      const group = parseApiVersion(apiVersion)?.group ?? "";
      const info =
        resourceOfKind(apiVersion, kind) ??
        env.resources?.().find((candidate) => candidate.kind === kind && candidate.group === group);
      if (!info) throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`);
      return resourceName(info);
    };

    const readScale = (resource: string, key: { namespace?: string; name: string }): Scale => {
      if (env.readScale) return env.readScale(resource, key);
      const object = api.get(resource, key);
      if (!object) throw new Error(`${resource} ${JSON.stringify(key.name)} not found`);
      return scaleOf(object);
    };

    /** Asks all metrics; the status gets the condition ScalingActive. Undefined when too many do not answer. */
    const judge = (
      autoscaler: V2HorizontalPodAutoscaler,
      scale: Scale,
      pods: readonly Pod[],
      before: Status,
    ): { status: Status; verdict?: Verdict } => {
      const { spec } = autoscaler;
      const currentReplicas = scale.spec.replicas ?? 0;
      const tolerance = (text: string | undefined) => (text === undefined ? undefined : quantityToMilli(text) / 1000);
      const question = {
        autoscaler,
        pods,
        currentReplicas,
        tolerances: {
          up: tolerance(spec.behavior?.scaleUp?.tolerance),
          down: tolerance(spec.behavior?.scaleDown?.tolerance),
        },
        nowMs: clock.now(),
      };
      const metrics = spec.metrics ?? [];
      const answers: Answer[] = [];
      const failures: { type: string; message: string }[] = [];
      for (const metric of metrics) {
        try {
          answers.push(askMetric(sources, question, metric));
        } catch (error) {
          if (!(error instanceof MetricError)) throw error;
          failures.push({ type: metric.type, message: error.message });
        }
      }
      const best = answers.reduce<Answer | undefined>((a, b) => (a && a.replicas >= b.replicas ? a : b), undefined);
      const [failure] = failures;
      for (const { type, message } of failures)
        events.event(autoscaler, "Warning", FAILURES[type] ?? "InvalidMetricSourceType", message);
      if (failure && (!best || best.replicas < currentReplicas)) {
        const message = `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${failure.message}`;
        events.event(autoscaler, "Warning", "FailedComputeMetricsReplicas", message);
        const reason = FAILURES[failure.type] ?? "InvalidMetricSourceType";
        const why = `the HPA was unable to compute the replica count: ${failure.message}`;
        return { status: condition(before, "ScalingActive", false, reason, why) };
      }
      if (!best) return { status: before };
      const message = `the HPA was able to successfully calculate a replica count from ${best.name}`;
      return {
        status: condition(before, "ScalingActive", true, "ValidMetricFound", message),
        verdict: { replicas: best.replicas, name: best.name, statuses: answers.map(({ status }) => status) },
      };
    };

    const write = async (autoscaler: V2HorizontalPodAutoscaler, status: Status): Promise<void> => {
      if (!isEqual(autoscaler.status, status))
        await api.updateStatus<V2HorizontalPodAutoscaler>(RESOURCE, { ...autoscaler, status });
    };

    /** All autoscalers that any of the pods belongs to, by key. */
    const rivalsOf = (key: string, namespace: string, pods: readonly Pod[]): string[] =>
      [...selectors]
        .filter(([other]) => other.startsWith(`${namespace}/`))
        .filter(([other, matches]) => other === key || pods.some(({ metadata }) => matches(metadata.labels)))
        .map(([other]) => other)
        .sort();

    /** What is to be done with the replicas, and why. */
    const decide = (
      autoscaler: V2HorizontalPodAutoscaler,
      scale: Scale,
      pods: readonly Pod[],
      before: Status,
      history: History,
    ): { status: Status; desired: number; reason: string; failed?: boolean } => {
      const { minReplicas: least = 1, maxReplicas: most, behavior } = autoscaler.spec;
      const current = scale.spec.replicas ?? 0;
      if (current === 0 && least !== 0) {
        const message = "scaling is disabled since the replica count of the target is zero";
        return {
          status: condition(before, "ScalingActive", false, "ScalingDisabled", message),
          desired: 0,
          reason: "",
        };
      }
      if (current > most)
        return { status: before, desired: most, reason: "Current number of replicas above Spec.MaxReplicas" };
      if (current < least)
        return { status: before, desired: least, reason: "Current number of replicas below Spec.MinReplicas" };
      const { status, verdict } = judge(autoscaler, scale, pods, before);
      if (!verdict) return { status, desired: current, reason: "", failed: true };
      const reason =
        verdict.replicas > current
          ? `${verdict.name} above target`
          : verdict.replicas < current
            ? "All metrics below target"
            : "";
      const limited = limitReplicas({
        current,
        desired: verdict.replicas,
        least,
        most,
        behavior,
        history,
        nowMs: clock.now(),
      });
      let next = condition(status, "AbleToScale", true, limited.able.reason, limited.able.message);
      next = condition(next, "ScalingLimited", limited.limit.limited, limited.limit.reason, limited.limit.message);
      return { status: { ...next, currentMetrics: verdict.statuses }, desired: limited.replicas, reason };
    };

    const reconcile = async (key: string): Promise<void> => {
      const autoscaler = api.get<V2HorizontalPodAutoscaler>(RESOURCE, parseKey(key));
      if (!autoscaler) {
        histories.delete(key);
        selectors.delete(key);
        return queue.forget(key);
      }
      queue.addAfter(key, SYNC_MS);
      if (autoscaler.metadata.deletionTimestamp) return;
      const history = histories.get(key) ?? newHistory();
      histories.set(key, history);
      const { namespace, generation } = autoscaler.metadata;
      const target = autoscaler.spec.scaleTargetRef;
      let status: Status = {
        ...autoscaler.status,
        desiredReplicas: autoscaler.status?.desiredReplicas ?? 0,
        ...(generation === undefined ? {} : { observedGeneration: generation }),
      };
      let resource: string;
      let scale: Scale;
      try {
        resource = targetResource(autoscaler);
        scale = readScale(resource, { namespace, name: target.name });
      } catch (error) {
        events.event(autoscaler, "Warning", "FailedGetScale", messageOf(error));
        const message = `the HPA controller was unable to get the target's current scale: ${messageOf(error)}`;
        return write(autoscaler, condition(status, "AbleToScale", false, "FailedGetScale", message));
      }
      status = condition(
        status,
        "AbleToScale",
        true,
        "SucceededGetScale",
        "the HPA controller was able to get the target's current scale",
      );
      const { selector } = scale.status;
      if (!selector) {
        events.event(autoscaler, "Warning", "SelectorRequired", "selector is required");
        const message = "the HPA target's scale is missing a selector";
        return write(autoscaler, condition(status, "ScalingActive", false, "InvalidSelector", message));
      }
      const matches = parseLabelSelector(selector);
      const pods = api.list<Pod>("pods", { namespace }).filter((pod) => matches(pod.metadata.labels));
      selectors.set(key, matches);
      const rivals = rivalsOf(key, namespace ?? "", pods);
      if (rivals.length > 1) {
        const why = `pods by selector ${selector} are controlled by multiple HPAs: [${rivals.join(" ")}]`;
        events.event(autoscaler, "Warning", "AmbiguousSelector", why);
        return write(autoscaler, condition(status, "ScalingActive", false, "AmbiguousSelector", why));
      }
      const current = scale.spec.replicas ?? 0;
      const decision = decide(autoscaler, scale, pods, status, history);
      status = { ...decision.status, currentReplicas: current };
      if (decision.failed) return write(autoscaler, status);
      const { desired } = decision;
      if (desired !== current) {
        const said = `New size: ${desired}; reason: ${decision.reason}`;
        try {
          await api.update(resource, { ...scale, spec: { replicas: desired } }, { subresource: "scale" });
        } catch (error) {
          events.event(autoscaler, "Warning", "FailedRescale", `${said}; error: ${messageOf(error)}`);
          const message = `the HPA controller was unable to update the target scale: ${messageOf(error)}`;
          await write(autoscaler, condition(status, "AbleToScale", false, "FailedUpdateScale", message));
          throw error;
        }
        events.event(autoscaler, "Normal", "SuccessfulRescale", said);
        noteScaling(history, current, desired, clock.now());
        const message = `the HPA controller was able to update the target scale to ${desired}`;
        status = condition(status, "AbleToScale", true, "SucceededRescale", message);
        status = { ...status, lastScaleTime: formatSeconds(clock.now()) };
      }
      await write(autoscaler, { ...status, desiredReplicas: desired });
    };

    return {
      reconcile,
      watches: [
        on<V2HorizontalPodAutoscaler>(RESOURCE, ({ type, object, previous }) =>
          type === "MODIFIED" && previous?.spec === object.spec ? undefined : keyOf(object),
        ),
      ],
    };
  });
