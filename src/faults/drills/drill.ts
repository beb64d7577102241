/** A drill as its file says it, once it has been read: every default filled in, durations in milliseconds, clusters named. */
import type { FaultRequest } from "../../domain/faults/request.js";

export interface Drill {
  name: string;
  description?: string;
  seed?: number;
  /** Of the emulator that is started for the drill; not looked at when it runs against one that is there. */
  options: DrillOptions;
  clusters: readonly ClusterSetup[];
  workloads: readonly WorkloadChoice[];
  steadyState?: { withinMs: number; probes: readonly NamedProbe[] };
  steps: readonly Step[];
  expectations: readonly Expectation[];
  recovery?: Recovery;
  cleanUp: CleanUp;
}

export interface DrillOptions {
  /** As the flag --clock: `stepped`, `real` or `scaled:<n>`. */
  clock: string;
  clockStart?: string;
  profile: "instant" | "aws";
  backend?: "embedded" | "kind";
  region?: string;
}

/** Tag by which one cluster is held by another backend than the emulator's others. */
export const BACKEND_TAG = "eksim:backend";

export interface ClusterSetup {
  name: string;
  /** It is there already, and stays: neither made nor deleted by the drill. */
  use: boolean;
  /** Members of CreateCluster beside the name. */
  input: JsonObject;
  nodegroups: readonly { name: string; input: JsonObject }[];
  fargateProfiles: readonly { name: string; input: JsonObject }[];
  addons: readonly { name: string; input: JsonObject }[];
  /** In order, after the nodes are there. */
  manifests: readonly Manifest[];
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** A Kubernetes object. */
export interface Manifest extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
}

/** Workloads to watch; without any, every Deployment, StatefulSet and DaemonSet outside of kube-system. */
export interface WorkloadChoice {
  cluster: string;
  namespace: string;
  kind: WorkloadKind;
  name: string;
  /** Ready replicas below which it does not do its work: a number, or a share such as `60%`. */
  minimum?: Amount;
}

export const WORKLOAD_KINDS = ["Deployment", "StatefulSet", "DaemonSet"] as const;
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

/** A count, or a share of what is wanted in percent, rounded up. */
export type Amount = { count: number } | { percent: number };

export interface ProbeBase {
  /** Name of the cluster. */
  cluster: string;
}

export interface WorkloadRef extends ProbeBase {
  namespace: string;
  workload: { kind: WorkloadKind; name: string };
}

/** What can be asked of the world: met or not, and why. */
export type Probe =
  /** As `kubectl rollout status`: everything updated, everything available. */
  | ({ probe: "rollout" } & WorkloadRef)
  | ({ probe: "readyReplicas"; atLeast?: Amount; atMost?: Amount } & WorkloadRef)
  | ({
      probe: "pods";
      namespace: string;
      /** Label selector. */
      selector?: string;
      zone?: string;
      phase?: string;
      /** Counted only when Ready; otherwise whatever they are. */
      ready: boolean;
      atLeast?: number;
      atMost?: number;
    } & ProbeBase)
  | ({
      probe: "nodes";
      nodegroup?: string;
      zone?: string;
      atLeast?: number;
      atMost?: number;
      spread?: number;
    } & ProbeBase)
  | ({ probe: "masters"; zone?: string; atLeast: number } & ProbeBase)
  | ({ probe: "pendingPods"; atLeast?: number; atMost?: number } & ProbeBase)
  | ({ probe: "apiAvailable" } & ProbeBase)
  | ({
      probe: "http";
      namespace: string;
      service: string;
      port?: string;
      path: string;
      status: number;
      contains?: string;
    } & ProbeBase)
  | ({
      probe: "exec";
      namespace: string;
      /** A pod by name, or the first Ready one of a selector. */
      pod?: string;
      selector?: string;
      container?: string;
      command: readonly string[];
      exitCode: number;
      contains?: string;
    } & ProbeBase)
  /** Whether a Kubernetes object is there. */
  | ({ probe: "object"; object: Manifest; exists: boolean } & ProbeBase)
  | ({ probe: "nodegroup"; nodegroup: string; status?: string; healthy?: boolean; issue?: string } & ProbeBase)
  | ({ probe: "cluster"; status?: string; healthy?: boolean; version?: string } & ProbeBase)
  /** All of them since the steps began, in this order. */
  | ({ probe: "events"; events: readonly EventPattern[] } & ProbeBase)
  | {
      probe: "command";
      command: readonly string[];
      exitCode: number;
      timeoutMs: number;
      contains?: string;
    }
  | { probe: "not"; of: Probe };

export type ProbeName = Probe["probe"];

/** Members that are left out match anything; `*` in a text stands for anything. */
export interface EventPattern {
  type: string;
  source?: string;
  subject?: string;
  zone?: string;
  message?: string;
}

export interface NamedProbe {
  title: string;
  probe: Probe;
}

export interface Expectation extends NamedProbe {
  /**
   * `within`: so when that time is over, and then for `holdsForMs`. `happens`: so at some moment of that time. `always`, `never`: at every moment, at none,
   * until the end of the expectations. `finally`: at the end of the steps.
   */
  mode: "within" | "happens" | "always" | "never" | "finally";
  /** Of `within` and `happens`: from when its clock starts. */
  withinMs: number;
  holdsForMs: number;
  /** Id of the step with whose end its clock starts; absent: the first step that starts a fault, or the first step. */
  after?: string;
}

/** After the steps: what is still broken is mended, and then this has to come true. */
export interface Recovery {
  withinMs: number;
  probes: readonly NamedProbe[];
}

export interface CleanUp {
  /** Deletes the clusters that the drill has made. Only asked of emulators that outlive the drill. */
  deleteClusters: boolean;
  steps: readonly Step[];
}

interface StepBase {
  title: string;
  /** By which expectations and `stopFault` name it. */
  id?: string;
}

export type Step = StepBase &
  (
    | { step: "fault"; fault: FaultRequest }
    /** Id of the step that started it; absent: every fault of this drill. */
    | { step: "stopFault"; of?: string }
    | { step: "wait"; ms: number }
    | { step: "waitUntil"; probe: Probe; withinMs: number }
    | { step: "eks"; method: string; path: string; body?: unknown; status?: number }
    | {
        step: "kubernetes";
        cluster: string;
        method: string;
        path: string;
        body?: unknown;
        contentType?: string;
        status?: number;
      }
    | { step: "apply"; cluster: string; manifests: readonly Manifest[] }
    | { step: "delete"; cluster: string; objects: readonly Manifest[] }
    | {
        step: "scale";
        cluster: string;
        namespace: string;
        workload: { kind: WorkloadKind; name: string };
        replicas: number;
      }
    | { step: "scaleNodegroup"; cluster: string; nodegroup: string; scalingConfig: JsonObject }
    | { step: "upgradeCluster"; cluster: string; version: string; force: boolean }
    | { step: "upgradeNodegroup"; cluster: string; nodegroup: string; input: JsonObject }
    | { step: "zonalShift"; cluster: string; awayFrom: string; expiresIn: string; comment: string }
    | { step: "cancelZonalShift"; of: string }
    | { step: "command"; command: readonly string[]; exitCode: number; timeoutMs: number }
  );

export type StepName = Step["step"];
