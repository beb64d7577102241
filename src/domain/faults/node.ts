/** Faults of single machines. Chosen nodes alone are touched, not those that replace them; those of a whole zone touch newcomers of the zone as well. */
import type { NodeImpairment, Pressure } from "../impairments.js";
import type { ActingFault, ClusterFacts, ClusterWants, FaultDefinition, SpotNotice } from "./definition.js";
import {
  byNode,
  capitalised,
  duration,
  isMany,
  list,
  machines,
  nodesOf,
  number,
  text,
  theInstances,
  theNodes,
} from "./meaning.js";

const TAKES = ["zone", "cluster", "nodegroup", "nodes", "labels", "count", "percent"] as const;
const NODES = { type: "node", takes: TAKES, needs: TAKES } as const;
/** Fargate's machines have a kubelet, but are no instances that anybody could stop. */
const KUBELETS = { ...NODES, fargate: true } as const;

/** From StopInstances until an instance is stopped, in milliseconds. EC2 publishes no figure. */
export const STOPPING_MS = 10_000;
const SPOT_NOTICE_MS = 120_000;

const PRESSURES: Readonly<Record<string, Pressure>> = {
  disk: "DiskPressure",
  memory: "MemoryPressure",
  pid: "PIDPressure",
};

/** A reason of each condition of the node monitoring agent on which node auto repair acts, as far as there is one. */
const REASONS: Readonly<Record<string, string>> = {
  KernelReady: "ForkFailedOutOfPIDs",
  NetworkingReady: "IPAMDNotRunning",
  StorageReady: "IODelays",
  ContainerRuntimeReady: "PodStuckTerminating",
  AcceleratedHardwareReady: "NvidiaXID79Error",
};

const nodeTrouble =
  (impairment: (fault: ActingFault) => NodeImpairment) =>
  (fault: ActingFault, cluster: ClusterFacts): ClusterWants => ({
    impairments: { nodes: byNode(fault, cluster, impairment(fault)) },
  });

const reasonOf = (fault: ActingFault): string =>
  (fault.parameters.reason as string | undefined) ?? REASONS[text(fault, "condition")] ?? "Unknown";

/** State files of before know one kind of freeze, without a parameter. */
const standsStill = (fault: ActingFault): boolean => fault.parameters.containers !== "alive";

const are = (fault: ActingFault): string => (isMany(fault) ? "are" : "is");
const have = (fault: ActingFault): string => (isMany(fault) ? "have" : "has");

/** The recommendation comes first, the notice two minutes before the end. */
function spotNotices(fault: ActingFault, cluster: ClusterFacts, nowMs: number): ClusterWants {
  const leadMs = number(fault, "rebalanceLead");
  const noticeAtMs = fault.startedAtMs + leadMs;
  const notice: SpotNotice = {
    ...(leadMs > 0 ? { rebalanceRecommendedAtMs: fault.startedAtMs } : {}),
    ...(nowMs >= noticeAtMs ? { interruptionAtMs: noticeAtMs + SPOT_NOTICE_MS } : {}),
  };
  const notices = Object.fromEntries(
    nodesOf(fault, cluster).flatMap(({ instanceId }) => (instanceId ? [[instanceId, notice] as const] : [])),
  );
  return { notices, ...(nowMs < noticeAtMs ? { changesAtMs: noticeAtMs } : {}) };
}

/** Instances are `stopping` for a while before they are `stopped`. */
function stopping(fault: ActingFault, cluster: ClusterFacts, nowMs: number): ClusterWants {
  const stoppedAtMs = fault.startedAtMs + STOPPING_MS;
  return {
    machines: byNode(fault, cluster, "stopped" as const),
    ...(nowMs < stoppedAtMs ? { changesAtMs: stoppedAtMs } : {}),
  };
}

export const NODE_FAULTS: readonly FaultDefinition[] = [
  {
    name: "instance-termination",
    family: "node",
    says: "The machine is gone at once, without an orderly shutdown.",
    target: NODES,
    parameters: {},
    lasts: false,
    events: { started: "InstanceKilled" },
    started: (fault) =>
      `${capitalised(theInstances(fault))} ${isMany(fault) ? "were" : "was"} terminated from outside.`,
    once: () => ({ kind: "terminate-instances" }),
  },
  {
    name: "instance-stop",
    family: "node",
    says: "EC2 stops the instance, as StopInstances does; it is started again at the end, unless it has been replaced by then.",
    target: { ...NODES, onlyFound: true },
    parameters: {},
    lasts: true,
    started: (fault) => `${capitalised(theInstances(fault))} ${are(fault)} stopped from outside.`,
    ended: (fault) => `${capitalised(theInstances(fault))} ${are(fault)} no longer kept stopped.`,
    wants: stopping,
  },
  {
    name: "instance-reboot",
    family: "node",
    says: "The machine reboots: its pods die and start again, node and instance stay.",
    target: NODES,
    parameters: {},
    lasts: false,
    started: (fault) => `${capitalised(theInstances(fault))} ${isMany(fault) ? "reboot" : "reboots"}.`,
    once: () => ({ kind: "reboot-nodes" }),
  },
  {
    name: "node-freeze",
    family: "node",
    says: "The kubelet is silent, and EC2 sees nothing wrong; containers run on and serve, or stand still with it.",
    target: KUBELETS,
    parameters: {
      containers: {
        type: "choice",
        values: ["alive", "frozen"],
        default: "alive",
        says: "Whether the kubelet alone falls silent, or nothing on the machine moves.",
      },
    },
    lasts: true,
    slowsAnswers: true,
    started: (fault) =>
      standsStill(fault)
        ? `${capitalised(theNodes(fault))} ${are(fault)} frozen.`
        : `The kubelet of ${theNodes(fault)} is silent.`,
    ended: (fault) =>
      standsStill(fault)
        ? `${capitalised(theNodes(fault))} ${isMany(fault) ? "move" : "moves"} again.`
        : `The kubelet of ${theNodes(fault)} speaks again.`,
    wants: (fault, cluster) => machines(standsStill(fault) ? "frozen" : "silent")(fault, cluster),
  },
  {
    name: "node-isolation",
    family: "node",
    says: "Nothing reaches the machine and nothing gets out of it; its pods run on, and EC2 sees nothing wrong.",
    target: KUBELETS,
    parameters: {},
    lasts: true,
    slowsAnswers: true,
    started: (fault) => `${capitalised(theNodes(fault))} ${are(fault)} cut off from the network.`,
    ended: (fault) => `${capitalised(theNodes(fault))} ${are(fault)} reached again.`,
    wants: machines("isolated"),
  },
  {
    name: "spot-interruption",
    family: "node",
    says: "EC2 takes Spot instances back: a rebalance recommendation first when asked for, then the two-minute notice, then they are terminated. Ended before that, they stay.",
    target: { ...NODES, onlyFound: true, capacityType: "SPOT" },
    parameters: {
      rebalanceLead: {
        type: "duration",
        default: "0s",
        max: 3_600_000,
        says: "From the rebalance recommendation to the notice; 0s: the notice comes alone.",
      },
    },
    lasts: true,
    endsAfterMs: ({ rebalanceLead }) => Number(rebalanceLead) + SPOT_NOTICE_MS,
    finally: { kind: "terminate-instances" },
    started: (fault) =>
      number(fault, "rebalanceLead") > 0
        ? `EC2 is going to interrupt Spot ${theInstances(fault)}: a rebalance is recommended ${duration(fault, "rebalanceLead")} before the notice.`
        : `EC2 interrupts Spot ${theInstances(fault)} in two minutes.`,
    ended: (fault) => `The interruption of Spot ${theInstances(fault)} is over.`,
    wants: spotNotices,
  },
  {
    name: "node-pressure",
    family: "node",
    says: "The node runs short of a resource: the kubelet reports it, taints follow, and pods are evicted as on a real node.",
    target: KUBELETS,
    parameters: {
      resource: {
        type: "choice",
        values: Object.keys(PRESSURES),
        default: "memory",
        says: "What is short: DiskPressure, MemoryPressure or PIDPressure.",
      },
    },
    lasts: true,
    started: (fault) => `${capitalised(theNodes(fault))} ${have(fault)} ${PRESSURES[text(fault, "resource")]}.`,
    ended: (fault) => `What caused ${PRESSURES[text(fault, "resource")]} of ${theNodes(fault)} is over.`,
    wants: nodeTrouble((fault) => {
      const pressure = PRESSURES[text(fault, "resource")];
      return pressure ? { pressures: [pressure] } : {};
    }),
  },
  {
    name: "node-condition",
    family: "node",
    says: "The node monitoring agent reports a condition as False, on which node auto repair acts.",
    target: KUBELETS,
    parameters: {
      condition: {
        type: "choice",
        values: Object.keys(REASONS),
        required: true,
        says: "Which condition.",
      },
      reason: {
        type: "text",
        says: `Why, in the agent's words. None: ${Object.entries(REASONS)
          .map(([condition, reason]) => `${reason} for ${condition}`)
          .join(", ")}.`,
      },
      message: { type: "text", says: "What the condition says beside." },
    },
    lasts: true,
    started: (fault) =>
      `${capitalised(theNodes(fault))} ${isMany(fault) ? "report" : "reports"} ${text(fault, "condition")} as False (${reasonOf(fault)}).`,
    ended: (fault) => `What made ${text(fault, "condition")} of ${theNodes(fault)} False is over.`,
    wants: nodeTrouble((fault) => {
      const message = fault.parameters.message as string | undefined;
      return {
        conditions: [{ type: text(fault, "condition"), reason: reasonOf(fault), ...(message ? { message } : {}) }],
      };
    }),
  },
  {
    name: "node-clock-skew",
    family: "node",
    says: "The machine's clock is wrong.",
    target: KUBELETS,
    parameters: {
      skew: {
        type: "duration",
        default: "5m",
        min: -86_400_000 * 365,
        max: 86_400_000 * 365,
        says: "How far the clock runs ahead; behind with a minus, such as -5m.",
      },
    },
    lasts: true,
    problem: ({ skew }) => (skew === 0 ? "a skew of 0s is none; give one such as 5m, or -5m." : undefined),
    started: (fault) => {
      const skew = duration(fault, "skew");
      const words = skew.startsWith("-") ? `${skew.slice(1)} behind` : `${skew} ahead`;
      return `The clock of ${theNodes(fault)} is ${words}.`;
    },
    ended: (fault) => `The clock of ${theNodes(fault)} is right again.`,
    wants: nodeTrouble((fault) => ({ clockSkewMs: number(fault, "skew") })),
  },
  {
    name: "node-disk-full",
    family: "node",
    says: "Nothing more can be written on the machine: images cannot be pulled and containers not be made, and the kubelet reports DiskPressure.",
    target: KUBELETS,
    parameters: {},
    lasts: true,
    started: (fault) => `The disk of ${theNodes(fault)} is full.`,
    ended: (fault) => `The disk of ${theNodes(fault)} has room again.`,
    wants: nodeTrouble(() => ({ diskFull: true })),
  },
  {
    name: "image-pull-failure",
    family: "node",
    says: "Images cannot be pulled on the machine; those that are there already still start.",
    target: KUBELETS,
    parameters: {
      images: { type: "list", default: ["*"], says: "Names of images; * stands for anything." },
    },
    lasts: true,
    started: (fault) => `${imageWords(fault)} cannot be pulled on ${theNodes(fault)}.`,
    ended: (fault) => `${imageWords(fault)} can be pulled on ${theNodes(fault)} again.`,
    wants: nodeTrouble((fault) => ({ imagePulls: { images: list(fault, "images") } })),
  },
];

function imageWords(fault: ActingFault): string {
  const images = list(fault, "images");
  return images.includes("*") ? "Images" : `Images ${images.join(", ")}`;
}
