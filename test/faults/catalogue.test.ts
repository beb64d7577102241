/** Every fault of the catalogue on the embedded backend: what it does can be seen, and is gone when it is ended. One emulator after the other carries them all. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { FAULTS } from "../../src/domain/faults/index.js";
import type { FaultRequest } from "../../src/testkit/index.js";
import { CLUSTER, type Drill, isReady, type Node, startDrill, ZONES } from "../reconcile/drill.js";
import type { Instance } from "./soundness.js";

const [A, B] = ZONES;
let drill: Drill;

const kubernetes = <T>(method: string, path: string, body?: unknown): Promise<T> =>
  drill.eksim.kubernetes<T>(CLUSTER, method, path, body);

const nodeIn = async (zone: string): Promise<Node> => {
  const node = (await drill.nodes()).find(({ metadata }) => metadata.labels["topology.kubernetes.io/zone"] === zone);
  if (!node) throw new Error(`no node in ${zone}`);
  return node;
};
const spotNode = async (): Promise<string> => {
  const node = (await drill.nodes()).find(({ metadata }) => metadata.labels["eks.amazonaws.com/nodegroup"] === "spot");
  if (!node) throw new Error("no Spot node");
  return node.metadata.name;
};
const condition = async (node: string, type: string): Promise<string | undefined> =>
  (await drill.nodes())
    .find(({ metadata }) => metadata.name === node)
    ?.status.conditions?.find((each) => each.type === type)?.status;

const instances = async (): Promise<Instance[]> => {
  const answer = await fetch(`${drill.eksim.endpoint}/_eksim/status`);
  const { clusters } = (await answer.json()) as { clusters: { instances: Instance[] }[] };
  return clusters.flatMap((cluster) => cluster.instances);
};
const zone = async (name: string) => (await drill.eksim.zones()).find((each) => each.name === name);
const refusal = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "",
    (error: { status?: number; message: string }) => `${error.status} ${error.message}`,
  );

/** Simulated milliseconds until the answer has come. */
const timeOf = async (work: Promise<unknown>): Promise<number> => {
  const sinceMs = drill.eksim.now();
  let isOver = false;
  const answer = work.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  while (!isOver) {
    await drill.eksim.advance("250ms");
    // What is on its way over the network gets there, in the machine's own time.
    await Promise.race([answer, fetch(`${drill.eksim.endpoint}/_eksim/health`).then((health) => health.text())]);
  }
  return drill.eksim.now() - sinceMs;
};

const events = (type: string): string[] =>
  drill
    .events()
    .filter((event) => event.type === type)
    .map(({ message }) => message);

const scale = (desiredSize: number): Promise<unknown> =>
  drill.eksim.eks("POST", `/clusters/${CLUSTER}/node-groups/workers/update-config`, {
    scalingConfig: { minSize: 0, maxSize: 12, desiredSize },
  });
const inService = async (): Promise<number> =>
  (await instances()).filter(({ nodegroup, lifecycle }) => nodegroup === "workers" && lifecycle === "InService").length;

const podOfWeb = async (): Promise<string> => (await drill.podsOf("web")).find(isReady)?.metadata.name ?? "";

let ran = 0;
/** What a command prints in a pod of its own in the zone. */
const run = async (zone: string, command: string): Promise<string> => {
  ran++;
  const name = `run-${ran}`;
  const path = "/api/v1/namespaces/default/pods";
  await kubernetes("POST", path, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      restartPolicy: "Never",
      nodeSelector: { "topology.kubernetes.io/zone": zone },
      containers: [{ name: "app", image: "busybox", command: ["sh", "-c", command] }],
    },
  });
  const isOver = async (): Promise<boolean> =>
    /Succeeded|Failed/.test((await kubernetes<{ status: { phase: string } }>("GET", `${path}/${name}`)).status.phase);
  await until(isOver, "2m");
  const log = await kubernetes<string>("GET", `${path}/${name}/log`);
  await kubernetes("DELETE", `${path}/${name}`);
  return String(log).trim();
};
/** Seconds that a request from zone A to a pod in zone B takes. */
const timeToB = async (): Promise<string> => {
  const node = (await nodeIn(B)).metadata.name;
  const { items } = await kubernetes<{ items: { spec: { nodeName: string }; status: { podIP: string } }[] }>(
    "GET",
    "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb",
  );
  const address = items.find(({ spec }) => spec.nodeName === node)?.status.podIP;
  return run(A, `curl -s -o /dev/null -m 30 -w '%{time_total}' http://${address}/`);
};
const imageless = (name: string, nodeName: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { nodeName, containers: [{ name: "app", image: `example.com/${name}:1` }] },
});
const waitingReason = async (pod: string): Promise<string> => {
  const { status } = await kubernetes<{
    status: { containerStatuses?: { state: { waiting?: { reason: string } } }[] };
  }>("GET", `/api/v1/namespaces/default/pods/${pod}`);
  return status.containerStatuses?.[0]?.state.waiting?.reason ?? "";
};

interface Case {
  request: () => Promise<Omit<FaultRequest, "fault">> | Omit<FaultRequest, "fault">;
  /** Resolves when the fault shows. */
  shows: () => Promise<void>;
  /** Resolves when it is gone; for those that last. */
  gone?: () => Promise<void>;
}

const until = (done: () => boolean | Promise<boolean>, limit = "10m"): Promise<void> => drill.until(done, limit);
const inZoneA = () => ({ target: { zone: A } });
const nodeInA = async () => ({ target: { nodes: [(await nodeIn(A)).metadata.name] } });
const ofDemo = (parameters = {}) => ({ target: { cluster: CLUSTER }, parameters });

const silent = async (): Promise<void> => until(async () => !isReady(await nodeIn(A)), "3m");
const speaks = async (): Promise<void> => until(async () => isReady(await nodeIn(A)), "3m");

const CASES: Record<string, Case> = {
  "zone-power-loss": {
    request: inZoneA,
    shows: async () => expect(await zone(A)).toMatchObject({ state: "failed", membersUp: 0 }),
    gone: async () => {
      expect(await zone(A)).toMatchObject({ state: "available", membersUp: 1 });
      await until(async () => (await drill.nodes()).length === 4 && (await drill.nodes()).every(isReady), "30m");
    },
  },
  "zone-isolation": { request: inZoneA, shows: silent, gone: speaks },
  "zone-link-impairment": {
    request: () => ({ target: { zone: A }, parameters: { to: B, latency: "200ms" } }),
    shows: async () => {
      expect(await zone(A)).toMatchObject({ state: "impaired", faults: [{ fault: "zone-link-impairment" }] });
      expect(Number(await timeToB())).toBeGreaterThanOrEqual(0.4);
    },
    gone: async () => {
      expect(await zone(A)).toMatchObject({ state: "available", faults: [] });
      expect(Number(await timeToB())).toBe(0);
    },
  },
  "zone-dns-failure": {
    request: inZoneA,
    shows: async () => expect(await run(A, "nslookup kubernetes.default; echo $?")).toMatch(/[^0]$/),
    gone: async () => expect(await run(A, "nslookup kubernetes.default; echo $?")).toMatch(/^0$/m),
  },
  "insufficient-capacity": {
    request: inZoneA,
    shows: async () => {
      const before = (await instances()).filter((each) => each.zone === A).length;
      await scale(6);
      await until(async () => (await inService()) === 6);
      expect((await instances()).filter((each) => each.zone === A)).toHaveLength(before);
    },
    gone: async () => {
      await scale(3);
      await until(async () => (await inService()) === 3 && (await drill.nodes()).length === 4, "30m");
      expect((await instances()).some((each) => each.zone === A)).toBe(true);
    },
  },
  "master-loss": {
    request: () => ({ target: { zone: B } }),
    shows: async () => expect(await zone(B)).toMatchObject({ membersUp: 0 }),
    gone: async () => expect(await zone(B)).toMatchObject({ membersUp: 1 }),
  },
  "instance-termination": {
    request: nodeInA,
    shows: async () => {
      await until(() => events("InstanceTerminated").length > 0);
      await until(async () => (await inService()) === 3 && (await drill.nodes()).length === 4);
    },
  },
  "instance-stop": {
    request: async () => ({ target: { nodes: [await spotNode()] } }),
    shows: async () => {
      expect((await instances()).find(({ nodegroup }) => nodegroup === "spot")?.state).toBe("stopping");
    },
    gone: async () => {
      await until(async () => (await drill.nodes()).length === 4 && (await drill.nodes()).every(isReady));
    },
  },
  "instance-reboot": {
    request: nodeInA,
    shows: async () => {
      await drill.eksim.advance("1m");
      const { items } = await kubernetes<{ items: { reason: string }[] }>("GET", "/api/v1/events");
      expect(items.map(({ reason }) => reason)).toContain("Rebooted");
    },
  },
  "node-freeze": { request: nodeInA, shows: silent, gone: speaks },
  "node-isolation": { request: nodeInA, shows: silent, gone: speaks },
  "spot-interruption": {
    request: async () => ({ target: { nodes: [await spotNode()] }, parameters: { rebalanceLead: "10m" } }),
    shows: async () => expect(events("InstanceRebalanceRecommendation")).toHaveLength(1),
    gone: async () => {
      await drill.eksim.advance("15m");
      expect(events("SpotInterruptionWarning")).toEqual([]);
    },
  },
  "node-pressure": {
    request: nodeInA,
    shows: async () => {
      const { name } = (await nodeIn(A)).metadata;
      await until(async () => (await condition(name, "MemoryPressure")) === "True", "2m");
    },
    gone: async () => {
      const { name } = (await nodeIn(A)).metadata;
      await until(async () => (await condition(name, "MemoryPressure")) === "False", "10m");
    },
  },
  "node-condition": {
    request: async () => ({ ...(await nodeInA()), parameters: { condition: "NetworkingReady" } }),
    shows: async () => {
      const { name } = (await nodeIn(A)).metadata;
      await until(async () => (await condition(name, "NetworkingReady")) === "False", "2m");
    },
    gone: async () => {
      const { name } = (await nodeIn(A)).metadata;
      await until(async () => (await condition(name, "NetworkingReady")) !== "False", "10m");
    },
  },
  "node-clock-skew": {
    request: async () => ({ ...(await nodeInA()), parameters: { skew: "5m" } }),
    shows: async () => expect(await skewOf()).toBeGreaterThan(280_000),
    gone: async () => expect(await skewOf()).toBeLessThan(20_000),
  },
  "node-disk-full": {
    request: nodeInA,
    shows: async () => {
      const { name } = (await nodeIn(A)).metadata;
      await until(async () => (await condition(name, "DiskPressure")) === "True", "2m");
    },
    gone: async () => {
      const { name } = (await nodeIn(A)).metadata;
      await until(async () => (await condition(name, "DiskPressure")) === "False", "10m");
      await until(async () => (await drill.podsOf("web")).filter(isReady).length === 4);
    },
  },
  "image-pull-failure": {
    request: nodeInA,
    shows: async () => {
      await kubernetes("POST", "/api/v1/namespaces/default/pods", imageless("fresh", (await nodeIn(A)).metadata.name));
      await until(async () => /ErrImagePull|ImagePullBackOff/.test(await waitingReason("fresh")), "2m");
    },
    gone: async () => {
      await until(async () => (await waitingReason("fresh")) === "", "10m");
      await kubernetes("DELETE", "/api/v1/namespaces/default/pods/fresh");
    },
  },
  "quorum-loss": {
    request: () => ofDemo(),
    // Connections to the masters that are gone break first.
    shows: async () => until(async () => /^500 etcdserver/.test(await refusal(drill.nodes()))),
    gone: async () => {
      expect(await refusal(drill.nodes())).toBe("");
      await speaks();
    },
  },
  "api-server-latency": {
    request: () => ofDemo({ latency: "3s" }),
    shows: async () => expect(await timeOf(drill.nodes())).toBeGreaterThanOrEqual(3000),
    gone: async () => expect(await refusal(drill.nodes())).toBe(""),
  },
  "api-server-throttling": {
    request: () => ofDemo({ share: 100 }),
    shows: async () => expect(await refusal(drill.nodes())).toMatch(/^429/),
    gone: async () => expect(await refusal(drill.nodes())).toBe(""),
  },
  "api-server-errors": {
    request: () => ofDemo({ share: 100 }),
    shows: async () => expect(await refusal(drill.nodes())).toMatch(/^500/),
    gone: async () => expect(await refusal(drill.nodes())).toBe(""),
  },
  "webhook-outage": {
    request: async () => {
      await kubernetes("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingWebhookConfiguration",
        metadata: { name: "gate" },
        webhooks: [
          {
            name: "gate.example.com",
            clientConfig: { url: "https://127.0.0.1:1/never" },
            rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
            sideEffects: "None",
            admissionReviewVersions: ["v1"],
            timeoutSeconds: 7,
          },
        ],
      });
      return ofDemo({ mode: "timeout" });
    },
    shows: async () => expect(await timeOf(refusal(createConfigMap()))).toBeGreaterThanOrEqual(7000),
    gone: async () => {
      expect(await refusal(createConfigMap())).toMatch(/refused/);
      await kubernetes("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gate");
    },
  },
  "watch-drops": {
    request: () => ofDemo({ after: "5s" }),
    shows: async () => {
      const tookMs = await timeOf(watch());
      expect(tookMs).toBeGreaterThanOrEqual(5000);
      expect(tookMs).toBeLessThan(30_000);
    },
    gone: async () => expect(await timeOf(watch())).toBeGreaterThanOrEqual(30_000),
  },
  "pod-kill": {
    request: async () => ({ target: { namespace: "default", pods: [await podOfWeb()] } }),
    shows: async () => {
      await until(async () => (await drill.podsOf("web")).filter(isReady).length === 4);
      expect(events("FaultStarted").at(-1)).toMatch(/^Pod default\/web-.* was ended from outside \(kill\)\.$/);
    },
  },
  "pod-crash-loop": {
    request: () => ({ target: { namespace: "default", podLabels: { app: "web" }, count: 1 } }),
    shows: async () => until(async () => (await restarts()) >= 3, "10m"),
    gone: async () => until(async () => (await drill.podsOf("web")).filter(isReady).length === 4, "10m"),
  },
  "pod-not-ready": {
    request: () => ({ target: { namespace: "default", podLabels: { app: "web" }, percent: 50 } }),
    shows: async () => until(async () => (await drill.podsOf("web")).filter(isReady).length === 2, "3m"),
    gone: async () => until(async () => (await drill.podsOf("web")).filter(isReady).length === 4, "3m"),
  },
  "pod-oom": {
    request: async () => ({ target: { namespace: "default", pods: [await podOfWeb()] } }),
    shows: async () => {
      const before = await restarts();
      await until(async () => (await restarts()) > before || (await drill.podsOf("web")).filter(isReady).length === 4);
      const { items } = await kubernetes<{ items: PodStatus[] }>("GET", "/api/v1/namespaces/default/pods");
      const reasons = items.flatMap(({ status }) =>
        (status.containerStatuses ?? []).map(
          ({ lastState, state }) => (lastState?.terminated ?? state.terminated)?.reason,
        ),
      );
      expect(reasons).toContain("OOMKilled");
    },
  },
  "aws-api-throttling": {
    request: () => ({ parameters: { services: ["eks"], operations: ["Describe*"] } }),
    shows: async () => {
      expect(await refusal(describeCluster())).toBe("429 Rate exceeded");
      expect(await refusal(drill.eksim.eks("GET", "/clusters"))).toBe("");
    },
    gone: async () => expect(await refusal(describeCluster())).toBe(""),
  },
  "aws-api-errors": {
    request: () => ({ parameters: { operations: ["ListClusters"], status: "503" } }),
    shows: async () => {
      expect(await refusal(drill.eksim.eks("GET", "/clusters"))).toMatch(/^503 /);
      expect(await refusal(describeCluster())).toBe("");
    },
    gone: async () => expect(await refusal(drill.eksim.eks("GET", "/clusters"))).toBe(""),
  },
  "aws-api-latency": {
    request: () => ({ parameters: { latency: "5s" } }),
    shows: async () => expect(await timeOf(describeCluster())).toBeGreaterThanOrEqual(5000),
    gone: async () => expect(await refusal(describeCluster())).toBe(""),
  },
  "node-join-failure": {
    request: () => ({ target: { cluster: CLUSTER, nodegroup: "workers" } }),
    shows: async () => {
      await scale(4);
      await drill.eksim.advance("16m");
      expect(await inService()).toBe(3);
      expect((await drill.describe("workers"))?.health.issues.map(({ code }) => code)).toEqual(["NodeCreationFailure"]);
    },
    gone: async () => {
      await until(async () => (await inService()) === 4);
      await scale(3);
      await until(async () => (await inService()) === 3 && (await drill.nodes()).length === 4, "30m");
      expect((await drill.describe("workers"))?.health.issues).toEqual([]);
    },
  },
  "health-issue": {
    request: () => ({
      target: { cluster: CLUSTER, nodegroup: "workers" },
      parameters: { code: "Ec2SecurityGroupNotFound", resourceIds: "sg-1" },
    }),
    shows: async () => {
      await drill.eksim.idle();
      expect(await drill.describe("workers")).toMatchObject({
        status: "DEGRADED",
        health: { issues: [{ code: "Ec2SecurityGroupNotFound", resourceIds: ["sg-1"] }] },
      });
    },
    gone: async () => {
      await drill.eksim.idle();
      expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", health: { issues: [] } });
    },
  },
};

interface PodStatus {
  status: {
    containerStatuses?: {
      restartCount: number;
      state: { terminated?: { reason: string } };
      lastState?: { terminated?: { reason: string } };
    }[];
  };
}

const restarts = async (): Promise<number> =>
  (await drill.podsOf("web"))
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);

const describeCluster = (): Promise<unknown> => drill.eksim.eks("GET", `/clusters/${CLUSTER}`);
const createConfigMap = (): Promise<unknown> =>
  kubernetes("POST", "/api/v1/namespaces/default/configmaps", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { generateName: "c-" },
  });
const watch = (): Promise<unknown> => kubernetes("GET", "/api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=30");

/** How far a node's heartbeat is ahead of simulated time. */
const skewOf = async (): Promise<number> => {
  await drill.eksim.advance("30s");
  const { name } = (await nodeIn(A)).metadata;
  const lease = await kubernetes<{ spec: { renewTime: string } }>(
    "GET",
    `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`,
  );
  return Date.parse(lease.spec.renewTime) - drill.eksim.now();
};

beforeAll(async () => {
  drill = await startDrill();
  await drill.cluster();
  await drill.nodegroup("workers");
  await drill.nodegroup("spot", {
    capacityType: "SPOT",
    subnets: ["subnet-c"],
    scalingConfig: { minSize: 0, maxSize: 3, desiredSize: 1 },
  });
  await drill.deploy("web", 4);
});
afterEach(() => drill.eksim.stopAllFaults());
afterAll(() => drill.eksim.stop());

describe("a fault", () => {
  it("of every name in the catalogue is shown here", () => {
    expect(Object.keys(CASES).sort()).toEqual(FAULTS.map(({ name }) => name).sort());
  });

  it.each(Object.entries(CASES))("%s shows, and is gone when it is ended", async (name, { request, shows, gone }) => {
    const { id, phase } = await drill.eksim.startFault({ fault: name, ...(await request()) });
    await shows();
    if (!gone) {
      expect(phase).toBe("ended");
      return;
    }
    expect(phase).toBe("active");
    await drill.eksim.stopFault(id);
    await gone();
    expect(drill.eksim.faults()).toEqual([]);
  });
});
