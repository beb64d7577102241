/** Results of drills for tests of what is told of them: small, complete, and with whatever a test wants to be different. */
import type { EventRecord } from "../../../src/domain/model.js";
import type { DrillResult, Sample, WorkloadResult } from "../../../src/faults/drills/result.js";

export const START_MS = Date.parse("2026-11-01T00:00:00Z");
export const CLUSTER = "shop";
const MINUTE_MS = 60_000;

/** Minutes from the drill's start. */
export const at = (minutes: number): number => START_MS + minutes * MINUTE_MS;

type ZoneSample = Sample["zones"][string];

const zone = (nodes: number, readyNodes: number, membersUp = 1): ZoneSample => ({
  nodes,
  readyNodes,
  pods: nodes * 4,
  readyPods: readyNodes * 4,
  members: 1,
  membersUp,
});

export const sample = (minutes: number, zones: Record<string, ZoneSample>, more: Partial<Sample> = {}): Sample => ({
  atMs: at(minutes),
  cluster: CLUSTER,
  zones,
  pendingPods: 0,
  apiAvailable: true,
  ...more,
});

export const event = (
  minutes: number,
  type: string,
  message: string,
  more: Partial<EventRecord> = {},
): EventRecord => ({
  sequence: 1,
  atMs: at(minutes),
  accountId: "000000000000",
  region: "us-east-1",
  clusterName: CLUSTER,
  source: "instance",
  type,
  subject: "i-0",
  message,
  ...more,
});

export const workload = (more: Partial<WorkloadResult> = {}): WorkloadResult => ({
  namespace: "default",
  kind: "Deployment",
  name: "web",
  wanted: 6,
  minimum: 4,
  lowestReady: 4,
  firstNotReadyMs: 35_000,
  firstEvictedMs: 95_000,
  rescheduledMs: 95_000,
  recoveredMs: 96_000,
  minutesBelowMinimum: 0,
  readyOverTime: [
    [at(1), 6],
    [at(2.5), 4],
    [at(3.5), 6],
  ],
  ...more,
});

/** Zone us-east-1a is without power from minute 2 to minute 47; the drill ends at minute 60. */
export const outage = (more: Partial<DrillResult> = {}): DrillResult => ({
  name: "one-zone-power-loss",
  description: "A zone loses power.",
  verdict: "passed",
  seed: 42,
  backend: "embedded",
  clusters: [CLUSTER],
  startedAtMs: at(0),
  endedAtMs: at(60),
  wallMs: 812,
  phases: [
    { name: "setup", startedAtMs: at(0), endedAtMs: at(1), ok: true },
    { name: "steady-state", startedAtMs: at(1), endedAtMs: at(2), ok: true },
    { name: "steps", startedAtMs: at(2), endedAtMs: at(47), ok: true },
    { name: "expectations", startedAtMs: at(47), endedAtMs: at(59), ok: true },
    { name: "clean-up", startedAtMs: at(59), endedAtMs: at(60), ok: true },
  ],
  steps: [{ title: "wait 45m", startedAtMs: at(2), endedAtMs: at(47), ok: true, message: "45m have passed" }],
  checks: [
    {
      title: "API answers",
      phase: "steady-state",
      ok: true,
      limitMs: MINUTE_MS,
      tookMs: 0,
      message: "so from the start",
    },
    { title: "web is whole", phase: "expectations", ok: true, limitMs: MINUTE_MS, tookMs: 30_000, message: "6 of 6" },
  ],
  faults: [
    {
      id: "fault-1",
      name: "zone-power-loss",
      title: "Every machine in us-east-1a loses power",
      zone: "us-east-1a",
      startedAtMs: at(2),
      endedAtMs: at(47),
    },
  ],
  workloads: [workload()],
  samples: [
    sample(1, { "us-east-1a": zone(3, 3), "us-east-1b": zone(3, 3), "us-east-1c": zone(3, 3) }),
    sample(
      2.6,
      { "us-east-1a": zone(3, 0, 0), "us-east-1b": zone(3, 3), "us-east-1c": zone(3, 3) },
      { pendingPods: 4 },
    ),
    sample(47, { "us-east-1a": zone(3, 3), "us-east-1b": zone(3, 3), "us-east-1c": zone(3, 3) }),
  ],
  events: [
    event(0.5, "InstanceLaunched", "Instance i-0 is launched.", { zone: "us-east-1a" }),
    event(2, "MasterFailed", "Master master-1 in us-east-1a is down.", { zone: "us-east-1a", source: "master" }),
    event(3, "InstanceLaunched", "Instance i-1 is launched.", { zone: "us-east-1b" }),
    event(3, "InstanceLaunched", "Instance i-2 is launched.", { zone: "us-east-1b" }),
    event(3, "InstanceLaunched", "Instance i-3 is launched.", { zone: "us-east-1c" }),
    event(59.5, "InstanceTerminated", "Instance i-1 is terminated.", { zone: "us-east-1b" }),
  ],
  predictions: [],
  ...more,
});

/** What breaks out of markup, terminals and XML where it is not kept in. */
export const EVIL = `</script><script>alert("1")</script><img src=x onerror='alert(2)'> & ]]> \u001b[2J\u0000\u202e \ud800`;
