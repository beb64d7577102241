/** Makes the kubelets of a cluster: one agent a node, one queue for all of their pods, and the world that containers see. */
import { formatMicros } from "../../clock/clock.js";
import type { WatchEvent } from "../api.js";
import type { Place } from "../network/links.js";
import { AT_ONCE, type Exchange } from "../network/zone-network.js";
import { keyOf, parseKey } from "../object.js";
import { createEventRecorder } from "../runtime/event-recorder.js";
import { isEqual } from "../runtime/hash.js";
import { ATTACHMENTS } from "../runtime/volumes.js";
import { createWorkQueue } from "../runtime/work-queue.js";
import type { ConfigMap, Node, Pod, VolumeAttachment } from "../schema/generated/types.js";
import type { Breakdown, NodeReports, NodeTrouble, PodTrouble } from "../trouble.js";
import { type BehaviourOf, behaviourOf } from "./behaviour.js";
import { createClusterWorld } from "./cluster-world.js";
import { heartbeatView } from "./heartbeats.js";
import { createImageRegistry } from "./image-registry.js";
import { createKubeletDoor } from "./kubelet-door.js";
import type { Kubelets, KubeletsOptions } from "./kubelets.js";
import { createNodeAgent, type NodeAgent } from "./node-agent.js";
import { createTokenCache } from "./token-cache.js";

export function createKubelets(options: KubeletsOptions): Kubelets {
  const { api, clock, log, network, events: given } = options;
  const events = given ?? createEventRecorder({ api, clock, log, component: "kubelet" });
  const agents = new Map<string, NodeAgent>();
  /** Last renewals of nodes whose machine is gone, until their Node object goes, too. */
  const departed = new Map<string, number>();
  let nodeTroubles: Readonly<Record<string, NodeTrouble>> = {};
  const nodeReports = new Map<string, NodeReports>();
  let podTroubles: Readonly<Record<string, PodTrouble>> = {};
  const showHeartbeats = heartbeatView();
  const stops: (() => void)[] = [];
  const random = clock.random("kubelet/world");
  const agentFor = (pod: Pod): NodeAgent | undefined =>
    pod.spec?.nodeName === undefined ? undefined : agents.get(pod.spec.nodeName);
  const placeOf = ({ spec: { zone } }: NodeAgent): Place => ({ zone, side: "machines" });
  const isCutOff = (pod: Pod): boolean => agentFor(pod)?.isCut === true;
  /** On one node nothing goes over the network. */
  const crossing = (from: Pod, to: Pod): Exchange | undefined => {
    const [here, there] = [agentFor(from), agentFor(to)];
    if (!here || !there || here === there) return AT_ONCE;
    if (here.isCut || there.isCut) return undefined;
    return !network || network.zones.isClear ? AT_ONCE : network.zones.exchange(placeOf(here), placeOf(there));
  };
  const echo = (from: Pod, to: Pod): number | undefined => {
    const [here, there] = [agentFor(from), agentFor(to)];
    if (!here || !there || here === there) return 0;
    if (here.isCut || there.isCut) return undefined;
    return network ? network.zones.echo(placeOf(here), placeOf(there)) : 0;
  };
  const world = createClusterWorld({
    api,
    listener(pod, port, protocol) {
      return agentFor(pod)?.pods.listener(pod, port, protocol);
    },
    network: {
      crossing,
      echo,
      isWell: (pod) => !network || (network.zones.isClear && network.zonesWithoutDns.size === 0 && !isCutOff(pod)),
      hasNoDns: (pod) => network?.zonesWithoutDns.has(agentFor(pod)?.spec.zone ?? "") === true,
      apiServer: network?.apiServer && {
        ...network.apiServer,
        reach: (pod) => (isCutOff(pod) ? undefined : network.apiServer?.reach(pod)),
      },
    },
    pick: (items) => random.pick(items),
    now: () => clock.now(),
    outside: options.outside,
  });
  const images = createImageRegistry(options.images, events);
  const behaviour: BehaviourOf = (pod, container, role) => behaviourOf(pod, container, role, images);
  const token = createTokenCache({
    issue: options.issueToken,
    clock,
    nodeNowMs: (pod) => agentFor(pod)?.shown(clock.now()) ?? clock.now(),
    onSettled(podKey) {
      agentWith(podKey)?.pods.tokenSettled(podKey);
      wakePod(podKey);
    },
  });

  const queue = createWorkQueue({
    clock,
    log,
    name: "kubelet",
    // A kubelet whose writes fail keeps trying at a steady pace.
    backoff: { baseMs: 200, maxMs: 10_000 },
    async reconcile(item) {
      const space = item.indexOf(" ");
      const agent = agents.get(item.slice(0, space));
      if (!agent?.isUp) return;
      const wakeMs = await agent.pods.sync(item.slice(space + 1));
      if (wakeMs === undefined) queue.forget(item);
      else queue.addAfter(item, wakeMs);
    },
  });

  const onPod = ({ object }: WatchEvent<Pod>): void => {
    const nodeName = object.spec?.nodeName;
    const agent = nodeName === undefined ? undefined : agents.get(nodeName);
    if (!agent?.isUp) return;
    const key = keyOf(object);
    if (!agent.pods.isWriting(key)) queue.add(`${nodeName} ${key}`);
  };

  const onNode = ({ type, object }: WatchEvent<Node>): void => {
    if (type === "DELETED") departed.delete(object.metadata.name);
    else if (type === "MODIFIED") agents.get(object.metadata.name)?.nodeChanged(object);
  };

  /** A volume has come: the pods of its node that wait for it can go on. */
  const onAttachment = ({ type, object: { spec, status } }: WatchEvent<VolumeAttachment>): void => {
    const agent = type === "MODIFIED" && status?.attached ? agents.get(spec.nodeName) : undefined;
    if (agent?.isUp) for (const key of agent.pods.keys()) queue.add(`${spec.nodeName} ${key}`);
  };

  const agentOf = (name: string): NodeAgent => {
    const agent = agents.get(name);
    if (!agent) throw new Error(`no node named ${name} has been added`);
    return agent;
  };

  const agentWith = (key: string): NodeAgent | undefined => {
    const pod = api.get<Pod>("pods", parseKey(key));
    return pod && agentFor(pod);
  };
  const breakDown = (key: string, how: Breakdown): void => agentWith(key)?.pods.breakDown(key, how);
  const wakePod = (key: string): void => {
    const agent = agentWith(key);
    if (agent) queue.add(`${agent.spec.name} ${key}`);
  };

  const lastRenewalMs = (name: string): number | undefined => agents.get(name)?.lastRenewalMs() ?? departed.get(name);

  return {
    heartbeats: { lastRenewalMs },
    start() {
      stops.push(api.watch<ConfigMap>("configmaps", images.onConfigMap));
      stops.push(api.watch<Pod>("pods", onPod), api.watch<Node>("nodes", onNode), api.watch(ATTACHMENTS, onAttachment));
    },
    stop() {
      for (const stop of stops.splice(0)) stop();
      queue.stop();
      for (const agent of agents.values()) agent.vanish();
    },
    async addNode(spec) {
      agents.get(spec.name)?.vanish();
      departed.delete(spec.name);
      const agent = createNodeAgent(spec, {
        api,
        clock,
        log,
        events,
        wake: (key) => queue.add(`${spec.name} ${key}`),
        world,
        behaviourOf: behaviour,
        token,
        rootCa: () => options.caCert ?? "",
        podTrouble: (key) => podTroubles[key],
      });
      agents.set(spec.name, agent);
      agent.setTrouble(nodeTroubles[spec.name] ?? {});
      agent.setReports(nodeReports.get(spec.name) ?? {});
      agent.setSilenced("network", network?.isHeard(spec.zone) === false);
      try {
        await agent.register();
      } catch (error) {
        agents.delete(spec.name);
        throw error;
      }
    },
    async removeNode(name, { graceful }) {
      const agent = agents.get(name);
      if (!agent) return;
      if (graceful)
        await agent.shutDown().catch((error: unknown) => log.warn({ node: name, error }, "shutdown not reported"));
      agent.vanish();
      agents.delete(name);
      departed.set(name, agent.lastRenewalMs());
      if (!api.get("nodes", { name })) departed.delete(name);
    },
    zoneOf: (nodeName) => agents.get(nodeName)?.spec.zone,
    review() {
      for (const agent of agents.values()) agent.setSilenced("network", network?.isHeard(agent.spec.zone) === false);
    },
    setPower: (name, power) => agentOf(name).setPower(power),
    setNodeTroubles(next) {
      const before = nodeTroubles;
      nodeTroubles = next;
      for (const [name, agent] of agents) if (!isEqual(before[name], next[name])) agent.setTrouble(next[name] ?? {});
    },
    setNodeReports(name, next) {
      if (Object.keys(next).length > 0) nodeReports.set(name, next);
      else nodeReports.delete(name);
      agents.get(name)?.setReports(next);
    },
    setPodTroubles(next) {
      const before = podTroubles;
      podTroubles = next;
      for (const key of new Set([...Object.keys(before), ...Object.keys(next)])) {
        if (before[key] === next[key]) continue;
        if (next[key] === "crash-loop") breakDown(key, "crash");
        else wakePod(key);
      }
    },
    breakDown: (pod, how) => breakDown(`${pod.namespace}/${pod.name}`, how),
    leaseRenewTime(name) {
      const ms = lastRenewalMs(name);
      return ms === undefined ? undefined : formatMicros(agents.get(name)?.shown(ms) ?? ms);
    },
    withHeartbeats(node) {
      const agent = agents.get(node.metadata.name);
      return agent ? showHeartbeats(node, agent.shown(agent.lastReportMs())) : node;
    },
    ...createKubeletDoor({ api, clock, network, agents, behaviourOf: behaviour }),
  };
}
