import type { KubeApi, WatchEvent } from "../../api.js";
import { keyOf } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { matcherOfMap } from "../../runtime/label-selector.js";
import { isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { WorkQueue } from "../../runtime/work-queue.js";
import type { Pod, Service, ServicePort } from "../../schema/generated/types.js";

/** What Endpoints and EndpointSlices have in common: which pods stand behind a Service, under which ports, and which events change that. */

/** Services of this kind, or without a selector, have no endpoints of ours; those without a selector are somebody else's business. */
export const hasEndpoints = (service: Service): boolean =>
  service.spec?.type !== "ExternalName" &&
  service.spec?.selector !== undefined &&
  Object.keys(service.spec.selector).length > 0;

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === "None";

/** Pods behind the Service that have an address and have not ended, in store order; `isLarge`: so many are selected that changes are gathered. */
export function podsBehind(api: KubeApi, service: Service): { pods: Pod[]; isLarge: boolean } {
  const matches = matcherOfMap(service.spec?.selector);
  const selected = api
    .list<Pod>("pods", { namespace: service.metadata.namespace })
    .filter((pod) => matches(pod.metadata.labels));
  const pods = selected.filter((pod) => pod.status?.podIP !== undefined && !isPodTerminal(pod));
  return { pods, isLarge: selected.length > MANY_PODS };
}

export interface ResolvedPort {
  name?: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

/** The ports of the Service as this pod has them; a named target port that the pod does not have is left out. */
export function portsOf(service: Service, pod: Pod): ResolvedPort[] {
  return (service.spec?.ports ?? []).flatMap((servicePort) => {
    const port = targetPort(servicePort, pod);
    if (port === undefined) return [];
    const { name, protocol = "TCP", appProtocol } = servicePort;
    return [{ name: name ?? "", port, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });
}

function targetPort({ targetPort, port, protocol = "TCP" }: ServicePort, pod: Pod): number | undefined {
  if (targetPort === undefined) return port;
  if (typeof targetPort === "number") return targetPort || port;
  for (const container of pod.spec?.containers ?? []) {
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

/** Pods of a Service beyond which its changes are gathered for a moment: each look costs as much as there are pods. */
const MANY_PODS = 50;
const GATHER_MS = 200;

/** Which Services are looked at at once, and which only after their changes have been gathered. */
export interface Gathering {
  /** To be called with what `podsBehind` said about the Service. */
  note(key: string, isLarge: boolean): void;
  /** The Services of a pod event to look at now; the large ones are put off. */
  keys(event: WatchEvent<Pod>): string[];
}

export function createGathering(api: KubeApi, queue: WorkQueue): Gathering {
  const large = new Set<string>();
  return {
    note(key, isLarge) {
      if (isLarge) large.add(key);
      else large.delete(key);
    },
    keys: (event) =>
      servicesOf(api, event).filter((key) => {
        if (!large.has(key)) return true;
        queue.addAfter(key, GATHER_MS);
        return false;
      }),
  };
}
