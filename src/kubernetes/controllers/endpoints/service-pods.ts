import type { KubeApi, WatchEvent } from "../../api.js";
import { keyOf } from "../../object.js";
import { canonicalJson, isEqual } from "../../runtime/hash.js";
import { matcherOfMap } from "../../runtime/label-selector.js";
import { memoPair } from "../../runtime/memo-pair.js";
import { isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { WorkQueue } from "../../runtime/work-queue.js";
import type { Pod, PodSpec, Service, ServicePort, ServiceSpec } from "../../schema/generated/types.js";

/** What Endpoints and EndpointSlices have in common: which pods stand behind a Service, under which ports, and which events change that. */

/** Services of this kind, or without a selector, have no endpoints of ours; those without a selector are somebody else's business. */
export const hasEndpoints = (service: Service): boolean =>
  service.spec?.type !== "ExternalName" && hasSelector(service);

export const hasSelector = ({ spec }: Service): boolean =>
  spec?.selector !== undefined && Object.keys(spec.selector).length > 0;

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === "None";

/** Pods behind the Service that have an address and have not ended, in store order, and how many are selected in all. */
export function podsBehind(api: KubeApi, service: Service): { pods: Pod[]; selected: number } {
  const matches = matcherOfMap(service.spec?.selector);
  const all = api
    .list<Pod>("pods", { namespace: service.metadata.namespace })
    .filter((pod) => matches(pod.metadata.labels));
  const pods = all.filter((pod) => pod.status?.podIP !== undefined && !isPodTerminal(pod));
  return { pods, selected: all.length };
}

export interface ResolvedPort {
  name?: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

export interface ResolvedPorts {
  ports: readonly ResolvedPort[];
  /** Equal for equal ports. */
  key: string;
}

/** The ports of the Service as this pod has them; a named target port that the pod does not have is left out. */
export const portsOf = (service: Service, pod: Pod): ResolvedPorts =>
  service.spec && pod.spec ? resolvePorts(service.spec, pod.spec) : NO_PORTS;

const NO_PORTS: ResolvedPorts = { ports: [], key: "[]" };

const resolvePorts = memoPair((service: ServiceSpec, pod: PodSpec): ResolvedPorts => {
  const ports = (service.ports ?? []).flatMap((servicePort) => {
    const port = targetPort(servicePort, pod);
    if (port === undefined) return [];
    const { name, protocol = "TCP", appProtocol } = servicePort;
    return [{ name: name ?? "", port, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });
  return { ports, key: canonicalJson(ports) };
});

function targetPort({ targetPort, port, protocol = "TCP" }: ServicePort, pod: PodSpec): number | undefined {
  if (targetPort === undefined) return port;
  if (typeof targetPort === "number") return targetPort || port;
  for (const container of pod.containers) {
    const found = container.ports?.find(
      (candidate) => candidate.name === targetPort && (candidate.protocol ?? "TCP") === protocol,
    );
    if (found) return found.containerPort;
  }
  return undefined;
}

/** The host name under which a pod of a headless Service is found in DNS. */
export const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

/** What of a pod shows in endpoints. */
const shown = ({ metadata, spec, status }: Pod): unknown[] => [
  metadata.labels,
  metadata.deletionTimestamp,
  spec?.nodeName,
  spec?.hostname,
  spec?.subdomain,
  status?.podIPs,
  status?.podIP,
];

function changesEndpoints({ type, object, previous }: WatchEvent<Pod>): boolean {
  if (type !== "MODIFIED" || !previous) return object.status?.podIP !== undefined;
  if (isPodReady(previous) !== isPodReady(object) || isPodTerminal(previous) !== isPodTerminal(object)) return true;
  return !isEqual(shown(previous), shown(object));
}

/** Keys of the Services whose endpoints a pod event may change. */
function servicesOf(api: KubeApi, event: WatchEvent<Pod>): string[] {
  const { object, previous } = event;
  if (!changesEndpoints(event)) return [];
  return api
    .list<Service>("services", { namespace: object.metadata.namespace })
    .filter((service) => {
      const matches = matcherOfMap(service.spec?.selector);
      return matches(object.metadata.labels) || (previous !== undefined && matches(previous.metadata.labels));
    })
    .map(keyOf);
}

/** Pods of a Service beyond which its changes are gathered for a while: each look costs as much as there are pods. */
const MANY_PODS = 50;
const GATHER_AT_MOST_MS = 1000;

/** Which Services are looked at at once, and which only after their changes have been gathered: a millisecond for each pod. */
export interface Gathering {
  /** To be called with the number of pods that the Service selects. */
  note(key: string, selected: number): void;
  /** The Services of a pod event to look at now; the large ones are put off. */
  keys(event: WatchEvent<Pod>): string[];
}

export function createGathering(api: KubeApi, queue: WorkQueue): Gathering {
  const delays = new Map<string, number>();
  return {
    note(key, selected) {
      if (selected > MANY_PODS) delays.set(key, Math.min(selected, GATHER_AT_MOST_MS));
      else delays.delete(key);
    },
    keys: (event) =>
      servicesOf(api, event).filter((key) => {
        const delayMs = delays.get(key);
        if (delayMs === undefined) return true;
        queue.addAfter(key, delayMs);
        return false;
      }),
  };
}
