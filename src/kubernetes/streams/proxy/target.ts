import { badRequest, notFound, StatusError } from "../../errors.js";
import type { KubeObject, ObjectKey } from "../../object.js";
import type { EndpointSlice, Pod, Service } from "../../schema/generated/types.js";

/** Where a request to `pods/proxy` or `services/proxy` is to go. */
export type ProxyTarget = PodTarget | { kind: "process"; url: URL; host: string };

export interface PodTarget {
  kind: "pod";
  pod: ObjectKey;
  port: number;
  scheme: Scheme;
  host: string;
}

export type Scheme = "http" | "https";

/** What the resolution reads: the objects as stored. */
export interface ProxyReader {
  get(resource: string, key: ObjectKey): KubeObject | undefined;
  list(resource: string, namespace: string): readonly KubeObject[];
}

const SERVICE_NAME = "kubernetes.io/service-name";
/** On a Service: the process on this machine that answers for it, as a URL. */
export const HOST_ENDPOINT = "eksim.dev/host-endpoint";

const unavailable = (message: string): StatusError => new StatusError(503, "ServiceUnavailable", message);
export const unreachable = (why: string): StatusError => unavailable(`error trying to reach service: ${why}`);

/** `name`, `name:port` or `scheme:name:port`, of which scheme and port may be empty. */
export function splitName(text: string): { scheme: Scheme; name: string; port: string } | undefined {
  const parts = text.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : ["", parts[0], parts[1] ?? ""];
  if (parts.length > 3 || !name || !["", "http", "https"].includes(scheme ?? "")) return undefined;
  return { scheme: scheme === "https" ? "https" : "http", name, port: port ?? "" };
}

const DEFAULT_PORT: Readonly<Record<Scheme, number>> = { http: 80, https: 443 };

export function podTarget(reader: ProxyReader, namespace: string, id: string): ProxyTarget {
  const split = splitName(id);
  if (!split) throw badRequest(`invalid pod request ${JSON.stringify(id)}`);
  const { scheme, name } = split;
  const pod = reader.get("pods", { namespace, name }) as Pod | undefined;
  if (!pod) throw notFound("", "pods", name);
  const first = pod.spec?.containers.find(({ ports }) => ports?.length)?.ports?.[0]?.containerPort;
  const address = pod.status?.podIP;
  if (!address) throw badRequest("address not allowed");
  const port = split.port || (first === undefined ? "" : String(first));
  if (port !== "" && !(Number(port) > 0 && Number(port) < 65536)) {
    throw unreachable(`dial tcp: lookup tcp/${port}: unknown port`);
  }
  return {
    kind: "pod",
    pod: { namespace, name },
    port: Number(port) || DEFAULT_PORT[scheme],
    scheme,
    host: port === "" ? bracketed(address) : `${bracketed(address)}:${port}`,
  };
}

const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** `pick` chooses one of so many ready endpoints. */
export function serviceTarget(
  reader: ProxyReader,
  namespace: string,
  id: string,
  pick: (count: number) => number,
): ProxyTarget {
  const split = splitName(id);
  if (!split) throw badRequest(`invalid service request ${JSON.stringify(id)}`);
  const { scheme, name } = split;
  const service = reader.get("services", { namespace, name }) as Service | undefined;
  if (!service) throw notFound("", "services", name);
  const process = service.metadata.annotations?.[HOST_ENDPOINT];
  if (process) return processTarget(process);
  const portName = portNameOf(service, split.port);
  const ready = reader
    .list("endpointslices.discovery.k8s.io", namespace)
    .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === name)
    .flatMap((object) => readyEndpoints(object as EndpointSlice, portName));
  const chosen = ready[ready.length > 1 ? pick(ready.length) : 0];
  if (!chosen) throw unavailable(`no endpoints available for service ${JSON.stringify(id)}`);
  const host = `${bracketed(chosen.address)}:${chosen.port}`;
  const pod = chosen.pod ?? podAt(reader, namespace, chosen.address);
  if (!pod) throw unreachable(`dial tcp ${host}: connect: no route to host`);
  return { kind: "pod", pod, port: chosen.port, scheme, host };
}

function processTarget(endpoint: string): ProxyTarget {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw unavailable(`annotation ${HOST_ENDPOINT} is no http or https URL: ${JSON.stringify(endpoint)}`);
  }
  return { kind: "process", url, host: url.host };
}

/** Ports are asked for by name; a number stands for the name of the service's port with it. */
function portNameOf(service: Service, port: string): string {
  if (!/^\d+$/.test(port)) return port;
  const found = service.spec?.ports?.find((candidate) => candidate.port === Number(port));
  if (found) return found.name ?? "";
  throw unavailable(`no service port ${port} found for service ${JSON.stringify(service.metadata.name)}`);
}

interface ReadyEndpoint {
  address: string;
  port: number;
  pod?: ObjectKey;
}

function readyEndpoints({ endpoints, ports, metadata }: EndpointSlice, portName: string): ReadyEndpoint[] {
  const port = ports?.find((candidate) => (candidate.name ?? "") === portName)?.port;
  if (port === undefined) return [];
  return (endpoints ?? []).flatMap(({ addresses, conditions, targetRef }) => {
    const [address] = addresses;
    if (conditions?.ready === false || address === undefined) return [];
    const pod =
      targetRef?.kind === "Pod" && targetRef.name
        ? { namespace: targetRef.namespace ?? metadata.namespace, name: targetRef.name }
        : undefined;
    return [{ address, port, pod }];
  });
}

/** The pod behind an address that somebody wrote by hand. */
function podAt(reader: ProxyReader, namespace: string, address: string): ObjectKey | undefined {
  const found = (reader.list("pods", namespace) as readonly Pod[]).find(({ status }) => status?.podIP === address);
  return found && { namespace, name: found.metadata.name };
}
