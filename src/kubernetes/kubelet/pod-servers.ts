import type { Container, Pod } from "../schema/generated/types.js";
import type { BehaviourOf } from "./behaviour.js";
import type { Listener } from "./machine/listeners.js";
import type { HttpRequest, HttpResponse } from "./machine/network.js";
import type { PodMachine } from "./machine/pod-machine.js";
import { type PodRuntime, specOf } from "./pod-runtime.js";

/** What listens on the ports of a running pod: programs of the machine, programmed answers, known images, and else anything on a declared port. */
export interface ServerSources {
  runtime: PodRuntime;
  machine: PodMachine | undefined;
  behaviourOf: BehaviourOf;
  nowMs: number;
}

const isTcp = (protocol: string | undefined): boolean => (protocol ?? "TCP") === "TCP";

function declares({ ports }: Container, port: number, protocol: "TCP" | "UDP"): boolean {
  return ports?.some((one) => one.containerPort === port && (one.protocol ?? "TCP") === protocol) ?? false;
}

/** A probe's port is one that the application is expected to have. */
function isProbed(container: Container, port: number): boolean {
  return [container.livenessProbe, container.readinessProbe, container.startupProbe].some((probe) => {
    const wanted = probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? probe?.grpc?.port;
    return wanted === port;
  });
}

/** A server of which nothing is known answers everything with a short greeting. */
const greeting = (pod: Pod, container: Container): HttpResponse => ({
  status: 200,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body: `${container.name} of pod ${pod.metadata.namespace}/${pod.metadata.name}\n`,
});

export function listenerOf(
  pod: Pod,
  port: number,
  protocol: "TCP" | "UDP",
  sources: ServerSources,
): Listener | undefined {
  const { runtime, machine, nowMs } = sources;
  const noneDeclared = (pod.spec?.containers ?? []).every(({ ports }) => !ports?.length);
  for (const container of runtime.containers) {
    if (container.state.is !== "running" || container.role === "ephemeral" || container.role === "init") continue;
    // It has ended, although its kubelet, which is silent, has not seen it.
    if (container.state.exitMs !== undefined && container.state.exitMs <= nowMs) continue;
    const spec = specOf(pod, container);
    if (!spec) continue;
    const run = machine?.run(container.name);
    if (run?.exit) continue;
    const own = run?.listeners.get(port, protocol);
    if (own) return own;
    const behaviour = sources.behaviourOf(pod, spec, container.role);
    if (nowMs < container.state.startedMs + behaviour.readyAfterMs || behaviour.neverReady) continue;
    const { image } = behaviour;
    if (image.listensItself) continue;
    const known = behaviour.ports?.includes(port) || image.ports?.includes(port);
    const isUnknownServer = !image.http && !behaviour.runsProgram && !behaviour.http;
    const listens =
      declares(spec, port, protocol) ||
      (isTcp(protocol) && (known || isProbed(spec, port) || (noneDeclared && (isUnknownServer || behaviour.http))));
    if (!listens) continue;
    const files = {
      read: (path: string): string | undefined => {
        if (!run) return image.files?.[path];
        const node = run.tree.find(path, run.who);
        return node?.is === "file" ? node.data : undefined;
      },
    };
    const http = (request: HttpRequest): HttpResponse | Promise<HttpResponse> =>
      behaviour.http?.(port, request, pod) ?? image.http?.(request, files) ?? greeting(pod, spec);
    const standsFor = behaviour.http ? "programmed" : isUnknownServer ? "unknown" : undefined;
    return { protocol, http, line: image.line ?? (() => ""), grpc: () => "SERVING", standsFor };
  }
  return undefined;
}
