/** What an entry of the catalogue of faults says. Entries are data and pure functions: bringing about what they want is the injector's part. */
import type { Impairments } from "../impairments.js";
import type { FaultRecord, HealthIssue } from "../model.js";
import type { Parameters, ParameterValues } from "./parameters.js";
import type { FaultTargetMember, TargetType } from "./target.js";

export type FaultFamily = "zone" | "node" | "control-plane" | "pod" | "aws-api";

/**
 * What is wrong with a machine, in the words that backends have for it. `off`: no power, so that EC2's status checks fail; `stopped`: by EC2, which knows;
 * `frozen`: nothing on it moves; `isolated`: it runs, and nothing reaches it; `silent`: all of it runs but the kubelet.
 */
export type MachineTrouble = "off" | "stopped" | "frozen" | "isolated" | "silent";

/** What there is of a cluster, when wants are worked out. */
export interface ClusterFacts {
  id: string;
  /** Names of all zones of its region. */
  zones: readonly string[];
  nodes: readonly { name: string; zone: string; nodegroup?: string; instanceId?: string }[];
  masters: readonly { id: string; zone: string }[];
}

/** What one fault wants of one cluster while it is on; all of it together is what the injector brings about. */
export interface ClusterWants {
  /** By node name. */
  machines?: Readonly<Record<string, MachineTrouble>>;
  /** Zones in which AWS's own machines, Fargate's, have no power. */
  zonesWithoutPower?: readonly string[];
  /** Ids of masters that are down. */
  mastersDown?: readonly string[];
  impairments?: Partial<Impairments>;
  /** By instance id: what EC2 has announced. */
  notices?: Readonly<Record<string, SpotNotice>>;
  /** Of the cluster itself. */
  issues?: readonly HealthIssue[];
  /** When this fault will want something else, epoch milliseconds. */
  changesAtMs?: number;
}

export interface SpotNotice {
  rebalanceRecommendedAtMs?: number;
  /** When the instance is taken. */
  interruptionAtMs?: number;
}

/** What happens once, to whatever was found. */
export type Once =
  | { kind: "terminate-instances" }
  | { kind: "reboot-nodes" }
  | { kind: "end-pods"; how: "delete" | "kill" | "crash" | "oom" };

/** How AWS's APIs answer while a fault is on. */
export interface ApiTrouble {
  /** Names that requests are signed for. */
  services: readonly string[];
  /** Names of operations; `*` stands for anything. */
  operations: readonly string[];
  /** Share of the calls, 1 to 100. */
  share: number;
  answer:
    | { kind: "throttled" }
    | { kind: "failed"; status: 500 | 503 }
    | { kind: "late"; latencyMs: number; jitterMs: number };
}

/** Names of the operations that a service has, by the name that requests are signed for. */
export type OperationsOf = (service: string) => readonly string[];

type Acting = Pick<
  FaultRecord,
  "id" | "kind" | "zone" | "clusterName" | "target" | "targets" | "parameters" | "seed" | "startedAtMs"
>;

/** A fault as its entry sees it. */
export type ActingFault = Acting;

export interface FaultDefinition {
  /** kebab-case, in the words of EC2, EKS and Kubernetes. */
  name: string;
  family: FaultFamily;
  /** A sentence for lists: what it does. */
  says: string;
  target: {
    type: TargetType;
    /** Members of the selector that it goes by. */
    takes: readonly FaultTargetMember[];
    /** At least one of these has to be given. */
    needs?: readonly FaultTargetMember[];
    /** How many of the masters it takes when no `count` says so. */
    masters?: number;
    /** Machines of Fargate are among those it can break. */
    fargate?: true;
    /** What is done to instances by a call of EC2: those that come later are not meant, not even by their zone. */
    onlyFound?: true;
    /** Only instances of this capacity type. */
    capacityType?: "SPOT";
  };
  parameters: Parameters;
  /** Whether it is on until it is ended; otherwise it happens once. */
  lasts: boolean;
  /** It ends of itself so long after it began, in milliseconds, whatever was asked for. */
  endsAfterMs?: (parameters: ParameterValues) => number;
  /** What happens when it ends by its own time. */
  finally?: Once;
  /** Why these parameters make no sense together; undefined: they do. Whole sentences. */
  problem?: (
    parameters: ParameterValues,
    target: FaultRecord["target"],
    operationsOf: OperationsOf,
  ) => string | undefined;
  /** Sentences that tell of its beginning and its end. */
  started: (fault: ActingFault) => string;
  ended?: (fault: ActingFault) => string;
  /** Types of its events, where they are not FaultStarted and FaultEnded. */
  events?: { started: string; ended?: string };
  once?: (parameters: ParameterValues) => Once;
  wants?: (fault: ActingFault, cluster: ClusterFacts, nowMs: number) => ClusterWants;
  /** No machine runs, and none can be launched, in its zone. */
  takesPower?: true;
  /** EC2 has no room in its zone for the instance types of the parameter `instanceTypes`, or for any. */
  takesCapacity?: true;
  /** New instances of its node groups never become nodes. */
  keepsFromJoining?: true;
  /** What EKS's own checks find wrong with its node groups. */
  nodegroupIssue?: (fault: ActingFault) => HealthIssue;
  api?: (parameters: ParameterValues) => ApiTrouble;
  /** Answers of APIs and of what runs in pods may take simulated time while it is on: who waits for one on a stepped clock has to move it. */
  slowsAnswers?: true;
}
