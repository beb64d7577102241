/**
 * What is wrong with a cluster, apart from machines and masters without power: always said as a whole. Faults that overlap are put together before they are
 * said, so ending one of them is saying the rest again, and so is coming back after a crash. Each part is optional to a backend (see `impair` in the contract).
 */

/** Everything that is wrong at one moment. */
export interface Impairments {
  /** By node name; those that are not named are well. */
  nodes: Readonly<Record<string, NodeImpairment>>;
  /** What does not get through, or gets through late. */
  links: readonly LinkImpairment[];
  /** Zones in which no name can be resolved. */
  zonesWithoutDns: readonly string[];
  apiServer?: ApiServerImpairment;
  webhooks?: WebhookImpairment;
  pods: readonly PodImpairment[];
}

export type ImpairmentPart = keyof Impairments;

/** The kubelet's own resource conditions. */
export type Pressure = "DiskPressure" | "MemoryPressure" | "PIDPressure";

export interface NodeImpairment {
  /** Conditions that the kubelet reports as True; eviction and taints follow as on a real node. */
  pressures?: readonly Pressure[];
  /** What the node monitoring agent reports as False, such as `NetworkingReady` for reason `IPAMDNotRunning`. */
  conditions?: readonly { type: string; reason: string; message?: string }[];
  /** How far the machine's clock runs ahead, in milliseconds; behind when negative. */
  clockSkewMs?: number;
  /** Nothing more can be written: images cannot be pulled, containers not be made, and the kubelet reports DiskPressure. */
  diskFull?: boolean;
  /** Images that cannot be pulled; `*` in a name stands for anything. */
  imagePulls?: { images: readonly string[] };
}

/** One end of a link. Masters are meant by their zone: `masters` = those that stand in the zone, `machines` = the nodes there. */
export interface LinkEnd {
  zone: string;
  /** Default `all`. */
  of?: "all" | "masters" | "machines";
}

/** What happens to packets on their way, in this direction alone: a link that is broken both ways is said twice. */
export interface LinkImpairment {
  from: LinkEnd;
  to: LinkEnd;
  /** Nothing gets through. */
  cut?: boolean;
  latencyMs?: number;
  jitterMs?: number;
  /** 0 to 100. */
  lossPercent?: number;
}

export interface ApiServerImpairment {
  /** Added to every answer. */
  latencyMs?: number;
  /** Share of requests, 0 to 100, refused with 429 and a Retry-After. */
  throttledPercent?: number;
  /** Share of requests, 0 to 100, answered with 500. */
  failedPercent?: number;
  /** Watches end this long after they began. */
  watchesEndAfterMs?: number;
}

/** Admission webhooks of the users cannot be reached. */
export interface WebhookImpairment {
  /** Names of webhooks or of their configurations; `*` stands for anything. */
  names: readonly string[];
  /** `timeout`: until their own timeoutSeconds have passed. */
  mode: "refused" | "timeout";
}

/** Touches whatever pod has the name at the time. */
export interface PodImpairment {
  namespace: string;
  name: string;
  /** `crash-loop`: its containers exit with 1 soon after each start. `not-ready`: its readiness probes fail. */
  trouble: "crash-loop" | "not-ready";
}

export const NOTHING_WRONG: Impairments = { nodes: {}, links: [], zonesWithoutDns: [], pods: [] };
