import { formatSeconds } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { Controller } from "../controller.js";
import { defineController, on } from "../controllers/define-controller.js";
import { withCondition } from "../runtime/conditions.js";
import { isEqual } from "../runtime/hash.js";
import { isPodReady } from "../runtime/pods.js";
import type { APIService, EndpointSlice, Pod, Service } from "../schema/generated/types.js";

/**
 * Plays metrics-server: when somebody has installed one (EKS add-on, manifest or chart), its API is answered by this process. Until then there are no
 * metrics, as on a new cluster. What counts is the APIService of metrics.k8s.io and ready pods with an image of that name behind its Service.
 */
const RESOURCE = "apiservices.apiregistration.k8s.io";
const METRICS_API_SERVICE = "v1beta1.metrics.k8s.io";
const IMAGE = /(^|\/)metrics-server([:@]|$)/;

type Verdict = { status: "True" | "False"; reason: string; message: string };

const PASSED: Verdict = { status: "True", reason: "Passed", message: "all checks passed" };

/** Whether metrics-server is there and ready; undefined: the APIService is another's, or answered by somebody else. */
export function judgeMetricsServer(api: KubeApi, { metadata, spec }: APIService): Verdict | undefined {
  if (metadata.name !== METRICS_API_SERVICE || !spec?.service) return undefined;
  const { namespace = "", name = "" } = spec.service;
  const service = api.get<Service>("services", { namespace, name });
  const refused = (reason: string, message: string): Verdict => ({ status: "False", reason, message });
  if (!service) return refused("ServiceNotFound", `service/${name} in ${JSON.stringify(namespace)} is not present`);
  const slices = api.list<EndpointSlice>("endpointslices.discovery.k8s.io", {
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  });
  const pods = slices
    .flatMap(({ endpoints = [] }) => endpoints)
    .flatMap(({ targetRef }) =>
      targetRef?.name ? (api.get<Pod>("pods", { namespace, name: targetRef.name }) ?? []) : [],
    );
  const isOurs = (pod: Pod): boolean => pod.spec?.containers.some(({ image }) => IMAGE.test(image ?? "")) ?? false;
  if (pods.length > 0 && !pods.some(isOurs)) return undefined;
  if (!pods.some((pod) => isPodReady(pod))) {
    const why = `endpoints for service/${name} in ${JSON.stringify(namespace)} have no addresses with port name ${JSON.stringify(service.spec?.ports?.[0]?.name ?? "")}`;
    return refused("MissingEndpoints", why);
  }
  return PASSED;
}

/** `serve` begins or ends answering. */
export const metricsServerController = ({ serve }: { serve(available: boolean): void }): Controller =>
  defineController({ name: "metrics-server" }, ({ api, clock, queue }) => {
    return {
      async reconcile() {
        const apiService = api.get<APIService>(RESOURCE, { name: METRICS_API_SERVICE });
        const verdict = apiService && judgeMetricsServer(api, apiService);
        serve(verdict?.status === "True");
        if (!apiService || !verdict) return;
        const condition = { type: "Available", lastTransitionTime: formatSeconds(clock.now()), ...verdict };
        const conditions = withCondition(apiService.status?.conditions, condition);
        if (!isEqual(conditions, apiService.status?.conditions))
          await api.updateStatus<APIService>(RESOURCE, { ...apiService, status: { ...apiService.status, conditions } });
      },
      watches: [
        on<APIService>(RESOURCE, ({ object }) =>
          object.metadata.name === METRICS_API_SERVICE ? METRICS_API_SERVICE : undefined,
        ),
        on<Service>("services", ({ object }) => relevant(object.metadata.name)),
        on<EndpointSlice>("endpointslices.discovery.k8s.io", ({ object }) =>
          relevant(object.metadata.labels?.["kubernetes.io/service-name"]),
        ),
      ],
      start: () => queue.add(METRICS_API_SERVICE),
    };

    /** The key, when the Service is the one that the APIService names. */
    function relevant(service: string | undefined): string | undefined {
      const wanted = api.get<APIService>(RESOURCE, { name: METRICS_API_SERVICE })?.spec?.service?.name;
      return wanted !== undefined && wanted === service ? METRICS_API_SERVICE : undefined;
    }
  });
