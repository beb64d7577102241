import type { Store } from "../store/store.js";
import type { RequestInfo } from "./request-info.js";

/** The few of the API server's metrics that mean something here, in Prometheus' text format. */
export interface RequestMetrics {
  count(info: RequestInfo, code: number): void;
  text(store: Store, watches: number): string;
}

const label = (value: string): string =>
  value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));

export function createRequestMetrics(): RequestMetrics {
  const requests = new Map<string, number>();
  return {
    count({ verb, resource: target }, code) {
      const { group = "", version = "", resource = "", subresource = "" } = target ?? {};
      const scope = !target ? "" : target.named ? "resource" : target.namespace ? "namespace" : "cluster";
      const labels = { code: String(code), group, resource, scope, subresource, verb: verb.toUpperCase(), version };
      const text = Object.entries(labels)
        .map(([name, value]) => `${name}="${label(value)}"`)
        .join(",");
      requests.set(text, (requests.get(text) ?? 0) + 1);
    },
    text(store, watches) {
      const lines = [
        "# HELP apiserver_request_total Counter of apiserver requests broken out for each verb, group, version, resource, scope, component, and HTTP response code.",
        "# TYPE apiserver_request_total counter",
        ...[...requests].map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`),
        "# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.",
        "# TYPE apiserver_storage_objects gauge",
        ...[...store.resources()]
          .sort()
          .map((resource) => `apiserver_storage_objects{resource="${label(resource)}"} ${store.count(resource)}`),
        "# HELP apiserver_longrunning_requests Gauge of all active long-running apiserver requests.",
        "# TYPE apiserver_longrunning_requests gauge",
        `apiserver_longrunning_requests{verb="WATCH"} ${watches}`,
      ];
      return `${lines.join("\n")}\n`;
    },
  };
}
