import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";
import { CLOCK_START, checkNamed, play, shopDrill } from "./play.js";

/** Drills take seconds on a busy machine. */
const PATIENCE_MS = 120_000;

const running: Eksim[] = [];
afterEach(async () => {
  for (const eksim of running.splice(0)) await eksim.stop();
});

const run = async (rest: string, options?: Parameters<typeof play>[1]): Promise<Awaited<ReturnType<typeof play>>> => {
  const played = await play(shopDrill(rest), options);
  running.push(played.eksim);
  return played;
};

const clusters = async (eksim: Eksim): Promise<string[]> =>
  (await eksim.eks<{ clusters: string[] }>("GET", "/clusters")).clusters;

describe("a drill", () => {
  it(
    "that passes tells of its phases, steps, faults and workloads, and leaves nothing behind",
    async () => {
      const { result, eksim } = await run(`
workloads: [{ deployment: web, minimum: 3 }]
steps:
  - { fault: zone-power-loss, id: outage, target: { zone: us-east-1a }, duration: 20m }
  - wait: 30m
expectations:
  - { name: replaced, within: 10m, holdsFor: 5m, rollout: { deployment: web } }
  - { name: two masters, always: true, masters: { atLeast: 2 } }
`);
      expect([result.verdict, result.why]).toEqual(["passed", undefined]);
      expect(result.phases.map(({ name, ok }) => [name, ok])).toEqual([
        ["setup", true],
        ["steady-state", true],
        ["steps", true],
        ["expectations", true],
        ["clean-up", true],
      ]);
      const [outage, wait] = result.steps;
      expect(outage).toMatchObject({ ok: true, message: "Zone us-east-1a has lost power for cluster shop." });
      expect((wait?.endedAtMs ?? 0) - (wait?.startedAtMs ?? 0)).toBe(30 * 60_000);
      const [fault] = result.faults;
      expect((fault?.endedAtMs ?? 0) - (fault?.startedAtMs ?? 0)).toBe(20 * 60_000);
      expect(fault).toMatchObject({ name: "zone-power-loss", zone: "us-east-1a", id: outage?.faultId });
      const [web] = result.workloads;
      expect(web).toMatchObject({ kind: "Deployment", name: "web", wanted: 3, minimum: 3, lowestReady: 2 });
      // NotReady when its node falls silent for 40 s, gone when the cloud says that the machine is.
      expect(web?.firstNotReadyMs).toBeGreaterThan(25_000);
      expect(web?.firstNotReadyMs).toBeLessThanOrEqual(50_000);
      expect(web?.recoveredMs).toBeGreaterThan(web?.firstEvictedMs ?? Number.NaN);
      // Exactly the time between the two, whatever was looked at in between.
      expect(web?.minutesBelowMinimum).toBeGreaterThanOrEqual(
        ((web?.recoveredMs ?? 0) - (web?.firstNotReadyMs ?? 0)) / 60_000,
      );
      expect(checkNamed(result, "replaced").tookMs).toBeGreaterThanOrEqual(web?.recoveredMs ?? Number.NaN);
      expect(await clusters(eksim)).toEqual([]);
      expect(await eksim.faults()).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    "says which expectation was not met, and why, and cleans up all the same",
    async () => {
      const { result, eksim } = await run(`
steps:
  - { fault: zone-power-loss, target: { zone: us-east-1b } }
  - wait: 20m
expectations:
  - { name: nobody is lost, always: true, readyReplicas: { deployment: web, atLeast: 3 } }
  - { name: the API answers, always: true, apiAvailable: {} }
`);
      expect(result.verdict).toBe("failed");
      expect(result.why).toMatch(
        /^nobody is lost: \d+s after its clock started: 2 ready replicas of deployment\/web, at least 3 wanted$/,
      );
      expect(checkNamed(result, "the API answers").ok).toBe(true);
      expect(await eksim.faults()).toEqual([]);
      expect(result.faults[0]?.endedAtMs).toBe(result.phases.at(-1)?.startedAtMs);
      expect(await clusters(eksim)).toEqual([]);
      expect(eksim.events().filter(({ type }) => type === "ZoneRestored")).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  it(
    "waits for what it waits for, and goes no further when that does not come",
    async () => {
      const { result } = await run(`
steps:
  - fault: instance-termination
    target: { nodegroup: workers, count: 1 }
  - name: another is launched
    waitUntil: { events: [InstanceKilled, InstanceLaunched] }
    within: 2m
  - name: a tenth node comes
    waitUntil: { nodes: { atLeast: 10 } }
    within: 3m
  - { name: never reached, wait: 1h }
`);
      expect(result.verdict).toBe("failed");
      expect(result.why).toBe("a tenth node comes: not so after 3m: 3 ready nodes, at least 10 wanted");
      expect(result.steps.map(({ title, ok }) => [title, ok])).toEqual([
        ["instance-termination of cluster shop, nodegroup workers, count 1", true],
        ["another is launched", true],
        ["a tenth node comes", false],
      ]);
      expect(result.phases.map(({ name }) => name)).toEqual(["setup", "steady-state", "steps", "clean-up"]);
    },
    PATIENCE_MS,
  );

  it(
    "cannot be run where its steady state is not reached, where a step is refused, or where nothing can be made",
    async () => {
      const unsteady = await run("steadyState: { within: 2m, probes: [{ nodes: { atLeast: 4 } }] }\nsteps: []");
      expect([unsteady.result.verdict, unsteady.result.why]).toEqual([
        "error",
        "the steady state was not reached: at least 4 ready nodes: 3 ready nodes, at least 4 wanted",
      ]);
      expect(unsteady.result.workloads).toEqual([]);
      expect(await clusters(unsteady.eksim)).toEqual([]);

      const refused = await run("steps: [{ upgrade: { version: '1.20' } }]");
      expect(refused.result.verdict).toBe("error");
      expect(refused.result.why).toMatch(/^upgrade cluster shop to 1\.20: the update of cluster shop was refused: 400/);

      const empty = await run("steps: [{ fault: pod-kill, target: { namespace: nowhere } }]");
      expect(empty.result.verdict).toBe("error");
      expect(empty.result.why).toContain("pod-kill");
      expect(await empty.eksim.faults()).toEqual([]);

      const drill = shopDrill("steps: []");
      const [cluster] = drill.clusters;
      if (!cluster) throw new Error("the shop has a cluster");
      const bad = await play({ ...drill, clusters: [{ ...cluster, input: { version: "9.99" } }] });
      running.push(bad.eksim);
      expect(bad.result.why).toMatch(/^cluster shop cannot be made: 400/);
      expect(await clusters(bad.eksim)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    "that is interrupted ends its faults, cleans up, and is neither passed nor failed",
    async () => {
      const stop = new AbortController();
      const { result, eksim } = await run(
        `
steps:
  - { fault: zone-power-loss, target: { zone: us-east-1c } }
  - { fault: node-freeze, target: { nodegroup: workers, zone: us-east-1a } }
  - wait: 2h
cleanUp:
  steps:
    - { name: last words, eks: { method: GET, path: /clusters/shop } }
`,
        {
          signal: stop.signal,
          show: ({ nowMs, faults }) => {
            const [outage] = faults;
            if (outage && nowMs - outage.startedAtMs > 15 * 60_000) stop.abort(new Error("interrupted"));
          },
        },
      );
      expect([result.verdict, result.why]).toEqual(["error", "interrupted"]);
      expect(result.phases.at(-1)).toMatchObject({ name: "clean-up", ok: true });
      expect(result.faults.map(({ endedAtMs }) => endedAtMs === undefined)).toEqual([false, false]);
      expect(await eksim.faults()).toEqual([]);
      expect(await clusters(eksim)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    "uses a cluster that is there, and takes away only what it has brought",
    async () => {
      const eksim = await startEksim({ seed: 1, clockStart: CLOCK_START });
      running.push(eksim);
      await eksim.eks("POST", "/clusters", {
        name: "shop",
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
      });
      await eksim.idle();
      const configMaps = "/api/v1/namespaces/default/configmaps";
      await eksim.kubernetes("shop", "POST", configMaps, { metadata: { name: "old" }, data: { by: "me" } });
      const { runDrill } = await import("../../../src/faults/drills/run-drill.js");
      const drill = shopDrill(
        "steps: [{ apply: [{ apiVersion: v1, kind: ConfigMap, metadata: { name: old }, data: { drill: here } }] }]",
      );
      const [cluster] = drill.clusters;
      if (!cluster) throw new Error("the shop has a cluster");
      const used = { ...drill, clusters: [{ ...cluster, use: true, input: {} }] };
      const result = await runDrill(used, await eksim.drillTarget());
      expect([result.verdict, result.why]).toEqual(["passed", undefined]);
      expect(await clusters(eksim)).toEqual(["shop"]);
      expect(await eksim.eks("GET", "/clusters/shop/node-groups")).toEqual({ nodegroups: [] });
      const names = (await eksim.kubernetes<{ items: { metadata: { name: string } }[] }>("shop", "GET", configMaps))
        .items;
      expect(names.map(({ metadata }) => metadata.name)).toContain("old");
      const { items } = await eksim.kubernetes<{ items: unknown[] }>(
        "shop",
        "GET",
        "/apis/apps/v1/namespaces/default/deployments",
      );
      expect(items).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    "asks everything that can be asked",
    async () => {
      const { result } = await run(`
steps:
  - { name: one more, scale: { deployment: web, replicas: 4 } }
  - waitUntil: { rollout: { deployment: web } }
  - { name: a bigger group, scale: { nodegroup: workers, desiredSize: 4 } }
  - waitUntil: { nodes: { nodegroup: workers, atLeast: 4, spread: 1 } }
  - { kubernetes: { method: GET, path: /api/v1/namespaces/default/pods/none, status: 404 } }
  - { command: { run: [node, -e, "process.exit(7)"], exitCode: 7 } }
  - delete: [{ apiVersion: v1, kind: Service, metadata: { name: web } }]
expectations:
  - pods: { selector: { app: web }, atLeast: 4, atMost: 4 }
  - pods: { selector: app=web, zone: us-east-1a, atLeast: 1 }
  - not: { object: { apiVersion: v1, kind: Service, name: web } }
  - object: { apiVersion: apps/v1, kind: Deployment, name: web }
  - exec: { selector: app=web, command: [cat, /etc/hostname], contains: web- }
  - exec: { selector: app=web, command: [sh, -c, exit 3], exitCode: 3 }
  - cluster: { status: ACTIVE, healthy: true }
  - nodegroup: { name: workers, status: ACTIVE, healthy: true }
  - command: { run: [node, -p, process.env.AWS_REGION], contains: us-east-1 }
  - pendingPods: { atMost: 0 }
  - readyReplicas: { deployment: web, atLeast: 100% }
  - { name: a lie, exec: { selector: app=web, command: [cat, /none] } }
  - { name: another, http: { service: web, port: 80 } }
  - { name: a third, command: { run: [node, -e, "console.log('no'); process.exit(1)"] } }
  - { name: a fourth, command: { run: [no-such-program] } }
`);
      expect(result.steps.filter(({ ok }) => !ok)).toEqual([]);
      expect(result.checks.filter(({ ok }) => !ok).map(({ title, message }) => [title, message])).toEqual([
        ["a lie", expect.stringMatching(/^`cat \/none` exits with 1, 0 wanted: cat: .*No such file/)],
        ["another", expect.stringMatching(/^web\/ answers 404 NotFound: .*, 200 wanted$/)],
        ["a third", "`node -e console.log('no'); process.exit(1)` exits with 1, 0 wanted: no"],
        ["a fourth", expect.stringMatching(/^`no-such-program`: .*ENOENT/)],
      ]);
    },
    PATIENCE_MS,
  );
});

describe("APIs in trouble", () => {
  it(
    "are waited for as long as they take, and answer what steps expect of them",
    async () => {
      const { result } = await run(`
steps:
  - { fault: aws-api-latency, id: late, parameters: { latency: 4s } }
  - { name: late, eks: { method: GET, path: /clusters/shop, status: 200 } }
  - { stopFault: late }
  - { fault: aws-api-throttling, id: throttled, parameters: { share: 100 } }
  - { name: throttled, eks: { method: GET, path: /clusters/shop, status: 429 } }
  - { stopFault: all }
  - { fault: api-server-latency, id: slow, parameters: { latency: 3s } }
  - { name: slow, kubernetes: { method: GET, path: /api/v1/nodes, status: 200 } }
`);
      expect([result.verdict, result.why]).toEqual(["passed", undefined]);
      const took = result.steps.map(({ title, startedAtMs, endedAtMs }) => [title, endedAtMs - startedAtMs]);
      expect(took.filter(([title]) => ["late", "throttled", "slow"].includes(String(title)))).toEqual([
        ["late", 4000],
        ["throttled", 0],
        ["slow", 3000],
      ]);
      // Those that the last step leaves are ended with the drill.
      expect(result.faults.map(({ endedAtMs }) => endedAtMs === undefined)).toEqual([false, false, false]);
    },
    PATIENCE_MS,
  );
});

describe("eksim.runDrill", () => {
  it(
    "runs a drill by its name, and takes away what the drill has made",
    async () => {
      const eksim = await startEksim({ seed: 1, clockStart: CLOCK_START, profile: "aws" });
      running.push(eksim);
      const result = await eksim.runDrill("zone-isolation");
      expect([result.verdict, result.why]).toEqual(["passed", undefined]);
      expect(await clusters(eksim)).toEqual([]);
    },
    PATIENCE_MS,
  );
});

describe("expectations", () => {
  it(
    "are judged by every moment, not by looks now and then",
    async () => {
      // A pod that is killed is away for a moment only: nobody who looks every few seconds would see it.
      const { result } = await run(`
steps:
  - wait: 10m
  - { fault: pod-kill, id: kill, target: { namespace: default, podLabels: { app: web }, count: 1 } }
  - wait: 10m
expectations:
  - { name: always, always: true, readyReplicas: { deployment: web, atLeast: 3 } }
  - { name: never, never: true, readyReplicas: { deployment: web, atMost: 2 } }
  - { name: happens, happensWithin: 1m, readyReplicas: { deployment: web, atMost: 2 } }
  - { name: happens too late, happensWithin: 1m, nodes: { atMost: 2 } }
  - { name: settles, within: 1m, holdsFor: 5m, readyReplicas: { deployment: web, atLeast: 3 } }
  - { name: does not settle, within: 1m, readyReplicas: { deployment: web, atMost: 2 } }
  - { name: in order, after: kill, happensWithin: 5m, events: [{ type: Fault*, source: fault }] }
  - { name: out of order, events: [FaultStarted, CreateCluster] }
`);
      expect(Object.fromEntries(result.checks.map(({ title, ok }) => [title, ok]))).toEqual({
        always: false,
        never: false,
        happens: true,
        "happens too late": false,
        settles: true,
        "does not settle": false,
        "in order": true,
        "out of order": false,
      });
      expect(checkNamed(result, "settles").tookMs).toBe(result.workloads[0]?.recoveredMs);
      expect(checkNamed(result, "happens too late").message).toBe(
        "never so within 1m: 3 ready nodes, at most 2 wanted",
      );
      expect(checkNamed(result, "out of order").message).toBe("no event CreateCluster after FaultStarted");
    },
    PATIENCE_MS,
  );
});
