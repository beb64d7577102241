import type { Random } from "../../clock/random.js";

/** How long things take on a simulated node, ms: ranges to draw from. Of the order seen on small EC2 instances, rather short than long. */
const TIMINGS = {
  /**
   * From the arrival of a pod that is refused until that stands in its status: the kubelet's loop, its status manager, and the API server. Whoever made the
   * pod makes another at once, so this is the pace at which refusals go round.
   */
  refusal: [100, 300],
  /** Pod sandbox: network namespace and address. */
  sandbox: [40, 160],
  /** First pull of an image on a node. */
  pull: [300, 1200],
  /** Asking the registry about an image that is there already (imagePullPolicy Always). */
  recheck: [80, 250],
  /** From the image to a running container. */
  start: [100, 400],
  /** From SIGTERM to the end of a well-behaved process. */
  stop: [100, 600],
  /** From registration until the CNI plugin is up and the node Ready. */
  nodeReady: [100, 300],
  /** From power on until the kubelet runs again. */
  boot: [2000, 4000],
  /** Until a kubelet that was cut off reports again: well within one heartbeat. */
  reconnect: [100, 1000],
} as const satisfies Record<string, readonly [number, number]>;

export type Timing = keyof typeof TIMINGS;

export function drawTiming(random: Random, timing: Timing): number {
  const [min, max] = TIMINGS[timing];
  return random.integer(min, max);
}

/** kubelet's node lease: renewed every 10 s, valid for 40 s (nodeLeaseDurationSeconds). */
export const LEASE_RENEWAL_MS = 10_000;
export const LEASE_DURATION_SECONDS = 40;
/** nodeStatusReportFrequency: how often the heartbeats of a node's conditions advance. */
export const STATUS_REPORT_MS = 300_000;

/** How often a pod looks again for a ConfigMap, Secret or volume that was not there. */
export const REFERENCE_RETRY_MS = 5_000;
