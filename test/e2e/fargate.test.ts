import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateFargateProfileCommand, EKSClient, waitUntilFargateProfileActive } from "@aws-sdk/client-eks";
import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, type EksimOptions, startEksim } from "../../src/testkit/index.js";

interface Pod {
  metadata: { name: string; uid: string; labels: Record<string, string>; annotations?: Record<string, string> };
  spec: { nodeName?: string; schedulerName: string; priorityClassName?: string; priority?: number };
  status: { phase: string; podIP?: string; hostIP?: string; nominatedNodeName?: string };
}

interface Node {
  metadata: { name: string; labels: Record<string, string> };
  spec: { providerID: string; taints?: { key: string; effect: string }[] };
}

interface List<T> {
  items: T[];
}

let eksim: Eksim;
let directory: string | undefined;
afterEach(async () => {
  await eksim.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
  directory = undefined;
});

const PODS = "/api/v1/namespaces/default/pods";

const statusOf = async (path: string, member: string): Promise<string | undefined> => {
  try {
    return (await eksim.eks<Record<string, { status: string }>>("GET", path))[member]?.status;
  } catch {
    return undefined;
  }
};

async function start(options: EksimOptions = {}, cluster: Record<string, unknown> = {}): Promise<void> {
  eksim = await startEksim({ seed: 3, clockStart: "2026-11-01T00:00:00Z", ...options });
  await eksim.eks("POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/c",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    ...cluster,
  });
  if (options.profile === "aws") await eksim.advance("10m");
  await eksim.advanceUntil(async () => (await statusOf("/clusters/demo", "cluster")) === "ACTIVE", "30m");
}

async function createProfile(name: string, more: Record<string, unknown> = {}): Promise<void> {
  await eksim.eks("POST", "/clusters/demo/fargate-profiles", {
    fargateProfileName: name,
    podExecutionRoleArn: "arn:aws:iam::000000000000:role/pods",
    selectors: [{ namespace: "default", labels: { app: "w*" } }],
    ...more,
  });
  const path = `/clusters/demo/fargate-profiles/${name}`;
  await eksim.advanceUntil(async () => (await statusOf(path, "fargateProfile")) === "ACTIVE", "5m");
}

const kubernetes = <T>(method: string, path: string, body?: unknown): Promise<T> =>
  eksim.kubernetes<T>("demo", method, path, body);

const run = (name: string, spec: Record<string, unknown> = {}, labels: Record<string, string> = { app: "web" }) =>
  kubernetes<Pod>("POST", PODS, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels },
    spec: { containers: [{ name: "web", image: "nginx" }], ...spec },
  });
const pod = (name: string): Promise<Pod> => kubernetes<Pod>("GET", `${PODS}/${name}`);
const pods = async (): Promise<Pod[]> => (await kubernetes<List<Pod>>("GET", PODS)).items;
const nodes = async (): Promise<Node[]> => (await kubernetes<List<Node>>("GET", "/api/v1/nodes")).items;
const running = (name: string): Promise<void> =>
  eksim.advanceUntil(async () => (await pod(name)).status.phase === "Running", "5m");
const zoneOf = (node: Node | undefined): string => node?.metadata.labels["topology.kubernetes.io/zone"] ?? "";
const nodeOf = async (name: string): Promise<Node | undefined> => {
  const { nodeName } = (await pod(name)).spec;
  return (await nodes()).find(({ metadata }) => metadata.name === nodeName);
};
const messages = async (name: string): Promise<string[]> =>
  (
    await kubernetes<
      List<{ involvedObject: { name: string }; source: { component: string }; reason: string; message: string }>
    >("GET", "/api/v1/namespaces/default/events")
  ).items
    .filter(({ involvedObject, source }) => involvedObject.name === name && source.component === "fargate-scheduler")
    .map(({ reason, message }) => `${reason}: ${message}`);

describe("pods that match a Fargate profile", () => {
  it("get a machine each, in one of the profile's zones, and show what was provisioned", async () => {
    await start();
    await createProfile("web", { subnets: ["subnet-b"] });
    const made = await run("a");
    expect(made).toMatchObject({
      metadata: { labels: { "eks.amazonaws.com/fargate-profile": "web" } },
      spec: {
        schedulerName: "fargate-scheduler",
        priorityClassName: "system-node-critical",
        priority: 2_000_001_000,
      },
    });
    await run("b", {
      containers: [{ name: "web", image: "nginx", resources: { requests: { cpu: "1", memory: "4Gi" } } }],
    });
    await running("a");
    await running("b");
    const [a, b] = [await pod("a"), await pod("b")];
    expect(a.metadata.annotations).toMatchObject({
      CapacityProvisioned: "0.25vCPU 0.5GB",
      Logging: "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND",
    });
    expect(b.metadata.annotations?.CapacityProvisioned).toBe("1vCPU 5GB");
    expect(a.spec.nodeName).toMatch(/^fargate-ip-10-0-\d+-\d+\.ec2\.internal$/);
    expect(a.spec.nodeName).not.toBe(b.spec.nodeName);
    expect(a.status.podIP).toBe(a.status.hostIP);
    expect((await nodes()).map(zoneOf)).toEqual(["us-east-1b", "us-east-1b"]);
    expect(await nodeOf("a")).toMatchObject({
      metadata: { labels: { "eks.amazonaws.com/compute-type": "fargate" } },
      spec: { taints: [{ key: "eks.amazonaws.com/compute-type", effect: "NoSchedule" }] },
    });
    expect((await messages("a")).sort()).toEqual([
      'LoggingDisabled: Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found',
      `Scheduled: Successfully assigned default/a to ${a.spec.nodeName}`,
    ]);
  });

  it("take their machine with them when they go", async () => {
    await start();
    await createProfile("web");
    await run("a");
    await running("a");
    await kubernetes("DELETE", `${PODS}/a`);
    await eksim.advanceUntil(async () => (await nodes()).length === 0, "2m");
    expect(await pods()).toEqual([]);
  });

  it("are only those that are made afterwards, and that match", async () => {
    await start();
    await run("early");
    await createProfile("web");
    await run("other", {}, { app: "db" });
    await run("elsewhere", { schedulerName: "mine" });
    await eksim.advance("1m");
    const others = await pods();
    expect(others.map(({ spec }) => spec.schedulerName).sort()).toEqual([
      "default-scheduler",
      "default-scheduler",
      "mine",
    ]);
    expect(others.every(({ spec }) => spec.nodeName === undefined)).toBe(true);
  });

  it("that Fargate cannot run wait, and are told why", async () => {
    await start();
    await createProfile("web");
    const containers = [
      {
        name: "web",
        image: "nginx",
        securityContext: { privileged: true },
        ports: [{ containerPort: 80, hostPort: 80 }],
      },
    ];
    await run("host", { hostNetwork: true, containers });
    await run("disk", { volumes: [{ name: "host", hostPath: { path: "/" } }] });
    await run("huge", { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "17" } } }] });
    await run("cap", {
      containers: [{ name: "c", image: "i", securityContext: { capabilities: { add: ["CHOWN", "SYS_ADMIN"] } } }],
    });
    await run("zone", { nodeSelector: { "topology.kubernetes.io/zone": "us-east-1f" } });
    await eksim.advance("10s");
    expect(await messages("host")).toEqual([
      "FailedScheduling: Pod not supported on Fargate: fields not supported: HostNetwork, invalid SecurityContext fields: Privileged, port contains HostIP or HostPort",
    ]);
    expect(await messages("disk")).toEqual([
      "FailedScheduling: Pod not supported on Fargate: volumes not supported: host is of an unsupported volume Type",
    ]);
    expect((await messages("huge"))[0]).toMatch(/^FailedScheduling: Pod not supported on Fargate/);
    expect(await messages("cap")).toEqual([
      "FailedScheduling: Pod not supported on Fargate: invalid SecurityContext fields: Capabilities added: SYS_ADMIN",
    ]);
    expect((await messages("zone"))[0]).toMatch(/no Fargate node matches its node selector/);
    expect(await nodes()).toEqual([]);
  });

  it("wait for their machine as long as on EKS with the profile of AWS's timings", async () => {
    await start({ profile: "aws" });
    await createProfile("web");
    await run("a");
    await eksim.advance("30s");
    const waiting = await pod("a");
    expect(waiting.spec.nodeName).toBeUndefined();
    expect(waiting.status.nominatedNodeName).toMatch(/^[0-9a-f]{10}-[0-9a-f]{32}$/);
    await running("a");
    expect((await nodeOf("a"))?.spec.providerID).toContain(`/${waiting.status.nominatedNodeName}/fargate-ip-`);
  });
});

describe("Fargate and zones", () => {
  it("a zone without power gets no machines, and pods lost there come back elsewhere", async () => {
    await start();
    await createProfile("web");
    await kubernetes("POST", "/apis/apps/v1/namespaces/default/deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: 6,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
      },
    });
    const zonesInUse = async (): Promise<string[]> => {
      const byName = new Map((await nodes()).map((node) => [node.metadata.name, zoneOf(node)]));
      const up = (await pods()).filter(({ status }) => status.phase === "Running");
      return up.map(({ spec }) => byName.get(spec.nodeName ?? "") ?? "");
    };
    await eksim.advanceUntil(async () => (await zonesInUse()).length === 6, "2m");
    const lost = (await zonesInUse())[0] ?? "";
    await eksim.failZone(lost);
    // Pods put up with a lost node for five minutes.
    await eksim.advance("5m");
    await eksim.advanceUntil(async () => {
      const zones = await zonesInUse();
      return zones.length === 6 && !zones.includes(lost) && (await pods()).length === 6;
    }, "20m");
    expect((await nodes()).map(zoneOf)).not.toContain(lost);
  });

  it("a profile whose only zone has no power waits until it has, also over a restart", async () => {
    directory = await mkdtemp(join(tmpdir(), "eksim-fargate-"));
    await start({ dataDir: directory });
    await createProfile("web", { subnets: ["subnet-a"] });
    await eksim.failZone("us-east-1a");
    await run("a");
    await eksim.advance("2m");
    expect((await pod("a")).spec.nodeName).toBeUndefined();
    expect((await messages("a"))[0]).toMatch(/^FailedScheduling: Capacity is unavailable at this time/);
    await eksim.stop();
    eksim = await startEksim({ seed: 3, dataDir: directory });
    await eksim.advance("2m");
    expect((await pod("a")).spec.nodeName).toBeUndefined();
    await eksim.restoreZone("us-east-1a");
    await running("a");
    expect(zoneOf(await nodeOf("a"))).toBe("us-east-1a");
  });
});

describe("a Fargate profile", () => {
  it("is waited for by the SDK's waiter", async () => {
    await start();
    const client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
    const names = { clusterName: "demo", fargateProfileName: "web" };
    await client.send(
      new CreateFargateProfileCommand({
        ...names,
        podExecutionRoleArn: "arn:aws:iam::000000000000:role/pods",
        selectors: [{ namespace: "default" }],
      }),
    );
    await eksim.idle();
    const waited = await waitUntilFargateProfileActive({ client, maxWaitTime: 20, minDelay: 1 }, names);
    expect(waited.state).toBe("SUCCESS");
    client.destroy();
  });

  it("takes its pods and machines with it", async () => {
    await start();
    await createProfile("web");
    await createProfile("other", { selectors: [{ namespace: "default", labels: { app: "other" } }] });
    await run("a");
    await run("b", {}, { app: "other" });
    await running("a");
    await running("b");
    await eksim.eks("DELETE", "/clusters/demo/fargate-profiles/web");
    const path = "/clusters/demo/fargate-profiles/web";
    await eksim.advanceUntil(async () => (await statusOf(path, "fargateProfile")) === undefined, "5m");
    expect((await pods()).map(({ metadata }) => metadata.name)).toEqual(["b"]);
    await eksim.advanceUntil(async () => (await nodes()).length === 1, "2m");
    // New ones are nobody's but the default scheduler's.
    expect((await run("c")).spec.schedulerName).toBe("default-scheduler");
  });

  it("is there after a restart with its machines and pods, and while it is being made", async () => {
    directory = await mkdtemp(join(tmpdir(), "eksim-fargate-"));
    await start({ dataDir: directory });
    await createProfile("web");
    await run("a");
    await running("a");
    await eksim.eks("POST", "/clusters/demo/fargate-profiles", {
      fargateProfileName: "late",
      podExecutionRoleArn: "arn:aws:iam::000000000000:role/pods",
      selectors: [{ namespace: "late" }],
    });
    const before = await pod("a");
    await eksim.stop();
    eksim = await startEksim({ seed: 3, dataDir: directory });
    const path = "/clusters/demo/fargate-profiles/late";
    await eksim.advanceUntil(async () => (await statusOf(path, "fargateProfile")) === "ACTIVE", "2m");
    await eksim.advance("2m");
    const after = await pod("a");
    expect(after.spec.nodeName).toBe(before.spec.nodeName);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.status.phase).toBe("Running");
    await run("b");
    await running("b");
    await kubernetes("DELETE", `${PODS}/a`);
    await kubernetes("DELETE", `${PODS}/b`);
    await eksim.advanceUntil(async () => (await nodes()).length === 0, "2m");
  });

  it("that was being deleted is gone after a restart, and so are its pods and machines", async () => {
    directory = await mkdtemp(join(tmpdir(), "eksim-fargate-"));
    await start({ dataDir: directory });
    await createProfile("web");
    await run("a");
    await running("a");
    await eksim.stop();
    eksim = await startEksim({ seed: 3, dataDir: directory, profile: "aws" });
    await eksim.advance("1s");
    const path = "/clusters/demo/fargate-profiles/web";
    await eksim.eks("DELETE", path);
    await eksim.stop();
    eksim = await startEksim({ seed: 3, dataDir: directory, profile: "aws" });
    await eksim.idle();
    expect(await statusOf(path, "fargateProfile")).toBe("DELETING");
    await eksim.advanceUntil(async () => (await pods()).length === 0, "45s");
    await eksim.advanceUntil(async () => (await statusOf(path, "fargateProfile")) === undefined, "5m");
    expect(await nodes()).toEqual([]);
  });

  it("gives its role a mapping in aws-auth where the cluster reads that, until the last profile of the role goes", async () => {
    await start({}, { accessConfig: { authenticationMode: "CONFIG_MAP" } });
    await createProfile("web");
    await createProfile("other", { selectors: [{ namespace: "other" }] });
    const mapRoles = async (): Promise<string | undefined> =>
      (await kubernetes<{ data?: { mapRoles?: string } }>("GET", "/api/v1/namespaces/kube-system/configmaps/aws-auth"))
        .data?.mapRoles;
    expect(await mapRoles()).toContain("arn:aws:iam::000000000000:role/pods");
    expect(await mapRoles()).toContain("system:node-proxier");
    for (const name of ["web", "other"]) {
      expect(await mapRoles()).toContain("role/pods");
      const path = `/clusters/demo/fargate-profiles/${name}`;
      await eksim.eks("DELETE", path);
      await eksim.advanceUntil(async () => (await statusOf(path, "fargateProfile")) === undefined, "1m");
    }
    expect(await mapRoles()).not.toContain("role/pods");
  });

  it("launches nothing while its role has no access to the cluster", async () => {
    await start({}, { accessConfig: { authenticationMode: "API" } });
    await createProfile("web");
    const entries = "/clusters/demo/access-entries";
    const principalArn = "arn:aws:iam::000000000000:role/pods";
    await eksim.eks("DELETE", `${entries}/${encodeURIComponent(principalArn)}`);
    await run("a");
    await eksim.advance("1m");
    expect((await pod("a")).spec.nodeName).toBeUndefined();
    expect((await messages("a"))[0]).toMatch(
      /^FailedScheduling: Misconfigured Fargate Profile: fargate profile web blocked for new launches due to: Pod execution role is not found/,
    );
    await eksim.eks("POST", entries, { principalArn, type: "FARGATE_LINUX" });
    await running("a");
  });

  it("of kube-system takes in CoreDNS once its pods are made anew", async () => {
    await start();
    await createProfile("system", { selectors: [{ namespace: "kube-system", labels: { "k8s-app": "kube-dns" } }] });
    interface Deployment {
      status: { readyReplicas?: number };
    }
    const coredns = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";
    expect((await kubernetes<Deployment>("GET", coredns)).status.readyReplicas ?? 0).toBe(0);
    const system = "/api/v1/namespaces/kube-system/pods";
    for (const { metadata } of (await kubernetes<List<Pod>>("GET", system)).items) {
      await kubernetes("DELETE", `${system}/${metadata.name}`);
    }
    await eksim.advanceUntil(
      async () => (await kubernetes<Deployment>("GET", coredns)).status.readyReplicas === 2,
      "3m",
    );
    // Daemons are for nodes of one's own.
    expect((await kubernetes<List<Pod>>("GET", system)).items).toHaveLength(2);
  });
});
