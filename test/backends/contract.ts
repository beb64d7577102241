/** What every backend has to keep, whatever it is made of. Slow backends name the tests they cannot pass, and why. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  ApplyMode,
  ClusterBackend,
  ClusterObject,
  ClusterSpec,
  NodeSpec,
  Observation,
  PodFacts,
} from "../../src/backends/backend.js";
import { type Impairments, type LinkImpairment, NOTHING_WRONG } from "../../src/domain/impairments.js";
import type { InstanceRecord } from "../../src/domain/model.js";
import { nodeSpec } from "../../src/reconcile/specs.js";
import { allow, startWebhookServer } from "../kubernetes/admission/webhook-server.js";
import { httpsCaller } from "../kubernetes/https-caller.js";
import { aCluster, aNodegroup, anInstance } from "../state/records.js";

export interface BackendUnderTest {
  backend: ClusterBackend;
  /** Lets `ms` go by for the backend, as fast as it can. */
  pass(ms: number): Promise<void>;
  /** How many times as long as on an idle machine something may take that has to come; default 1. What must not come yet is not looked at later for it. */
  patience?: number;
  /** The backend of a process that comes after this one has died. */
  restarted?(): Promise<ClusterBackend>;
  close(): Promise<void>;
}

export interface BackendContract {
  name: string;
  create(): Promise<BackendUnderTest>;
  skip?: readonly { reason: string; tests: readonly string[] }[];
}

/** Small images that serve for ever: one that pods of the tests share, and one that no node has before it is asked for. */
const SERVER_IMAGE = "registry.k8s.io/pause:3.10";
const OTHER_IMAGE = "registry.k8s.io/pause:3.9";

const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const CLUSTER = aCluster("contract", { id: "0123456789ABCDEF0123456789ABCDEF" });

export const contractSpec: ClusterSpec = {
  clusterId: CLUSTER.id,
  name: CLUSTER.name,
  accountId: CLUSTER.accountId,
  region: CLUSTER.region,
  version: "1.36",
  serviceCidr: "10.100.0.0/16",
  port: 0,
  members: ZONES.map((zone, index) => ({ id: `master-${index + 1}`, zone })),
  oidcIssuer: `https://oidc.eks.us-east-1.amazonaws.com/id/${CLUSTER.id}`,
  bootstrapSelfManagedAddons: true,
};

export function contractNode(index: number): NodeSpec {
  const privateIp = `10.0.0.${10 + index}`;
  const instance: InstanceRecord = anInstance(CLUSTER, `i-${String(index).padStart(17, "0")}`, {
    zone: ZONES[index % 3] as string,
    privateIp,
    privateDnsName: `ip-${privateIp.replaceAll(".", "-")}.ec2.internal`,
  });
  return nodeSpec(instance, aNodegroup(CLUSTER, "workers"));
}

export function backendContract(contract: BackendContract): void {
  const test = (name: string, run: () => Promise<void>): void => {
    const skipped = contract.skip?.find(({ tests }) => tests.includes(name));
    if (skipped) it.skip(`${name} (${skipped.reason})`, run);
    else it(name, run);
  };

  describe(`the ${contract.name} backend`, () => {
    let under: BackendUnderTest;
    let backend: ClusterBackend;
    const seen: Observation[] = [];
    const nodes = [0, 1, 2].map(contractNode);
    const [first, second, third] = nodes as [NodeSpec, NodeSpec, NodeSpec];
    const id = contractSpec.clusterId;
    const lastOf = (name: string): Extract<Observation, { kind: "node" }> | undefined =>
      seen.findLast((o): o is Extract<Observation, { kind: "node" }> => o.kind === "node" && o.nodeName === name);
    const zone = async (name: string) => (await backend.summary(id)).zones[name];
    /** Waits until what is expected is so; after the time it fails as the expectation does. */
    const within = async (limitMs: number, expected: () => void | Promise<void>): Promise<void> => {
      for (let passedMs = 0; passedMs < limitMs * (under.patience ?? 1); passedMs += 2_000) {
        await under.pass(2_000);
        try {
          return await expected();
        } catch {
          // Not yet.
        }
      }
      await expected();
    };

    beforeAll(async () => {
      under = await contract.create();
      backend = under.backend;
    }, 300_000);
    afterAll(() => under.close());

    test("refuses what it does not hold", async () => {
      await expect(
        backend.adoptCluster({ ...contractSpec, clusterId: "X" }, []).then(() => backend.summary("Y")),
      ).rejects.toMatchObject({
        code: "missing",
      });
      await backend.deleteCluster("X");
    });

    test("makes a cluster whose API server answers, with one running master a zone", async () => {
      const made = await backend.createCluster(contractSpec);
      expect(made.endpoint).toBe(`https://127.0.0.1:${made.port}`);
      expect(made.certificateAuthority).toContain("BEGIN CERTIFICATE");
      expect(await backend.createCluster(contractSpec)).toEqual(made);
      expect(await backend.inventory()).toContain(id);
      const { zones, apiAvailable } = await backend.summary(id);
      expect(apiAvailable).toBe(true);
      expect(ZONES.map((name) => zones[name]?.membersUp)).toEqual([1, 1, 1]);
    });

    test("tells of nodes that join and become Ready", async () => {
      backend.observe(id, (observation) => seen.push(observation));
      for (const node of nodes) await backend.addNode(id, node);
      await backend.addNode(id, first);
      await within(60_000, async () => {
        for (const { name } of nodes) expect(lastOf(name)).toMatchObject({ ready: true, present: true });
        expect((await zone("us-east-1a"))?.readyNodes).toBe(1);
      });
    });

    test("changes labels and taints of a live node", async () => {
      const taint = { key: "dedicated", value: "x", effect: "NoSchedule" };
      await backend.patchNode(id, first.name, { labels: { team: "blue" }, addTaints: [taint] });
      await backend.patchNode(id, first.name, { labels: { team: null }, removeTaints: [taint] });
      await expect(backend.patchNode(id, "nobody", { labels: {} })).rejects.toMatchObject({ code: "missing" });
    });

    test("keeps objects under the names of their managers, and tells of the fields they quarrel about", async () => {
      const { objects } = backend;
      if (!objects) throw new Error(`the backend ${backend.name} keeps no objects`);
      const settings = (data: Record<string, string>): ClusterObject => ({
        resource: "configmaps",
        object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "contract", namespace: "default" }, data },
      });
      const apply = (manager: string, mode: ApplyMode, data: Record<string, string>) =>
        objects.apply(id, [settings(data)], { manager, mode });
      const conflict = { kind: "ConfigMap", group: "", name: "contract", field: ".data.a" };
      expect(await apply("one", "refuse", { a: "1" })).toEqual([]);
      expect(await apply("two", "refuse", { a: "2", b: "2" })).toEqual([conflict]);
      // Nothing of it was done: `b` is nobody's.
      expect(await apply("three", "refuse", { b: "3" })).toEqual([]);
      expect(await apply("two", "leave", { a: "2", c: "2" })).toEqual([]);
      expect(await apply("one", "refuse", { a: "1" })).toEqual([]);
      expect(await apply("two", "take", { a: "2" })).toEqual([]);
      expect(await apply("one", "refuse", { a: "1" })).toEqual([conflict]);
      const names = [{ resource: "configmaps", namespace: "default", name: "contract" }];
      await objects.remove(id, names, { manager: "stranger" });
      expect(await apply("one", "refuse", { a: "1" })).toEqual([conflict]);
      await objects.remove(id, names, { manager: "two" });
      await objects.remove(id, names, { manager: "two" });
      expect(await apply("one", "refuse", { a: "1" })).toEqual([]);
    });

    /** Pods of a Deployment of ours as the backend tells of them. */
    const replicas = async (name: string): Promise<PodFacts[]> =>
      ((await backend.pods?.(id)) ?? []).filter(
        ({ namespace, labels }) => namespace === "default" && labels.app === name,
      );
    /** Makes a Deployment, or changes it, and waits for its pods. */
    const deploy = async (name: string, count: number, container: object = {}): Promise<PodFacts[]> => {
      const labels = { app: name };
      const spec = {
        replicas: count,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: "app", image: SERVER_IMAGE, ...container }],
          },
        },
      };
      const object = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace: "default" }, spec };
      await backend.objects?.apply(id, [{ resource: "deployments.apps", object }], {
        manager: "contract",
        mode: "take",
      });
      await until(async () => {
        const pods = await replicas(name);
        return pods.length === count && pods.every(({ ready }) => ready);
      });
      return replicas(name);
    };
    const until = async (done: () => Promise<boolean>, limitMs = 600_000): Promise<void> => {
      for (let passedMs = 0; passedMs < limitMs && !(await done()); passedMs += 2_000) await under.pass(2_000);
      expect(await done()).toBe(true);
    };
    const undeploy = async (name: string): Promise<void> => {
      const names = [{ resource: "deployments.apps", namespace: "default", name }];
      await backend.objects?.remove(id, names, { manager: "contract" });
      await until(async () => (await replicas(name)).length === 0);
    };
    const impair = async (wrong: Partial<Impairments>): Promise<void> =>
      backend.impair?.(id, { ...NOTHING_WRONG, ...wrong });

    test("tells of pods: where they are, how they fare, and whose they are", async () => {
      if (!backend.pods) return;
      const pods = await deploy("web", 3);
      const zoneOf = new Map(nodes.map(({ name, zone: at }) => [name, at]));
      for (const pod of pods)
        expect(pod).toMatchObject({
          phase: "Running",
          terminating: false,
          zone: zoneOf.get(pod.nodeName ?? ""),
          workload: { kind: "Deployment", name: "web" },
        });
    });

    test("ends pods: with grace, at once, by a crash, and for their memory", async () => {
      if (!backend.endPods) return;
      const [one, two] = (await deploy("web", 3)) as [PodFacts, PodFacts, PodFacts];
      const uids = async (): Promise<string[]> => (await replicas("web")).map(({ uid }) => uid);
      await backend.endPods(id, [one, { namespace: "default", name: "nobody" }], "delete");
      await until(async () => !(await uids()).includes(one.uid));
      await backend.endPods(id, [two], "kill");
      expect(await uids()).not.toContain(two.uid);
      await until(async () => (await replicas("web")).filter(({ ready }) => ready).length === 3);
      for (const how of ["crash", "oom"] as const) {
        const before = await replicas("web");
        await backend.endPods(id, before, how);
        await until(async () => (await replicas("web")).some(({ ready }) => !ready), 30_000).catch(() => undefined);
        await until(async () => (await replicas("web")).every(({ ready }) => ready));
        // The same pods: their kubelets have started them again.
        expect((await uids()).sort()).toEqual(before.map(({ uid }) => uid).sort());
      }
    });

    test("lets chosen pods crash again and again, and others be unready, until it is told otherwise", async () => {
      if (!backend.impair) return;
      const [one, two, three] = (await deploy("web", 3)) as [PodFacts, PodFacts, PodFacts];
      const unready = async (): Promise<string[]> =>
        (await replicas("web")).flatMap(({ name, ready }) => (ready ? [] : name));
      await impair({
        pods: [
          { namespace: "default", name: one.name, trouble: "crash-loop" },
          { namespace: "default", name: two.name, trouble: "not-ready" },
        ],
      });
      await under.pass(60_000);
      await until(async () => (await unready()).sort().join() === [one.name, two.name].sort().join());
      expect((await replicas("web")).map(({ name }) => name)).toContain(three.name);
      await impair({});
      await until(async () => (await unready()).length === 0);
      await undeploy("web");
    });

    test("reports what is found wrong with a node, and unsays it", async () => {
      if (!backend.impair) return;
      const condition = { type: "NetworkingReady", reason: "IPAMDNotRunning" };
      await impair({ nodes: { [first.name]: { conditions: [condition] } } });
      await within(30_000, () => expect(lastOf(first.name)).toMatchObject({ ready: true, unhealthy: [condition] }));
      await impair({ nodes: {} });
      await within(30_000, () => expect(lastOf(first.name)?.unhealthy).toEqual([]));
    });

    test("evicts pods from a node that is short of memory, and lets new ones go elsewhere", async () => {
      if (!backend.impair) return;
      const before = await deploy("web", 6);
      const victims = before.filter(({ nodeName }) => nodeName === first.name).map(({ uid }) => uid);
      expect(victims.length).toBeGreaterThan(0);
      await impair({ nodes: { [first.name]: { pressures: ["MemoryPressure"] } } });
      await until(async () => {
        const pods = await replicas("web");
        const well = pods.filter(({ ready }) => ready);
        return well.length === 6 && well.every(({ nodeName }) => nodeName !== first.name);
      });
      // Memory is not what node repair looks at, and the node goes on.
      expect(lastOf(first.name)).toMatchObject({ ready: true });
      await impair({});
      await under.pass(360_000);
      await undeploy("web");
    });

    test("pulls no images that their registry does not give, and starts what is there already", async () => {
      if (!backend.impair) return;
      await deploy("web", 3);
      const wrong = { imagePulls: { images: [`${OTHER_IMAGE.split(":")[0]}*`] } };
      await impair({ nodes: Object.fromEntries(nodes.map(({ name }) => [name, wrong])) });
      const labels = { app: "new" };
      const object = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "new", namespace: "default", labels },
        spec: { containers: [{ name: "app", image: OTHER_IMAGE }] },
      };
      await backend.objects?.apply(id, [{ resource: "pods", object }], { manager: "contract", mode: "take" });
      await deploy("web", 4);
      await under.pass(30_000);
      expect(await replicas("new")).toMatchObject([{ phase: "Pending", ready: false }]);
      await impair({});
      await until(async () => (await replicas("new")).every(({ ready }) => ready));
      await backend.endPods?.(id, await replicas("new"), "kill");
      await undeploy("web");
    });

    test("counts the replicas of Deployments", async () => {
      const names = ["coredns", "nothing"].map((name) => ({
        resource: "deployments.apps",
        namespace: "kube-system",
        name,
      }));
      expect(await backend.objects?.replicas(id, names, { manager: "eks" })).toEqual({
        missing: ["nothing"],
        lacking: [],
      });
    });

    test("drains a node until only what belongs to every node is left", async () => {
      let { remainingPods } = await backend.drainNode(id, second.name);
      for (let turn = 0; turn < 30 && remainingPods.length > 0; turn++) {
        await under.pass(5_000);
        ({ remainingPods } = await backend.drainNode(id, second.name));
      }
      expect(remainingPods).toEqual([]);
      await backend.patchNode(id, second.name, { unschedulable: false });
    });

    test("reports nodes that are stopped or without power as not Ready after Kubernetes' grace, and Ready again with power", async () => {
      const both = [second, third];
      await backend.setNodePower(id, second.name, "off");
      await backend.setNodePower(id, third.name, "stopped");
      await under.pass(30_000);
      for (const { name } of both) expect(lastOf(name)?.ready).toBe(true);
      await within(30_000, () => {
        for (const { name } of both) expect(lastOf(name)).toMatchObject({ ready: false, present: true });
      });
      for (const { name } of both) await backend.setNodePower(id, name, "running");
      await within(30_000, () => {
        for (const { name } of both) expect(lastOf(name)).toMatchObject({ ready: true, present: true });
      });
    });

    test("reports a node whose kubelet is silent as not Ready after the same grace, and hears of it again with its pods", async () => {
      const before = await deploy("web", 3);
      await backend.setNodePower(id, third.name, "silent");
      await backend.setNodePower(id, third.name, "silent");
      await under.pass(30_000);
      expect(lastOf(third.name)?.ready).toBe(true);
      await within(30_000, () => expect(lastOf(third.name)).toMatchObject({ ready: false, present: true }));
      await backend.setNodePower(id, third.name, "running");
      await within(30_000, () => expect(lastOf(third.name)).toMatchObject({ ready: true, present: true }));
      const uids = (pods: readonly PodFacts[]): string[] => pods.map(({ uid }) => uid).sort();
      await until(async () => (await replicas("web")).every(({ ready }) => ready));
      expect(uids(await replicas("web"))).toEqual(uids(before));
      await undeploy("web");
    });

    const lost = (...zones: string[]): LinkImpairment[] =>
      zones.flatMap((one) =>
        ZONES.filter((other) => other !== one).flatMap((other) => [
          { from: { zone: one }, to: { zone: other }, cut: true },
          { from: { zone: other }, to: { zone: one }, cut: true },
        ]),
      );

    test("reports the nodes of a zone that is cut off as not Ready while the API stays, and Ready once it is healed", async () => {
      if (!backend.impair) return;
      for (const links of [lost(third.zone), lost(third.zone).filter(({ to }) => to.zone === third.zone)]) {
        await impair({ links });
        await under.pass(30_000);
        expect(lastOf(third.name)?.ready).toBe(true);
        await within(40_000, () => expect(lastOf(third.name)).toMatchObject({ ready: false, present: true }));
        expect([first, second].map(({ name }) => lastOf(name)?.ready)).toEqual([true, true]);
        expect((await backend.summary(id)).apiAvailable).toBe(true);
        await impair({});
        await within(40_000, () => expect(lastOf(third.name)).toMatchObject({ ready: true, present: true }));
      }
    });

    test("loses its API when no zone reaches another, and has it back with the network", async () => {
      if (!backend.impair) return;
      await impair({ links: lost(...ZONES) });
      await under.pass(5_000);
      expect((await backend.summary(id)).apiAvailable).toBe(false);
      await expect(backend.patchNode(id, first.name, { labels: { a: "b" } })).rejects.toMatchObject({
        code: "unavailable",
      });
      await impair({});
      await within(60_000, async () => {
        expect((await backend.summary(id)).apiAvailable).toBe(true);
        for (const { name } of nodes) expect(lastOf(name)).toMatchObject({ ready: true });
      });
    });

    test("has an API server that throttles and fails clients, but not health checks, until it is told otherwise", async () => {
      if (!backend.impair) return;
      const made = await backend.createCluster(contractSpec);
      const ask = (path: string) => httpsCaller(made.port, made.certificateAuthority)(path, { token: "" });
      expect((await ask("/version")).code).toBe(200);
      await impair({ apiServer: { throttledPercent: 100 } });
      // A load balancer may take a moment to send clients elsewhere.
      const hears = (answer: object): Promise<void> =>
        within(10_000, async () => expect(await ask("/version")).toMatchObject(answer));
      await hears({ code: 429, headers: { "retry-after": "1" } });
      expect((await ask("/readyz")).code).toBe(200);
      await impair({ apiServer: { failedPercent: 100 } });
      await hears({ code: 500 });
      await impair({});
      await hears({ code: 200 });
    });

    test("reaches no webhook during an outage, which is for its failure policy to judge", async () => {
      const { objects } = backend;
      if (!backend.impair || !objects) return;
      const server = await startWebhookServer(["127.0.0.1"]);
      server.handlers["/"] = allow;
      const named = (failurePolicy: string): ClusterObject => ({
        resource: "validatingwebhookconfigurations.admissionregistration.k8s.io",
        object: {
          apiVersion: "admissionregistration.k8s.io/v1",
          kind: "ValidatingWebhookConfiguration",
          metadata: { name: "contract" },
          webhooks: [
            {
              name: "contract.example.com",
              rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] }],
              clientConfig: { url: `https://127.0.0.1:${server.port}/`, caBundle: server.caBundle },
              sideEffects: "None",
              admissionReviewVersions: ["v1"],
              failurePolicy,
            },
          ],
        },
      });
      const apply = (...list: ClusterObject[]) => objects.apply(id, list, { manager: "contract", mode: "take" });
      const secret = (name: string): ClusterObject => ({
        resource: "secrets",
        object: { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "default" } },
      });
      try {
        await apply(named("Fail"), secret("one"));
        expect(server.seen.length).toBeGreaterThan(0);
        await impair({ webhooks: { names: ["contract*"], mode: "refused" } });
        await expect(apply(secret("two"))).rejects.toThrow(
          /failed calling webhook "contract.example.com": failed to call webhook: .*connection refused/,
        );
        await apply(named("Ignore"), secret("two"));
        await impair({});
        await apply(named("Fail"), secret("three"));
      } finally {
        const names = ["one", "two", "three"].map((name) => ({ resource: "secrets", namespace: "default", name }));
        await objects.remove(id, [...names, { resource: named("").resource, name: "contract" }], {
          manager: "contract",
        });
        await server.close();
      }
    });

    test("lets the Node of a terminated machine go", async () => {
      await backend.removeNode(id, third.name, { graceful: false });
      await backend.removeNode(id, third.name, { graceful: false });
      await within(120_000, async () => {
        expect(lastOf(third.name)).toMatchObject({ present: false });
        expect((await zone("us-east-1c"))?.nodes).toBe(0);
      });
    });

    test("keeps its API with one master down, loses it with two, and has it back", async () => {
      await backend.setMember(id, "master-1", "down");
      expect((await backend.summary(id)).apiAvailable).toBe(true);
      expect(seen).toContainEqual({ kind: "member", memberId: "master-1", state: "down" });
      await backend.setMember(id, "master-2", "down");
      expect((await backend.summary(id)).apiAvailable).toBe(false);
      await expect(backend.patchNode(id, first.name, { labels: { a: "b" } })).rejects.toMatchObject({
        code: "unavailable",
      });
      await backend.setMember(id, "master-2", "up");
      await backend.patchNode(id, first.name, { labels: { a: "b" } });
    });

    test("replaces a lost master, maybe in another zone", async () => {
      await backend.replaceMember(id, "master-1", { id: "master-4", zone: "us-east-1b" });
      expect((await zone("us-east-1b"))?.membersUp).toBe(2);
      expect((await zone("us-east-1a"))?.members).toBe(0);
    });

    test("serves a new version after an upgrade", async () => {
      await backend.upgradeControlPlane(id, "1.36");
      await expect(backend.upgradeControlPlane("nobody", "1.36")).rejects.toMatchObject({ code: "missing" });
    });

    test("trusts the certificate authorities that it is told, keeping those it has", async () => {
      if (!backend.setAuthorities) return;
      const one = await backend.setAuthorities(id, { trusted: ["first"], signing: "first" });
      const two = await backend.setAuthorities(id, { trusted: ["first", "second"], signing: "first" });
      expect(two.certificates.first).toBe(one.bundle);
      expect(two.bundle).toBe(`${one.bundle}${two.certificates.second}`);
      const turned = await backend.setAuthorities(id, { trusted: ["first", "second"], signing: "second" });
      expect(turned.certificates).toEqual(two.certificates);
      expect(await backend.setAuthorities(id, { trusted: ["second"], signing: "second" })).toEqual({
        bundle: two.certificates.second,
        certificates: { second: two.certificates.second },
      });
    });

    test("tells what decides whether it is ready for another version", async () => {
      const facts = await backend.upgradeFacts?.(id);
      if (!facts) return;
      expect(facts.nodes.map(({ name }) => name)).toEqual(expect.arrayContaining([first.name, second.name]));
      for (const { kubeletVersion } of facts.nodes) expect(kubeletVersion).toMatch(/^v1\.36\./);
    });

    test("knows which APIs coming versions do not serve any more, whether or not somebody asks for them", async () => {
      const facts = await backend.upgradeFacts?.(id);
      if (!facts) return;
      expect(facts.removedApis.map(({ usage }) => usage)).toContain(
        "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas",
      );
    });

    test("is adopted by the next process with its nodes, endpoint and authority unchanged", async () => {
      if (!under.restarted) return;
      const before = await backend.createCluster(contractSpec);
      backend = await under.restarted();
      const spec = { ...contractSpec, port: before.port, members: [{ id: "master-2", zone: "us-east-1b" }] };
      const { missingNodes, ...after } = await backend.adoptCluster(spec, [first, second]);
      expect(after).toEqual(before);
      expect(missingNodes).toEqual([]);
      seen.length = 0;
      backend.observe(id, (observation) => seen.push(observation));
      await within(60_000, () => {
        for (const { name } of [first, second]) expect(lastOf(name)).toMatchObject({ ready: true, present: true });
      });
    });

    test("leaves nothing of a deleted cluster", async () => {
      await backend.deleteCluster(id);
      await backend.deleteCluster(id);
      expect(await backend.inventory()).not.toContain(id);
    });
  });
}
