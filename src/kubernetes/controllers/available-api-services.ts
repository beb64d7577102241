/**
 * Finds out whether the extension API servers behind APIServices answer, and what they serve. Conditions and texts are those of kube-aggregator's
 * availability controller.
 */
import { formatSeconds } from "../../clock/clock.js";
import { readAll, type WebhookCaller } from "../admission/webhooks/call.js";
import {
  type AggregatedApis,
  API_SERVICES,
  infosOf,
  isRemote,
  type RemoteApiService,
} from "../aggregation/aggregated-apis.js";
import { identityHeaders } from "../aggregation/front-proxy.js";
import type { KubeApi } from "../api.js";
import type { Controller } from "../controller.js";
import { judgeMetricsServer } from "../metrics/metrics-server.js";
import type { APIService, EndpointSlice, Service } from "../schema/generated/types.js";
import { HOST_ENDPOINT } from "../streams/proxy/target.js";
import { defineController, on } from "./define-controller.js";

const SERVICE_NAME = "kubernetes.io/service-name";
const RECHECK_MS = 30_000;
const DISCOVERY_SECONDS = 5;
const AGGREGATOR = { username: "system:kube-aggregator", groups: ["system:masters"] };

interface Verdict {
  status: "True" | "False";
  reason: string;
  message: string;
  /** The APIResourceList that came. */
  list?: unknown;
}

const no = (reason: string, message: string): Verdict => ({ status: "False", reason, message });

/** What can be said without asking anybody. */
function checkService(api: KubeApi, { spec }: RemoteApiService): Verdict | undefined {
  const { name = "", namespace = "", port = 443 } = spec.service;
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const service = api.get<Service>("services", { namespace, name });
  if (!service) return no("ServiceNotFound", `${where} is not present`);
  if (service.metadata.annotations?.[HOST_ENDPOINT] || service.spec?.type !== "ClusterIP") return undefined;
  const found = service.spec.ports?.find((candidate) => candidate.port === port);
  if (!found) return no("ServicePortError", `${where} is not listening on port ${port}`);
  const slices = api
    .list<EndpointSlice>("endpointslices.discovery.k8s.io", { namespace })
    .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === name);
  if (slices.length === 0) return no("EndpointsNotFound", `cannot find endpointslices for ${where}`);
  const portName = found.name ?? "";
  const ready = slices.some(
    ({ endpoints, ports }) =>
      endpoints?.some(({ conditions }) => conditions?.ready !== false) &&
      ports?.some((candidate) => (candidate.name ?? "") === portName && candidate.port !== undefined),
  );
  return ready
    ? undefined
    : no(
        "MissingEndpoints",
        `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`,
      );
}

async function askDiscovery(caller: WebhookCaller, { spec }: RemoteApiService): Promise<Verdict> {
  const path = `/apis/${spec.group}/${spec.version}`;
  let url = path;
  let reason = String as (error: unknown) => string;
  const failed = (why: string): Verdict =>
    no("FailedDiscoveryCheck", `failing or missing response from ${url}: ${why}`);
  try {
    const opened = await caller.open(
      { service: spec.service },
      {
        method: "GET",
        path,
        headers: { accept: "application/json", ...identityHeaders(AGGREGATOR) },
        verify: false,
        timeoutSeconds: DISCOVERY_SECONDS,
      },
    );
    const { outgoing } = opened;
    url = opened.url;
    reason = opened.reason;
    const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
      outgoing.on("response", resolve);
      outgoing.on("error", reject);
      outgoing.end();
    });
    const text = await readAll(response);
    const code = response.statusCode ?? 0;
    if (code < 200 || code >= 300) return failed(`bad status from ${url}: ${code}`);
    return { status: "True", reason: "Passed", message: "all checks passed", list: JSON.parse(text) as unknown };
  } catch (error) {
    if (error instanceof SyntaxError) return { status: "True", reason: "Passed", message: "all checks passed" };
    return failed(`Get "${url}": ${reason(error)}`);
  }
}

export function availableApiServices({ apis, caller }: { apis: AggregatedApis; caller: WebhookCaller }): Controller {
  return defineController({ name: "remote-available-controller" }, ({ api, clock, queue }) => ({
    async reconcile(name) {
      const service = api.get<APIService>(API_SERVICES, { name });
      if (!service || !isRemote(service) || judgeMetricsServer(api, service)) return;
      const { list, ...verdict } = checkService(api, service) ?? (await askDiscovery(caller, service));
      const current = api.get<APIService>(API_SERVICES, { name });
      if (!current || !isRemote(current)) return;
      const present = current.status?.conditions?.find(({ type }) => type === "Available");
      const same = present?.status === verdict.status;
      const lastTransitionTime = same ? present?.lastTransitionTime : formatSeconds(clock.now());
      const others = current.status?.conditions?.filter(({ type }) => type !== "Available") ?? [];
      await api.updateStatus<APIService>(API_SERVICES, {
        ...current,
        status: { ...current.status, conditions: [...others, { type: "Available", ...verdict, lastTransitionTime }] },
      });
      const { group = "", version = "" } = current.spec;
      apis.setResources(name, verdict.status === "True" ? infosOf(group, version, list) : undefined);
      queue.addAfter(name, RECHECK_MS);
    },
    watches: [
      on<APIService>(API_SERVICES, ({ type, object, previous }) =>
        type === "DELETED" || !isRemote(object) || previous?.spec === object.spec ? undefined : object.metadata.name,
      ),
      on<Service>("services", ({ object: { metadata } }) => apis.usersOf(metadata.namespace, metadata.name)),
      on<EndpointSlice>("endpointslices.discovery.k8s.io", ({ object: { metadata } }) =>
        apis.usersOf(metadata.namespace, metadata.labels?.[SERVICE_NAME] ?? ""),
      ),
    ],
  }));
}
