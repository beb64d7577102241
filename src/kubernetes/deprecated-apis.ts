/**
 * APIs that a later minor version of Kubernetes does not serve any more, and who still asks for them (upstream: the deprecation guide; the metric
 * apiserver_requested_deprecated_apis and the audit annotation k8s.io/deprecated).
 */
import type { ResourceTarget } from "./server/request-info.js";

export interface RemovedApi {
  /** e.g. `/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas`. */
  usage: string;
  replacedWith?: string;
  /** Minor version that stops serving it, such as `1.32`. */
  removedIn: string;
  /** Minor version since which the replacement is served. */
  replacedSince?: string;
}

export interface DeprecatedRequests {
  usage: string;
  userAgent: string;
  count: number;
  lastMs: number;
}

/** group, version, removed in, replaced by, served since, resources. */
const ROWS = `
batch v1beta1 1.25 v1 1.21 cronjobs
discovery.k8s.io v1beta1 1.25 v1 1.21 endpointslices
events.k8s.io v1beta1 1.25 v1 1.19 events
autoscaling v2beta1 1.25 v2 1.23 horizontalpodautoscalers
policy v1beta1 1.25 v1 1.21 poddisruptionbudgets
policy v1beta1 1.25 - - podsecuritypolicies
node.k8s.io v1beta1 1.25 v1 1.20 runtimeclasses
autoscaling v2beta2 1.26 v2 1.23 horizontalpodautoscalers
flowcontrol.apiserver.k8s.io v1beta1 1.26 v1beta3 1.26 flowschemas,prioritylevelconfigurations
storage.k8s.io v1beta1 1.27 v1 1.24 csistoragecapacities
flowcontrol.apiserver.k8s.io v1beta2 1.29 v1beta3 1.26 flowschemas,prioritylevelconfigurations
flowcontrol.apiserver.k8s.io v1beta3 1.32 v1 1.29 flowschemas,prioritylevelconfigurations
admissionregistration.k8s.io v1beta1 1.34 v1 1.30 validatingadmissionpolicies,validatingadmissionpolicybindings
networking.k8s.io v1beta1 1.37 v1 1.33 ipaddresses,servicecidrs
storage.k8s.io v1beta1 1.37 v1 1.34 volumeattributesclasses
resource.k8s.io v1beta1 1.38 v1 1.34 deviceclasses,resourceclaims,resourceclaimtemplates,resourceslices
resource.k8s.io v1beta2 1.39 v1 1.34 deviceclasses,resourceclaims,resourceclaimtemplates,resourceslices
`;

let table: ReadonlyMap<string, RemovedApi> | undefined;

const uri = (group: string, version: string, resource: string): string => `/apis/${group}/${version}/${resource}`;

/** By their URI, in order of the version that removes them. */
export function removedApis(): ReadonlyMap<string, RemovedApi> {
  table ??= new Map(
    ROWS.trim()
      .split("\n")
      .flatMap((row) => {
        const [group = "", version = "", removedIn = "", successor = "", since = "", resources = ""] = row.split(" ");
        return resources.split(",").map((resource): [string, RemovedApi] => {
          const usage = uri(group, version, resource);
          const replacement =
            successor === "-" ? {} : { replacedWith: uri(group, successor, resource), replacedSince: since };
          return [usage, { usage, removedIn, ...replacement }];
        });
      }),
  );
  return table;
}

export interface DeprecatedRequestLog {
  note(target: ResourceTarget, userAgent: string | undefined): void;
  list(): DeprecatedRequests[];
}

/** Clients and APIs are remembered up to this many pairs: names of clients are whatever clients make up. */
const MAX_PAIRS = 1000;

/** Counts requests of which a server of minor version `serverMinor()` knows that they will stop working. */
export function createDeprecatedRequests(options: { now(): number; serverMinor(): number }): DeprecatedRequestLog {
  const seen = new Map<string, DeprecatedRequests>();
  return {
    note({ group, version, resource }, agent = "unknown") {
      // Almost every request is for a version without a suffix, and those stay.
      if (!version.includes("beta")) return;
      const api = removedApis().get(uri(group, version, resource));
      if (!api || Number(api.removedIn.split(".")[1]) <= options.serverMinor()) return;
      const userAgent = agent.slice(0, 200);
      const key = `${api.usage} ${userAgent}`;
      const known = seen.get(key);
      if (!known && seen.size >= MAX_PAIRS) return;
      seen.set(key, { usage: api.usage, userAgent, count: (known?.count ?? 0) + 1, lastMs: options.now() });
    },
    list: () => [...seen.values()],
  };
}
