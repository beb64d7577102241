import type { ResourceInfo } from "../schema/resource-info.js";
import type { Store } from "../store/store.js";
import type { RequestInfo } from "./request-info.js";

/** The few of the API server's metrics that mean something here, in Prometheus' text format. */
export interface RequestMetrics {
  /** `served`: the resource that was asked for, if it is served. Others are counted together: their names are whatever clients make up. */
  count(info: RequestInfo, served: ResourceInfo | undefined, code: number): void;
  text(store: Store, watches: number): string;
}

const LABELS = ["verb", "group", "version", "resource", "subresource", "scope", "code"] as const;
const SEPARATOR = "\n";

const escaped = (value: string): string =>
  value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));

export function createRequestMetrics(): RequestMetrics {
  /** By the values of the labels, in their order. */
  const requests = new Map<string, number>();
  return {
    count({ verb, resource: target }, served, code) {
      const known = served && target;
      const scope = !known ? "" : target.named ? "resource" : target.namespace ? "namespace" : "cluster";
      const subresource = served?.subresources.some(({ name }) => name === target?.subresource)
        ? target?.subresource
        : "";
      const values = [
        verb,
        served?.group ?? "",
        served?.version ?? "",
        served?.resource ?? "",
        subresource,
        scope,
        code,
      ];
      const key = values.join(SEPARATOR);
      requests.set(key, (requests.get(key) ?? 0) + 1);
    },
    text(store, watches) {
      const counters = [...requests].map(([key, count]) => {
        const values = key.split(SEPARATOR);
        const labels = LABELS.map((name, index) => `${name}="${escaped(values[index] ?? "")}"`).join(",");
        return `apiserver_request_total{${labels}} ${count}`;
      });
      const objects = [...store.resources()]
        .sort()
        .map((resource) => `apiserver_storage_objects{resource="${escaped(resource)}"} ${store.count(resource)}`);
      const lines = [
        "# HELP apiserver_request_total Counter of apiserver requests by verb, resource and HTTP response code.",
        "# TYPE apiserver_request_total counter",
        ...counters,
        "# HELP apiserver_storage_objects Number of stored objects by kind.",
        "# TYPE apiserver_storage_objects gauge",
        ...objects,
        "# HELP apiserver_longrunning_requests Number of active long-running apiserver requests.",
        "# TYPE apiserver_longrunning_requests gauge",
        `apiserver_longrunning_requests{verb="watch"} ${watches}`,
      ];
      return `${lines.join("\n")}\n`;
    },
  };
}
