import type { Clock, Timer } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { ClusterLog, NodePower, NodeSpec } from "../cluster.js";
import { conditionOf, isConditionTrue } from "../runtime/conditions.js";
import type { EventRecorder } from "../runtime/event-recorder.js";
import { isEqual } from "../runtime/hash.js";
import type { Node, Pod } from "../schema/generated/types.js";
import type { NodeReports, NodeTrouble } from "../trouble.js";
import type { BehaviourOf } from "./behaviour.js";
import type { ClusterWorld } from "./cluster-world.js";
import { createMachineClock } from "./machine-clock.js";
import { SUFFICIENCY_EVENTS } from "./node-object.js";
import { createNodeReporter } from "./node-reporter.js";
import { createPodWorkers, type PodWorkers, type PodWorkersOptions } from "./pod-workers.js";
import { PRESSURE_TEXTS, PRESSURES } from "./pressure.js";
import { createPressureWatch } from "./pressure-watch.js";
import { createRegistration } from "./registration.js";
import { drawTiming, LEASE_RENEWAL_MS, STATUS_REPORT_MS, type Timing } from "./timings.js";

/** One simulated kubelet: registers its node, keeps it Ready, falls silent and comes back as power and network do. */
export interface NodeAgent {
  readonly spec: NodeSpec;
  readonly pods: PodWorkers;
  /** Registers the Node, or finds it again; resolves when it is there. */
  register(): Promise<void>;
  setPower(power: NodePower): void;
  /** Exactly this is wrong with the machine from now on. */
  setTrouble(trouble: NodeTrouble): void;
  /** What other programs of the node say of it; it stands in its status as soon as somebody hears of it. */
  setReports(reports: NodeReports): void;
  /**
   * It can neither report to the API server nor learn anything from it, for as long as there is any reason: containers go on, and a machine that was never
   * heard of stays unknown.
   */
  setSilenced(reason: SilenceReason, silenced: boolean): void;
  /** Ends all pods and says goodbye, at once; silent for ever after. */
  shutDown(): Promise<void>;
  /** Silent for ever, without a word. */
  vanish(): void;
  /** True while it talks to the API server. */
  readonly isUp: boolean;
  /** Nothing of the machine can be reached over the network. */
  readonly isCut: boolean;
  /** The machine is there, but no kubelet listens on it. */
  readonly refuses: boolean;
  lastRenewalMs(): number;
  /** When it last reported the node's status, which it does every five minutes although nothing has changed. */
  lastReportMs(): number;
  /** What the machine's clock showed at a time, both epoch ms. */
  shown(ms: number): number;
  /** Somebody has changed the Node: what the kubelet knows better it puts right with its next look. */
  nodeChanged(node: Node): void;
}

/** `network`: no API server is reached. `unauthorized`: none believes it who it is. */
export type SilenceReason = "network" | "unauthorized";

export interface NodeAgentOptions {
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  events: EventRecorder;
  /** Asks for a look at one of the node's pods. */
  wake: (key: string) => void;
  world: ClusterWorld;
  behaviourOf: BehaviourOf;
  token: PodWorkersOptions["token"];
  rootCa: () => string;
  podTrouble: PodWorkersOptions["podTrouble"];
}

/** nodeStatusUpdateFrequency: how often a kubelet looks whether its node's status is as it should be. */
const NODE_LOOK_MS = 10_000;

export function createNodeAgent(spec: NodeSpec, options: NodeAgentOptions): NodeAgent {
  const { clock, log, wake } = options;
  const { name } = spec;
  const machineClock = createMachineClock();
  const events = options.events.onHost(name, machineClock.shown);
  const api = options.api.as(
    { username: `system:node:${name}`, groups: ["system:nodes", "system:authenticated"] },
    "kubelet",
  );
  const random = clock.random(`kubelet/${name}`);
  const draw = (timing: Timing): number => drawTiming(random, timing);
  let networkReadyMs = 0;
  let power: NodePower = "running";
  let trouble: NodeTrouble = {};
  let reports: NodeReports = {};
  let isUp = false;
  let isGone = false;
  const silenced = new Set<SilenceReason>();
  /** The Node has been found or made. */
  let isRegistered = false;
  /** When the power went; undefined: it did not. */
  let diedMs: number | undefined;
  let frozenMs: number | undefined;
  /** The kubelet was stopped, and has not been started again since. */
  let isKubeletStopped = false;
  /** When a kubelet that was stopped was started again. */
  let actingSinceMs = 0;
  /** Renewals lie on a grid of 10 s from here... */
  let beatingSinceMs = clock.now();
  /** ...until here; none before it has begun. */
  let silentSinceMs: number | undefined = clock.now();
  let bootID: string | undefined;
  let timer: Timer | undefined;
  /** Set while what belongs beside the Node could not be made. */
  let missing: Timer | undefined;

  const pods = createPodWorkers({
    api,
    clock,
    events,
    random,
    nodeName: name,
    hostIP: spec.addresses.find(({ type }) => type === "InternalIP")?.address ?? "",
    podCidr: spec.podCidr,
    networkReadyMs: () => networkReadyMs,
    actingSinceMs: () => actingSinceMs,
    world: options.world,
    behaviourOf: options.behaviourOf,
    token: options.token,
    rootCa: options.rootCa,
    wake,
    trouble: () => trouble,
    podTrouble: options.podTrouble,
    pressures: () => pressure.reported(),
    shown: machineClock.shown,
  });

  const registration = createRegistration(spec, { api, cloudApi: options.api, clock });

  const nodeEvent = (reason: string, message: string, type: "Normal" | "Warning" = "Normal"): void =>
    events.event({ apiVersion: "v1", kind: "Node", name, uid: name }, type, reason, message);
  const statusEvent = (reason: string): void => nodeEvent(reason, `Node ${name} status is now: ${reason}`);

  const pressure = createPressureWatch({
    clock,
    pods,
    isUp: () => isUp,
    warn: (reason, message) => nodeEvent(reason, message, "Warning"),
    async onChange(type, isFelt) {
      await reporter.news();
      statusEvent(PRESSURE_TEXTS[type][isFelt ? "felt" : "well"][2]);
    },
  });

  const reporter = createNodeReporter(spec, {
    api,
    clock,
    log,
    // One whose network is not up yet, or that comes back, reports by itself.
    findings: () => ({
      readiness: isUp && clock.now() >= networkReadyMs ? "ready" : undefined,
      pressures: pressure.reported(),
      reports,
    }),
    bootID: () => bootID,
    shown: machineClock.shown,
    nextLookMs: () => lastBeatMs(NODE_LOOK_MS) + NODE_LOOK_MS,
    onReady: () => statusEvent("NodeReady"),
  });
  const { report } = reporter;

  const after = (delayMs: number, work: () => Promise<void>): void => {
    timer?.cancel();
    timer = clock.timer(delayMs, () => {
      timer = undefined;
      const done = work().catch((error: unknown) => {
        log.debug({ node: name, error }, "kubelet could not report");
        if (power === "running" && !isGone && silenced.size === 0) after(LEASE_RENEWAL_MS, work);
      });
      void clock.track(done);
    });
  };

  /** The last instant of a grid of `periodMs` at which it was heard of. */
  const lastBeatMs = (periodMs: number): number => {
    const untilMs = silentSinceMs ?? clock.now();
    return beatingSinceMs + Math.floor((untilMs - beatingSinceMs) / periodMs) * periodMs;
  };

  const fallSilent = (): void => {
    timer?.cancel();
    timer = undefined;
    missing?.cancel();
    missing = undefined;
    reporter.fallSilent();
    if (!isUp) return;
    isUp = false;
    silentSinceMs = clock.now();
  };

  const vanish = (): void => {
    isGone = true;
    pressure.stop();
    pods.halt();
    fallSilent();
  };

  const beat = (): void => {
    isUp = true;
    beatingSinceMs = clock.now();
    silentSinceMs = undefined;
  };

  const lookAtAll = (): void => {
    const keys = new Set(pods.keys());
    for (const pod of api.byIndex<Pod>("pods", "node", name))
      keys.add(`${pod.metadata.namespace}/${pod.metadata.name}`);
    for (const key of keys) wake(key);
  };

  /** Its lease and its CSINode: what cannot be made now is made later, as long as it takes. */
  const keepCompanions = async (): Promise<void> => {
    try {
      await registration.putCompanions();
    } catch (error) {
      log.debug({ node: name, error }, "kubelet could not make its lease or CSINode");
      missing ??= clock.timer(LEASE_RENEWAL_MS, () => {
        missing = undefined;
        if (isUp) void clock.track(keepCompanions());
      });
    }
  };

  const start = async (): Promise<void> => {
    const { node, isNew } = await registration.ensureNode();
    isRegistered = true;
    const isReady = conditionOf(node.status?.conditions, "Ready")?.status === "True" && diedMs === undefined;
    networkReadyMs = isReady ? clock.now() : clock.now() + draw("nodeReady");
    // This process was started again, and the kubelet was not: it goes on saying what it said.
    if (isReady) pressure.goOn(PRESSURES.filter((type) => isConditionTrue(node.status?.conditions, type)));
    beat();
    await keepCompanions();
    if (isNew) {
      nodeEvent("Starting", "Starting kubelet.");
      for (const reason of SUFFICIENCY_EVENTS) statusEvent(reason);
    }
    if (diedMs !== undefined) {
      bootID = random.uuid();
      nodeEvent("Rebooted", `Node ${name} has been rebooted, boot id: ${bootID}`, "Warning");
      pods.reboot(diedMs);
      diedMs = undefined;
      await report("noNetwork");
    }
    after(networkReadyMs - clock.now(), () => report("ready"));
    lookAtAll();
  };

  const reconnect = async (): Promise<void> => {
    beat();
    await keepCompanions();
    await report("ready");
    lookAtAll();
  };

  /** After power or network have come back. */
  const comeBack = (): void => {
    if (power !== "running" || isGone || silenced.size > 0) return;
    if (diedMs !== undefined) after(draw("boot"), start);
    else after(draw("reconnect"), isRegistered ? reconnect : start);
  };

  const setSilenced = (reason: SilenceReason, isSilenced: boolean): void => {
    if (silenced.has(reason) === isSilenced) return;
    if (isSilenced) {
      silenced.add(reason);
      fallSilent();
    } else {
      silenced.delete(reason);
      comeBack();
    }
  };

  return {
    spec,
    pods,
    // A machine that nobody hears registers once it is heard.
    register: async () => (silenced.size > 0 ? undefined : start()),
    setPower(next) {
      if (next === power) return;
      power = next;
      fallSilent();
      if (next === "stopped" || next === "off") {
        diedMs ??= clock.now();
        pods.halt();
      }
      if (next === "frozen" && diedMs === undefined) {
        frozenMs ??= clock.now();
        pods.freeze();
      } else if (frozenMs !== undefined) {
        pods.thaw(frozenMs);
        frozenMs = undefined;
      }
      if (next === "silent") isKubeletStopped = true;
      // One that is cut off does its work as well, though nobody hears of it.
      else if (isKubeletStopped && (next === "running" || next === "isolated")) {
        isKubeletStopped = false;
        actingSinceMs = clock.now();
      }
      comeBack();
    },
    setSilenced,
    setTrouble(next) {
      trouble = next;
      setSilenced("unauthorized", next.unauthorized === true);
      const skewMs = next.clockSkewMs ?? 0;
      if (skewMs !== machineClock.skewMs) {
        machineClock.set(skewMs, clock.now());
        void clock.track(reporter.news());
      }
      pressure.feel([...(next.pressures ?? []), ...(next.diskFull ? ["DiskPressure" as const] : [])]);
    },
    setReports(next) {
      // Being told that there is nothing more to say of a type is news as well.
      if (isEqual(next, reports) && isEqual(Object.keys(next), Object.keys(reports))) return;
      reports = next;
      void clock.track(reporter.news());
    },
    async shutDown() {
      if (isUp) {
        await pods.endAll();
        await report("shuttingDown");
        statusEvent("NodeNotReady");
      }
      vanish();
    },
    vanish,
    get isCut() {
      return isGone || (power !== "running" && (power !== "silent" || diedMs !== undefined));
    },
    get refuses() {
      return !isGone && power === "silent" && diedMs === undefined;
    },
    get isUp() {
      return isUp;
    },
    lastRenewalMs: () => lastBeatMs(LEASE_RENEWAL_MS),
    lastReportMs: () => Math.max(reporter.reportedMs, lastBeatMs(STATUS_REPORT_MS)),
    shown: machineClock.shown,
    nodeChanged: (node) => reporter.nodeChanged(node),
  };
}
