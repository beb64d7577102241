import { formatNanos } from "../../clock/clock.js";
import { badRequest, internalError, invalid, notFound, type StatusCause, StatusError } from "../errors.js";
import { keyOf } from "../object.js";
import { find } from "../registry/machinery.js";
import type { Pod } from "../schema/generated/types.js";
import { containerOf } from "../streams/pod-request.js";
import { chooseProtocol, isWebSocket, leaveHttp, offeredProtocols } from "../streams/upgrade.js";
import type { PodLogOptions, ResourceExchange, ServerDependencies } from "./context.js";
import { booleanParameter, integerParameter } from "./options.js";
import type { Answer } from "./respond.js";

/** pods/log: what the kubelet says a container has written, once or (`follow`) for as long as the container runs; as a response or as messages of a WebSocket. */

const CONTENT_TYPE = "text/plain";

/** Names a container's log does not have beside the standard one of both outputs. */
const STREAMS = new Set(["", "All"]);

/** Throws 422 with upstream's words for options that contradict themselves. */
function optionsOf(query: URLSearchParams, pod: string): PodLogOptions {
  const causes: StatusCause[] = [];
  const atLeast = (name: "tailLines" | "sinceSeconds" | "limitBytes", least: number): number | undefined => {
    const value = integerParameter(query, name);
    if (value !== undefined && value < least) {
      const wanted = least === 0 ? "must be greater than or equal to 0" : "must be greater than 0";
      causes.push({ reason: "FieldValueInvalid", field: name, message: `Invalid value: ${value}: ${wanted}` });
    }
    return value;
  };
  const tailLines = atLeast("tailLines", 0);
  const limitBytes = atLeast("limitBytes", 1);
  const sinceSeconds = atLeast("sinceSeconds", 1);
  const sinceTime = query.get("sinceTime") || undefined;
  const sinceTimeMs = sinceTime === undefined ? undefined : Date.parse(sinceTime);
  if (Number.isNaN(sinceTimeMs))
    throw badRequest(`parsing time ${JSON.stringify(sinceTime)}: cannot parse as RFC 3339`);
  if (sinceSeconds !== undefined && sinceTimeMs !== undefined) {
    const message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified";
    causes.push({ reason: "FieldValueForbidden", field: "[]", message });
  }
  const stream = query.get("stream") ?? "";
  if (!STREAMS.has(stream)) {
    const message = `Unsupported value: ${JSON.stringify(stream)}: supported values: "All"`;
    causes.push({ reason: "FieldValueNotSupported", field: "stream", message });
  }
  if (causes.length > 0) throw invalid("", "PodLogOptions", pod, causes);
  return {
    previous: booleanParameter(query, "previous"),
    timestamps: booleanParameter(query, "timestamps"),
    tailLines,
    sinceSeconds,
    sinceTimeMs,
    limitBytes,
  };
}

/** Where the text of a log goes. */
interface LogSink {
  write(text: string): void;
  end(): void;
  /** Calls back when the client is gone. */
  onGone(callback: () => void): void;
}

/** Undefined when the log is followed or goes over a WebSocket: the response has begun and goes on by itself. */
export function answerPodLog(
  dependencies: ServerDependencies,
  exchange: ResourceExchange,
): Answer | undefined | Promise<undefined> {
  const { registry, podLog, podStreams } = dependencies;
  const { entry, target, info, request } = exchange;
  const key = { namespace: target.namespace, name: target.name as string };
  const pod = find(registry, entry, key) as Pod | undefined;
  if (!pod) throw notFound("", "pods", key.name);
  if (!podLog) throw new StatusError(501, "NotImplemented", "the log subresource is not implemented by this server");
  const options = optionsOf(info.query, key.name);
  const container = containerOf(pod, info.query.get("container"));
  const nodeName = pod.spec?.nodeName;
  // Nobody has written anything yet.
  if (!nodeName) return { code: 204 };
  const read = (): string => {
    const text = podLog(keyOf(pod), { ...options, container });
    if (text === undefined) throw internalError(`the kubelet of node ${nodeName} does not answer`);
    return text;
  };
  const follows = booleanParameter(info.query, "follow") && podStreams !== undefined;
  const websocket = exchange.upgrade !== undefined && isWebSocket(request);
  if (!follows && !websocket) return { code: 200, body: read(), contentType: CONTENT_TYPE };

  // Nothing is written between the two: what comes after the text that is read now goes to the follower.
  const text = read();
  const serve = (sink: LogSink): void => {
    if (follows) followLog(dependencies, exchange, { container, options, text }, sink);
    else {
      sink.write(text);
      sink.end();
    }
  };
  if (websocket) return serveOverWebSocket(exchange, serve);
  serve(responseSink(exchange));
  return undefined;
}

function followLog(
  { podStreams }: ServerDependencies,
  { target }: ResourceExchange,
  { container, options, text }: { container: string; options: PodLogOptions; text: string },
  sink: LogSink,
): void {
  let leftBytes = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let stop: (() => void) | undefined;
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    stop?.();
    sink.end();
  };
  const write = (more: string): void => {
    if (over || more === "") return;
    const bytes = Buffer.from(more);
    sink.write(bytes.length > leftBytes ? bytes.subarray(0, leftBytes).toString() : more);
    leftBytes -= bytes.length;
    if (leftBytes <= 0) finish();
  };
  sink.onGone(finish);
  write(text);
  if (over) return;
  const pod = { namespace: target.namespace, name: target.name as string };
  stop = podStreams?.followLog(pod, container, {
    line: (line, atMs) => write(`${options.timestamps ? `${formatNanos(atMs)} ` : ""}${line}\n`),
    end: finish,
  });
  if (over) stop?.();
}

/** The response begins at once, however long the first line takes. */
function responseSink({ response }: ResourceExchange): LogSink {
  response.writeHead(200, { "content-type": CONTENT_TYPE, "cache-control": "no-cache, private" });
  response.flushHeaders();
  return {
    write: (text) => response.write(text),
    end: () => response.end(),
    onGone: (callback) => response.on("close", callback),
  };
}

const PROTOCOLS = ["", "binary.k8s.io", "base64.binary.k8s.io"];
const NORMAL_CLOSURE = 1000;

/** Each message is a piece of the log, with no channel before it. What the client sends is not looked at. */
async function serveOverWebSocket(exchange: ResourceExchange, serve: (sink: LogSink) => void): Promise<undefined> {
  const { request, upgrade } = exchange;
  if (!upgrade) throw badRequest("Upgrade request required");
  const protocol = chooseProtocol(offeredProtocols(request), PROTOCOLS);
  leaveHttp(exchange);
  const ws = await upgrade.websocket(protocol);
  const isText = protocol === "base64.binary.k8s.io";
  serve({
    write: (text) => ws.send(isText ? Buffer.from(text).toString("base64") : Buffer.from(text)),
    end: () => ws.close(NORMAL_CLOSURE),
    onGone: (callback) => ws.on("close", callback),
  });
  return undefined;
}
