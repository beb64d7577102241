import { badRequest, forbidden, methodNotAllowed, StatusError } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import type { PodStreams } from "../pod-streams.js";
import { admit, find } from "../registry/machinery.js";
import { isAllowed } from "../server/authorize.js";
import type { ResourceExchange, ServerDependencies } from "../server/context.js";
import type { Answer } from "../server/respond.js";
import { assertAssigned, processRequest, runningOn } from "./pod-request.js";
import {
  forwardOverChannels,
  forwardOverRawSpdy,
  forwardOverTunnel,
  requestedPorts,
  spdyForwardProtocol,
  websocketForwardProtocol,
} from "./port-forward.js";
import { proxyRequest } from "./proxy/http-proxy.js";
import { proxyToNode } from "./proxy/node.js";
import { type ProxyReader, podTarget, serviceTarget } from "./proxy/target.js";
import { runProcess } from "./remote-process.js";
import { openSpdyProcess, spdyProcessProtocol } from "./spdy-process.js";
import { isSpdy, isWebSocket, leaveHttp, type Upgrade } from "./upgrade.js";
import { openWebSocketProcess, processProtocol } from "./websocket-process.js";

/**
 * Requests that become a connection: exec, attach and portforward of pods, and the proxies. Loaded with the first of them; who asks has been authenticated
 * and authorised for the request itself.
 */
export interface Streams {
  /** The answer, or undefined when the response or the connection has been taken over. Throws StatusError. */
  answer(exchange: ResourceExchange): Promise<Answer | undefined>;
}

const PROXY_METHODS = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
const OPTIONS_KIND: Readonly<Record<string, string>> = {
  exec: "PodExecOptions",
  attach: "PodAttachOptions",
  portforward: "PodPortForwardOptions",
};
/** First minor version that asks for `create` whatever the method is (AuthorizePodWebsocketUpgradeCreatePermission). */
const CREATE_ALWAYS_SINCE_MINOR = 35;

export function createStreams(dependencies: ServerDependencies): Streams {
  const { registry, authorizers } = dependencies;
  const chance = registry.clock.random("proxied-endpoints");

  const reader: ProxyReader = {
    get: (resource, { namespace, name }) => registry.store.get(resource, namespace, name),
    list: (resource, namespace) => registry.store.list(resource, namespace),
  };

  /** A WebSocket begins with GET, which read-only roles may send: what it opens is worth as much as a POST. */
  function assertMayCreate({ info, user, target }: ResourceExchange): void {
    const minor = Number(dependencies.gitVersion().split(".")[1]);
    if (info.verb === "create" || minor < CREATE_ALWAYS_SINCE_MINOR) return;
    const { group, version, resource, subresource, namespace, name } = target;
    const attributes = { user, verb: "create", resource: { group, version, resource, subresource, namespace, name } };
    const { allowed, reason } = isAllowed(authorizers, attributes);
    if (!allowed) throw forbidden("", "pods", name ?? "", reason);
  }

  /** Admission sees connections as the operation CONNECT, with the options of the query as the object. */
  async function admitConnection({ entry, target, info, user, inside }: ResourceExchange): Promise<void> {
    const { namespace, name = "", subresource = "" } = target;
    const kind = OPTIONS_KIND[subresource] ?? `${entry.info.kind}ProxyOptions`;
    // Options have no metadata, unlike everything else that admission sees.
    const object = { apiVersion: "v1", kind, ...optionsOf(info.query, subresource) } as unknown as KubeObject;
    const request = {
      operation: "CONNECT" as const,
      info: entry.info,
      subresource,
      namespace,
      name,
      user,
      dryRun: false,
      patient: !inside,
      object,
    };
    await admit(registry, "admit", request);
    await admit(registry, "validate", request);
  }

  /** Takes as long as it takes to reach the pod's kubelet. Throws StatusError when it is not reached. */
  async function reach(streams: PodStreams, pod: ObjectKey): Promise<void> {
    const ms = streams.dial?.(pod).connectMs ?? 0;
    if (ms > 0) await registry.clock.sleep(ms);
  }

  function upgradeOf({ request, upgrade }: ResourceExchange): Upgrade {
    if (upgrade && (isWebSocket(request) || isSpdy(request))) return upgrade;
    throw badRequest("Upgrade request required");
  }

  async function runInContainer(exchange: ResourceExchange, streams: PodStreams, key: ObjectKey): Promise<void> {
    const { request, info, entry, target } = exchange;
    const pod = runningOn(find(registry, entry, key), key);
    const wanted = processRequest(pod, info.query, target.subresource === "exec");
    const upgrade = upgradeOf(exchange);
    const websocket = isWebSocket(request);
    const protocol = websocket ? processProtocol(request) : spdyProcessProtocol(request);
    await admitConnection(exchange);
    await reach(streams, key);
    leaveHttp(exchange);
    const wire = await (websocket
      ? openWebSocketProcess(upgrade, protocol, wanted)
      : openSpdyProcess(upgrade, protocol, wanted));
    await runProcess(streams, key, wanted, wire);
  }

  async function forwardPorts(exchange: ResourceExchange, streams: PodStreams, key: ObjectKey): Promise<void> {
    const { request, info, entry } = exchange;
    assertAssigned(runningOn(find(registry, entry, key), key));
    const upgrade = upgradeOf(exchange);
    const forwarding = { streams, pod: key };
    if (isSpdy(request)) {
      const protocol = spdyForwardProtocol(request);
      await admitConnection(exchange);
      await reach(streams, key);
      leaveHttp(exchange);
      return forwardOverRawSpdy(forwarding, upgrade, protocol);
    }
    const { protocol, tunnel } = websocketForwardProtocol(request);
    const ports = tunnel ? [] : requestedPorts(info.query);
    await admitConnection(exchange);
    await reach(streams, key);
    leaveHttp(exchange);
    return tunnel
      ? forwardOverTunnel(forwarding, upgrade, protocol)
      : forwardOverChannels(forwarding, upgrade, { protocol, ports });
  }

  async function proxy(exchange: ResourceExchange): Promise<Answer | undefined> {
    const { request, response, target, entry, upgrade } = exchange;
    if (!PROXY_METHODS.has(request.method ?? "")) throw methodNotAllowed();
    const { name = "", namespace = "" } = target;
    const { resource } = entry.info;
    const url = request.url ?? "/";
    const { prefix, path } = splitAtProxy(url, entry.info.namespaced);
    await admitConnection(exchange);
    const goesTo =
      resource === "pods"
        ? podTarget(reader, namespace, name)
        : resource === "services"
          ? serviceTarget(reader, namespace, name, (count) => chance.integer(0, count - 1))
          : undefined;
    if (/^($|\?)/.test(path) && (request.method === "GET" || request.method === "HEAD") && !upgrade) {
      // A page's relative links work only below a path that ends with a slash.
      return { code: 301, headers: { location: `${prefix}/${path}` } };
    }
    if (!goesTo) return proxyToNode(dependencies, name, path);
    const { host } = goesTo;
    await proxyRequest({
      streams: dependencies.podStreams,
      ...(exchange.inside ? {} : { clock: registry.clock }),
      target: goesTo,
      path: path.startsWith("/") ? path : `/${path}`,
      page: { prefix, targetHost: host, requestHost: request.headers.host ?? "" },
      request,
      response,
      ...(upgrade ? { upgrade } : {}),
    });
    return undefined;
  }

  return {
    async answer(exchange) {
      const { target } = exchange;
      const { subresource, namespace, name = "" } = target;
      if (subresource === "proxy") return proxy(exchange);
      assertMayCreate(exchange);
      const { podStreams } = dependencies;
      if (!podStreams) throw new StatusError(501, "NotImplemented", `this server cannot serve pods/${subresource}`);
      const serve = subresource === "portforward" ? forwardPorts : runInContainer;
      await serve(exchange, podStreams, { namespace, name });
      return undefined;
    },
  };
}

/** `/api/v1/[namespaces/<namespace>/]<resource>/<name>/proxy` and what follows it, query included. Namespaces and names may begin with `proxy`, too. */
function splitAtProxy(url: string, namespaced: boolean): { prefix: string; path: string } {
  const segments = url.split("/", namespaced ? 8 : 6);
  // The last one may have a query behind it.
  const end = segments.slice(0, -1).join("/").length + "/proxy".length;
  return { prefix: url.slice(0, end), path: url.slice(end) };
}

const BOOLEAN_OPTIONS = ["stdin", "stdout", "stderr", "tty"];

function optionsOf(query: URLSearchParams, subresource: string): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const name of BOOLEAN_OPTIONS) if (query.has(name)) options[name] = !/^(0|false)$/i.test(query.get(name) ?? "");
  if (query.get("container")) options.container = query.get("container");
  if (subresource === "exec") options.command = query.getAll("command");
  if (subresource === "portforward" && query.has("ports"))
    options.ports = query.getAll("ports").flatMap((text) => text.split(",").map(Number));
  return options;
}
