import type { Clock, Timer } from "../../clock/clock.js";
import { badRequest, internalError, notFound, StatusError } from "../errors.js";
import { type KubeObject, keyOf } from "../object.js";
import { find } from "../registry/machinery.js";
import type { Pod } from "../schema/generated/types.js";
import type { PodLogOptions, ResourceExchange, ServerDependencies } from "./context.js";
import { booleanParameter, integerParameter } from "./options.js";
import type { Answer } from "./respond.js";

/** pods/log: what the kubelet says a container has written, once or (`follow`) for as long as the container runs. */

/** How often a followed log is looked at, simulated milliseconds. */
const FOLLOW_PERIOD_MS = 1_000;
const CONTENT_TYPE = "text/plain";

function optionsOf(query: URLSearchParams): PodLogOptions {
  if (query.get("sinceTime")) throw badRequest("sinceTime is not supported by this server, use sinceSeconds");
  return {
    container: query.get("container") || undefined,
    previous: booleanParameter(query, "previous"),
    timestamps: booleanParameter(query, "timestamps"),
    tailLines: integerParameter(query, "tailLines"),
    sinceSeconds: integerParameter(query, "sinceSeconds"),
    limitBytes: integerParameter(query, "limitBytes"),
  };
}

/** True while the container can still write something. */
function isRunning(pod: KubeObject | undefined, container: string | undefined): boolean {
  const { status } = (pod ?? {}) as Partial<Pod>;
  if (!status || status.phase === "Succeeded" || status.phase === "Failed") return false;
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  const found = container === undefined ? all[0] : all.find(({ name }) => name === container);
  return found?.state?.running !== undefined;
}

/** Undefined when the log is followed: the response has begun and goes on by itself. */
export function answerPodLog(dependencies: ServerDependencies, exchange: ResourceExchange): Answer | undefined {
  const { registry, podLog } = dependencies;
  const { entry, target, info } = exchange;
  const key = { namespace: target.namespace, name: target.name as string };
  const pod = find(registry, entry, key);
  if (!pod) throw notFound("", "pods", key.name);
  if (!podLog) throw new StatusError(501, "NotImplemented", "the log subresource is not implemented by this server");
  const { nodeName } = pod.spec as { nodeName?: string };
  if (!nodeName) throw badRequest(`pod ${key.name} does not have a host assigned`);
  const options = optionsOf(info.query);
  const read = (wanted: PodLogOptions): string => {
    const text = podLog(keyOf(pod), wanted);
    if (text === undefined) throw internalError(`the kubelet of node ${nodeName} does not answer`);
    return text;
  };
  const text = read(options);
  if (!booleanParameter(info.query, "follow")) return { code: 200, body: text, contentType: CONTENT_TYPE };
  const { container, timestamps } = options;
  const whole = (): string => read({ container, timestamps });
  follow(registry.clock, exchange, text, whole, () => isRunning(find(registry, entry, key), container));
  return undefined;
}

function follow(
  clock: Clock,
  { response }: ResourceExchange,
  begin: string,
  whole: () => string,
  isGoing: () => boolean,
): void {
  let timer: Timer | undefined;
  let sent = whole().length;
  response.writeHead(200, { "content-type": CONTENT_TYPE, "cache-control": "no-cache, private" });
  response.flushHeaders();
  response.write(begin);
  const look = (): void => {
    const going = isGoing();
    try {
      const text = whole();
      if (text.length > sent) response.write(text.slice(sent));
      sent = text.length;
    } catch {
      // The pod or its node is gone: so is its log.
      response.end();
      return;
    }
    if (going) timer = clock.timer(FOLLOW_PERIOD_MS, look);
    else response.end();
  };
  response.on("close", () => timer?.cancel());
  look();
}
