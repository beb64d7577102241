/** How the API server reaches into nodes: for the logs of containers, and for streams into them. */
import type { Clock } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import { badRequest, foreignError, internalError, notFound, type StatusError } from "../errors.js";
import { AT_ONCE, type Exchange } from "../network/zone-network.js";
import { keyOf } from "../object.js";
import type { Pod } from "../schema/generated/types.js";
import type { BehaviourOf } from "./behaviour.js";
import type { KubeletNetwork, Kubelets } from "./kubelets.js";
import type { NodeAgent } from "./node-agent.js";
import { podLog } from "./pod-log.js";
import { createPodStreams } from "./pod-streams.js";

export function createKubeletDoor({
  api,
  clock,
  network,
  agents,
  behaviourOf,
}: {
  api: KubeApi;
  clock: Clock;
  network: KubeletNetwork | undefined;
  /** By node name. */
  agents: ReadonlyMap<string, NodeAgent>;
  behaviourOf: BehaviourOf;
}): Pick<Kubelets, "podLog" | "streams"> {
  const agentFor = ({ spec }: Pod): NodeAgent | undefined => agents.get(spec?.nodeName ?? "");

  /** A connection of the API server to the kubelet. */
  const dial = (agent: NodeAgent): Exchange | undefined =>
    agent.isUp ? (network ? network.toMachine(agent.spec.zone) : AT_ONCE) : undefined;

  /** Why it does not come about. */
  const dialProblem = (agent: NodeAgent): string =>
    agent.refuses && (!network || network.toMachine(agent.spec.zone)) ? "connect: connection refused" : "i/o timeout";

  return {
    podLog(key, logOptions) {
      const pod = api.get<Pod>("pods", key);
      const agent = pod && agentFor(pod);
      if (!pod || !agent) return undefined;
      if (!dial(agent)) throw unreachable(pod, dialProblem(agent));
      return podLog(
        {
          pod,
          runtime: agent.pods.runtimeOf(pod),
          logs: agent.pods.logsOf(pod),
          behaviourOf,
          shown: agent.shown,
        },
        logOptions,
        clock.now(),
      );
    },
    streams: createPodStreams({
      dial(key) {
        const pod = api.get<Pod>("pods", key);
        const agent = pod && agentFor(pod);
        // Who is not there at all is told so by whatever is asked next.
        if (!pod || !agent) return AT_ONCE;
        const reached = dial(agent);
        if (!reached) throw backendSilent(pod, dialProblem(agent));
        return reached;
      },
      reachesNode(name) {
        const agent = agents.get(name);
        return agent && dial(agent) !== undefined;
      },
      clock,
      behaviourOf,
      find(key) {
        const pod = api.get<Pod>("pods", key);
        if (!pod) throw notFound("", "pods", key.name);
        const agent = agentFor(pod);
        if (!agent) throw badRequest(`pod ${key.name} does not have a host assigned`);
        if (!agent.isUp) throw backendSilent(pod, dialProblem(agent));
        const presence = agent.pods.presence(keyOf(pod));
        if (!presence)
          throw internalError(`unable to upgrade connection: pod not found ("${key.name}_${key.namespace}")`);
        return presence;
      },
    }),
  };
}

const kubeletOf = ({ status, spec }: Pod): string => `${status?.hostIP ?? spec?.nodeName}:10250`;

/** What the API server says when it asks a kubelet for a log that does not answer. */
function unreachable(pod: Pod, problem: string): StatusError {
  const address = kubeletOf(pod);
  const path = `${pod.metadata.namespace}/${pod.metadata.name}/${pod.spec?.containers[0]?.name}`;
  return foreignError(`Get "https://${address}/containerLogs/${path}": dial tcp ${address}: ${problem}`);
}

/** The same for exec, attach and port-forward. */
const backendSilent = (pod: Pod, problem: string): StatusError =>
  foreignError(`error dialing backend: dial tcp ${kubeletOf(pod)}: ${problem}`);
