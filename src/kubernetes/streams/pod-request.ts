import { badRequest, notFound } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import type { Pod } from "../schema/generated/types.js";
import type { ProcessRequest } from "./remote-process.js";

/** What the API server checks in a request for exec, attach or port-forward before it turns to the kubelet. */

/** As apimachinery reads booleans of a query: there and not said to be false. */
const isSet = (query: URLSearchParams, name: string): boolean => {
  const text = query.get(name);
  return text !== null && text !== "0" && text.toLowerCase() !== "false";
};

export function runningOn(found: KubeObject | undefined, { name }: ObjectKey): Pod {
  const pod = found as Pod | undefined;
  if (!pod) throw notFound("", "pods", name);
  return pod;
}

export function assertAssigned(pod: Pod): void {
  if (!pod.spec?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
}

/** The container meant; the only one where none is named. */
export function containerOf(pod: Pod, wanted: string | null): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const [first] = containers;
  if (!wanted && first && containers.length === 1) return first.name;
  const names = [...initContainers, ...containers, ...ephemeralContainers].map(({ name }) => name);
  const { name } = pod.metadata;
  if (!wanted)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(" ")}]`);
  if (!names.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  return wanted;
}

export function processRequest(pod: Pod, query: URLSearchParams, isExec: boolean): ProcessRequest {
  const tty = isSet(query, "tty");
  const wanted = {
    ...(isExec ? { command: query.getAll("command") } : {}),
    container: containerOf(pod, query.get("container")),
    stdin: isSet(query, "stdin"),
    stdout: isSet(query, "stdout"),
    // With a terminal both outputs are one.
    stderr: isSet(query, "stderr") && !tty,
    tty,
  };
  assertAssigned(pod);
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr)
    throw badRequest("you must specify at least 1 of stdin, stdout, stderr");
  return wanted;
}
