/** A cluster that this process has in hand, and what works on it share. */
import type { Clock } from "../../clock/clock.js";
import type { PortRange } from "../../domain/endpoint-ports.js";
import type { Impairments } from "../../domain/impairments.js";
import {
  BackendError,
  type ClusterEndpoint,
  type ConfigMapData,
  type IssuerKey,
  type NodePower,
  type NodeSpec,
  type Observation,
} from "../backend.js";
import type { ApiFront } from "./api-front.js";
import type { Engine } from "./engine.js";
import type { ClusterFile, Files, MasterFile } from "./files.js";
import type { KubeClient } from "./kube-client.js";
import type { Locks } from "./lock.js";
import type { MetadataService } from "./metadata.js";
import type { LostCall } from "./network.js";
import type { Runner } from "./runner.js";
import type { ToolVersions } from "./tools.js";
import type { Whereabouts } from "./whereabouts.js";

export interface KindLog {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

/** What an API server is given to ask eksim who somebody is and what he may do: kubeconfigs as text. */
export interface WebhookFiles {
  authentication: string;
  authorization: string;
}

export interface KindContext {
  /** The machine's own time, which real tools keep. */
  clock: Clock;
  /** Simulated seconds a second of the machine's. */
  speed: number;
  /** Aborted when the process is about to end. */
  ending: AbortSignal;
  log: KindLog;
  runner: Runner;
  engine: Engine;
  files: Files;
  locks: Locks;
  metadata: MetadataService;
  whereabouts: Whereabouts;
  /** By which eksim's own requests are known where it stands before API servers itself. */
  pass: string;
  /** Images by minor version, where they are not the usual ones. */
  nodeImages: ReadonlyMap<string, string>;
  /** Of the engine's machine, for API servers. */
  endpointPorts: PortRange;
  /** The versions of the programs; rejects when one is missing or too old. */
  tools(): Promise<ToolVersions>;
  /** Serves the token webhook at an address of this machine that containers reach, of those given; `late`: as soon as the first of them is there. */
  webhookFiles(clusterId: string, addresses: readonly string[], how: { late: boolean }): Promise<WebhookFiles>;
}

export interface Held {
  file: ClusterFile;
  endpoint: ClusterEndpoint;
  /** Where eksim itself reaches the API servers. */
  server: string;
  client: KubeClient;
  listeners: Set<(observation: Observation) => void>;
  /** Masters' states as last told, by id. */
  masters: Map<string, "up" | "down">;
  /** Masters that are let go because others take their place, by id: their end is no news. */
  leaving: Set<string>;
  /** Nodes as they were launched, by name. */
  nodes: Map<string, NodeSpec>;
  /** Nodes that are joining, by name. */
  joins: Map<
    string,
    {
      controller: AbortController;
      /** The machine runs, or never will. */
      launched: Promise<void>;
      done: Promise<void>;
    }
  >;
  /** Nodes that eksim has stopped, frozen, silenced or cut off, by name. */
  powers: Map<string, Exclude<NodePower, "running">>;
  /** Machines of nodes as last told, by the nodes' names. */
  machines: Map<string, "on" | "off">;
  impairments: Impairments;
  /** Containers of machines that may have rules of ours: one that stands still while its trouble ends keeps them until it is told otherwise. */
  troubled: Set<string>;
  /** And those whose kubelets may have been told that they are short of something. */
  pressed: Set<string>;
  /** Waits for its turn to bring what is wrong to all machines. */
  reimpairing?: Promise<void>;
  /** Pods that crash again and again, as namespace and name. */
  crashing?: { pods: ReadonlySet<string>; stop: () => void };
  /** Stands before the API servers while something is wrong with them. */
  apiFront?: ApiFront;
  /** How not to look out for new webhooks any longer, while there is an outage of some. */
  stopWebhooks?: () => void;
  /** Where they are asked, as last known. */
  lostWebhooks?: readonly LostCall[];
  /** By node, as last known. */
  podRanges: Map<string, readonly string[]>;
  /** Nodes may have conditions that eksim has set. */
  hasConditions: boolean;
  awsAuth: ConfigMapData | undefined;
  issuerKeys?: readonly IssuerKey[];
  joinToken?: { token: Promise<string>; untilMs: number };
  /** Ended when the cluster is let go. */
  ending: AbortController;
  stops: (() => void)[];
}

export const tell = (held: Held, observation: Observation): void => {
  for (const listener of held.listeners) listener(observation);
};

export function masterOf({ file }: Held, memberId: string): MasterFile {
  const master = file.masters.find(({ id }) => id === memberId);
  if (master) return master;
  throw new BackendError("missing", `cluster ${file.spec.name} has no master ${memberId}`);
}

/** Notes that a master is up or down, and tells it when that is new. */
export function noteMaster(held: Held, memberId: string, state: "up" | "down"): void {
  if (held.masters.get(memberId) === state || held.leaving.has(memberId)) return;
  held.masters.set(memberId, state);
  // Its connections, which the load balancer keeps, would say nothing any more.
  if (state === "down") held.client.renew();
  tell(held, { kind: "member", memberId, state });
}

/** Containers of masters that are up, apart from one. */
export const upMasters = ({ file, masters }: Held, except?: string): string[] =>
  file.masters
    .filter(({ id, container }) => masters.get(id) === "up" && container !== except)
    .map(({ container }) => container);

/** Masters with their zones, as the status page counts them. */
export const memberStates = ({ file, masters }: Held): { zone: string; state: "up" | "down" }[] =>
  file.masters.map(({ id, zone }) => ({ zone, state: masters.get(id) ?? "down" }));

/** How often something is looked at that has to come up, in milliseconds. */
const LOOK_MS = 250;

/** Looks until `done`; rejects with `timeout` and the text, or with `unavailable` when it is called off. */
export async function until(
  clock: Clock,
  done: () => Promise<boolean>,
  { limitMs, what, signal }: { limitMs: number; what: string; signal?: AbortSignal | undefined },
): Promise<void> {
  const deadlineMs = clock.now() + limitMs;
  while (!(await done())) {
    if (signal?.aborted) throw new BackendError("unavailable", `nobody waits any longer until ${what}`);
    if (clock.now() >= deadlineMs)
      throw new BackendError("timeout", `${limitMs / 1000} s were not enough until ${what}`);
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}

/** Until an API server answers that it is ready, etcd included. */
export async function untilReady(
  clock: Clock,
  client: KubeClient,
  { limitMs, signal }: { limitMs: number; signal?: AbortSignal },
): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    try {
      await client.request("GET", "/readyz", { timeoutMs: 3_000 });
      return true;
    } catch {
      return false;
    }
  };
  await until(clock, isReady, { limitMs, what: "the API server was ready", signal });
}
