/**
 * Containers of pods that are made to end from outside, in the machines that run them: their processes are killed, and their kubelets see what they see
 * of any process that dies. Nobody can make a foreign program exit with a number of his choice: what crashes has been killed (137, Error).
 */
import { BackendError, type PodName } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import type { Engine } from "./engine.js";
import { asBackendError, KubeRefusal, type WatchedObject } from "./kube-client.js";
import { containerOf } from "./nodes.js";

/**
 * Arguments: `crash` or `oom`, then namespace and name of each pod. The kernel alone says that a container was killed for its memory: its limit is drawn
 * tight. Of cgroup v1 that is not enough, and somebody in the group has to ask for more.
 */
const END = `set -u
how=$1
shift
tighten() {
  first=$(sed -n 's/^[0-9]*:memory://p' "/proc/$1/cgroup")
  second=$(sed -n 's/^0:://p' "/proc/$1/cgroup")
  if [ -n "$first" ]; then
    group=/sys/fs/cgroup/memory$first
    echo $(($(cat "$group/memory.usage_in_bytes") + 8388608)) > "$group/memory.limit_in_bytes" || return
    sh -c 'echo $$ > "$1/cgroup.procs" && exec tail /dev/zero' sh "$group"
  elif [ -n "$second" ]; then
    echo 4096 > "/sys/fs/cgroup$second/memory.max"
  fi
  # Whoever reports it has to hear of it before the container is gone.
  sleep 0.5
}
while [ $# -gt 1 ]; do
  for id in $(crictl ps --quiet --label "io.kubernetes.pod.namespace=$1" --label "io.kubernetes.pod.name=$2"); do
    pid=$(crictl inspect --output go-template --template '{{.info.pid}}' "$id") || continue
    [ "$pid" -gt 1 ] || continue
    [ "$how" = oom ] && tighten "$pid"
    kill -9 "$pid"
  done
  shift 2
done 2>/dev/null
exit 0
`;

export type ContainerEnd = "crash" | "oom";

/** Ends every container of the pods that runs in the machine now. */
async function endIn(engine: Engine, machine: string, pods: readonly PodName[], how: ContainerEnd): Promise<void> {
  const named = pods.flatMap(({ namespace, name }) => [namespace, name]);
  await engine.exec(machine, ["sh", "-s", how, ...named], { input: END });
}

interface Pod extends WatchedObject {
  spec?: { nodeName?: string };
  status?: { containerStatuses?: { containerID?: string; state?: { running?: unknown } }[] };
}

/** The machine of a node, masters included; undefined while it does not run. */
async function machineOf(context: KindContext, held: Held, nodeName: string): Promise<string | undefined> {
  const master = held.file.masters.find(({ container }) => container === nodeName)?.container;
  const [machine] = master ? await context.engine.inspect([master]) : [await containerOf(context, held, nodeName)];
  return machine?.state === "running" ? machine.name : undefined;
}

/** Pods that are gone, and those whose machine does not run, have no containers that could end. */
export async function endContainers(
  context: KindContext,
  held: Held,
  pods: readonly PodName[],
  how: ContainerEnd,
): Promise<void> {
  const byNode = new Map<string, PodName[]>();
  await asBackendError(() =>
    Promise.all(
      pods.map(async ({ namespace, name }) => {
        const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
        const nodeName = (await held.client.get<Pod>(path))?.spec?.nodeName;
        if (nodeName) byNode.set(nodeName, [...(byNode.get(nodeName) ?? []), { namespace, name }]);
      }),
    ),
  );
  await Promise.all(
    [...byNode].map(async ([nodeName, there]) => {
      const machine = await machineOf(context, held, nodeName);
      if (machine !== undefined) await endIn(context.engine, machine, there, how);
    }),
  );
}

const keyOf = ({ namespace, name }: PodName): string => `${namespace}/${name}`;

/** From now on exactly these pods crash, each of their containers as soon as it is heard of. */
export function setCrashing(context: KindContext, held: Held, pods: readonly PodName[]): void {
  const wanted = new Set(pods.map(keyOf));
  const present = held.crashing?.pods ?? new Set();
  if (wanted.size === present.size && [...wanted].every((key) => present.has(key))) return;
  held.crashing?.stop();
  delete held.crashing;
  if (wanted.size > 0) held.crashing = { pods: wanted, stop: keepCrashing(context, held, wanted) };
}

function keepCrashing(context: KindContext, held: Held, wanted: ReadonlySet<string>): () => void {
  const ended = new Set<string>();
  const end = async (pod: PodName, nodeName: string, containers: readonly string[]): Promise<void> => {
    for (const id of containers) ended.add(id);
    try {
      const machine = await machineOf(context, held, nodeName);
      if (machine !== undefined) await endIn(context.engine, machine, [pod], "crash");
    } catch (err) {
      if (!(err instanceof BackendError || err instanceof KubeRefusal)) throw err;
      // With the next that is heard of the pod they are tried again.
      for (const id of containers) ended.delete(id);
      context.log.debug({ err, pod: keyOf(pod) }, "the containers of a pod could not be ended now");
    }
  };
  return held.client.watch<Pod>("/api/v1/pods", ({ type, object }) => {
    const { namespace = "", name } = object.metadata;
    const nodeName = object.spec?.nodeName;
    if (type === "DELETED" || nodeName === undefined || !wanted.has(keyOf({ namespace, name }))) return;
    const running = (object.status?.containerStatuses ?? []).flatMap(({ containerID, state }) =>
      containerID !== undefined && state?.running !== undefined && !ended.has(containerID) ? containerID : [],
    );
    if (running.length > 0)
      void end({ namespace, name }, nodeName, running).catch((err) =>
        context.log.warn({ err, pod: keyOf({ namespace, name }) }, "a pod that is to crash does not"),
      );
  });
}
