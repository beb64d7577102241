import { beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { newCertificateRequest } from "../auth/new-certificate-request.js";
import { tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { connectSteps } from "./client.js";

/** What the conformance suite does with services, volumes and certificate requests, step by step and over HTTPS, with all controllers at work. */
const CORE = "/api/v1/namespaces/default";

let cluster: SimulatedCluster;
let clock: SteppedClock;
type Steps = Awaited<ReturnType<typeof connectSteps>>;
let client: Steps["client"];
let ok: Steps["ok"];
let post: Steps["post"];
let put: Steps["put"];
let merge: Steps["merge"];
let strategic: Steps["strategic"];

beforeEach(async () => {
  const tls = makeCertificates();
  const loadBalancers = { serves: () => true, ingressOf: () => [{ hostname: "lb.example.com" }] };
  ({ cluster, clock } = await startSimulated({ tls, loadBalancers, ...tokenUsers }));
  ({ client, ok, post, put, merge, strategic } = await connectSteps(cluster, clock, tls.caCert));
  for (const index of [0, 1]) await cluster.addNode(nodeSpec(index));
  await clock.advance(10_000);
});

describe("the certificates API", () => {
  it("takes the whole life of a request of a foreign signer", async () => {
    const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const signerName = "example.com/e2e-certificates";
    const { request } = newCertificateRequest({ commonName: "e2e.example.com", dnsNames: ["e2e.example.com"] });
    const template = {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { generateName: "e2e-example-csr-" },
      spec: {
        request,
        signerName,
        expirationSeconds: 3600,
        usages: ["digital signature", "key encipherment", "server auth"],
      },
    };
    await post(path, template);
    await post(path, template);
    const created = await post(path, template);
    const one = `${path}/${created.metadata.name}`;
    expect((await ok(one)).spec.expirationSeconds).toBe(3600);
    const selected = `${path}?fieldSelector=spec.signerName%3D${encodeURIComponent(signerName)}`;
    expect((await ok(selected)).items).toHaveLength(3);
    const patched = await merge(one, { metadata: { annotations: { patched: "true" } } });
    const updated = await put(one, {
      ...patched,
      metadata: { ...patched.metadata, annotations: { patched: "true", updated: "true" } },
    });
    expect(updated.metadata.annotations.updated).toBe("true");
    expect((await ok(`${one}/approval`)).metadata.uid).toBe(created.metadata.uid);
    const approval = await merge(`${one}/approval`, {
      metadata: { annotations: { patchedapproval: "true" } },
      status: { conditions: [{ type: "ApprovalPatch", status: "True", reason: "e2e" }] },
    });
    expect([approval.status.conditions.length, approval.metadata.annotations.patchedapproval]).toEqual([1, "true"]);
    const approved = await put(`${one}/approval`, {
      ...approval,
      status: {
        conditions: [
          ...approval.status.conditions,
          { type: "Approved", status: "True", reason: "E2E", message: "Set from an e2e test" },
        ],
      },
    });
    expect(approved.status.conditions.map(({ type }: { type: string }) => type)).toEqual(["ApprovalPatch", "Approved"]);
    expect((await ok(`${one}/status`)).kind).toBe("CertificateSigningRequest");
    const certificate = Buffer.from(makeCertificates().caCert).toString("base64");
    const status = await merge(`${one}/status`, {
      metadata: { annotations: { patchedstatus: "true" } },
      status: { certificate },
    });
    expect([status.status.certificate, status.metadata.annotations.patchedstatus]).toEqual([certificate, "true"]);
    const last = { type: "StatusUpdate", status: "True", reason: "E2E", message: "Set from an e2e test" };
    const conditions = [...status.status.conditions, last];
    const final = await put(`${one}/status`, { ...status, status: { ...status.status, conditions } });
    expect(final.status.conditions.at(-1).type).toBe("StatusUpdate");
    expect(final.status.conditions).toHaveLength(3);
    await ok(one, { method: "DELETE" });
    expect((await client.call(one)).code).toBe(404);
    expect((await ok(selected)).items).toHaveLength(2);
    await ok(selected, { method: "DELETE" });
    expect((await ok(selected)).items).toEqual([]);
  });
});

describe("services", () => {
  it("complete a status lifecycle, and go as a collection", async () => {
    const path = `${CORE}/services`;
    const create = (name: string, type: string) =>
      post(path, {
        metadata: { name, labels: { "test-service-static": "true" } },
        spec: { type, ports: [{ name: "http", port: 80, targetPort: 80 }] },
      });
    const one = `${path}/test-service`;
    await create("test-service", "LoadBalancer");
    expect((await ok(`${one}/status`)).status).toEqual({ loadBalancer: {} });
    const patched = await merge(`${one}/status`, {
      metadata: { annotations: { patchedstatus: "true" } },
      status: { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } },
    });
    expect(patched.status.loadBalancer.ingress).toEqual([{ ip: "203.0.113.1", ipMode: "VIP" }]);
    const present = await ok(one);
    const condition = { type: "StatusUpdate", status: "True", reason: "E2E", message: "Set from e2e test" };
    const updated = await put(`${one}/status`, {
      ...present,
      status: { ...present.status, conditions: [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }] },
    });
    expect(updated.status.conditions[0]).toMatchObject(condition);
    const labelled = await strategic(one, { metadata: { labels: { "test-service": "patched" } } });
    expect(labelled.metadata.labels["test-service"]).toBe("patched");
    await create("other", "ClusterIP");
    await ok(`${path}?labelSelector=test-service-static%3Dtrue`, { method: "DELETE" });
    await clock.advance(2000);
    expect((await ok("/api/v1/services?labelSelector=test-service-static%3Dtrue")).items).toEqual([]);
  });

  it("have Endpoints and slices for pods by number and by name of a port, also after the slices were deleted", async () => {
    const pod = (name: string, ports: unknown[]) =>
      post(`${CORE}/pods`, {
        metadata: { name, labels: { [name]: "on", shared12: "on" } },
        spec: { containers: [{ name: "container1", image: "nginx", ports }] },
      });
    await pod("pod1", [{ name: "example-name", containerPort: 3000 }]);
    await pod("pod2", [
      { name: "example-name", containerPort: 3001 },
      { name: "other-port", containerPort: 3002 },
    ]);
    const service = (name: string, selector: unknown, targetPort: unknown) =>
      post(`${CORE}/services`, {
        metadata: { name },
        spec: {
          selector,
          publishNotReadyAddresses: true,
          ports: [{ name: "http", port: 80, targetPort, protocol: "TCP" }],
        },
      });
    await service("example-int-port", { pod1: "on" }, 3000);
    await service("example-named-port", { shared12: "on" }, "example-name");
    await service("example-no-match", { pod3: "on" }, 8080);
    await clock.advance(10_000);
    const slicesPath = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    const selected = (name: string) => `${slicesPath}?labelSelector=kubernetes.io%2Fservice-name%3D${name}`;
    const ports = async (name: string): Promise<unknown> => {
      const slices = (await ok(selected(name))).items as { ports?: { port: number }[]; endpoints: unknown[] }[];
      const { subsets = [] } = await ok(`${CORE}/endpoints/${name}`);
      return {
        subsets: subsets.map((subset: { ports: { port: number }[] }) => subset.ports[0]?.port).sort(),
        slices: slices.map(({ ports, endpoints }) => [ports?.[0]?.port, endpoints.length]).sort(),
      };
    };
    const named = {
      subsets: [3000, 3001],
      slices: [
        [3000, 1],
        [3001, 1],
      ],
    };
    expect(await ports("example-int-port")).toEqual({ subsets: [3000], slices: [[3000, 1]] });
    expect(await ports("example-named-port")).toEqual(named);
    expect(await ports("example-no-match")).toEqual({ subsets: [], slices: [[undefined, 0]] });
    await ok(selected("example-named-port"), { method: "DELETE" });
    await clock.advance(1000);
    expect(await ports("example-named-port")).toEqual(named);
    await ok(`${CORE}/services/example-no-match`, { method: "DELETE" });
    await clock.advance(5000);
    expect((await client.call(`${CORE}/endpoints/example-no-match`)).code).toBe(404);
    expect((await ok(selected("example-no-match"))).items).toEqual([]);
  });

  it("reserve addresses for others as IPAddress objects, which nobody takes away", async () => {
    const path = "/apis/networking.k8s.io/v1/ipaddresses";
    const parentRef = { group: "mygroup", resource: "myresources", namespace: "foo", name: "bar" };
    const create = (name: string, type: string) =>
      post(path, { metadata: { name, labels: { type } }, spec: { parentRef } });
    await create("255.255.255.255", "broadcast");
    await create("fe80::42:1dff:fe84:f9e2", "link-local");
    await clock.advance(60_000);
    const patched = await merge(`${path}/255.255.255.255`, { metadata: { annotations: { patched: "true" } } });
    await put(`${path}/255.255.255.255`, {
      ...patched,
      metadata: { ...patched.metadata, annotations: { updated: "true" } },
    });
    expect((await ok(`${path}?labelSelector=type%3Dbroadcast`)).items).toHaveLength(1);
    await ok(`${path}/255.255.255.255`, { method: "DELETE" });
    await ok(`${path}?labelSelector=type%3Dlink-local`, { method: "DELETE" });
    expect((await ok(`${path}?labelSelector=type%3Dlink-local`)).items).toEqual([]);
    expect((await ok("/apis/networking.k8s.io/v1/servicecidrs/kubernetes/status")).kind).toBe("ServiceCIDR");
  });
});

describe("volumes and claims", () => {
  it("run through their lives, and keep what others write into their status", async () => {
    const volumes = "/api/v1/persistentvolumes";
    const claims = `${CORE}/persistentvolumeclaims`;
    const pair = async (name: string) => {
      await post(volumes, {
        metadata: { name: `pv-${name}`, labels: { pool: "e2e" } },
        spec: {
          accessModes: ["ReadWriteOnce"],
          capacity: { storage: "2Gi" },
          storageClassName: "e2e",
          persistentVolumeReclaimPolicy: "Retain",
          csi: { driver: "e2e-driver-1", volumeHandle: "e2e-conformance" },
        },
      });
      await post(claims, {
        metadata: { name: `pvc-${name}` },
        spec: { accessModes: ["ReadWriteOnce"], storageClassName: "e2e", resources: { requests: { storage: "2Gi" } } },
      });
    };
    await pair("a");
    const label = (path: string) => strategic(path, { metadata: { labels: { state: "patched" } } });
    await label(`${volumes}/pv-a`);
    await label(`${claims}/pvc-a`);
    const condition = {
      type: "StatusPatched",
      status: "True",
      reason: "E2E patchedStatus",
      message: "Set from e2e test",
    };
    const patched = await merge(`${claims}/pvc-a/status`, { status: { conditions: [condition] } });
    expect(patched.status.conditions).toEqual([expect.objectContaining(condition)]);
    const written = { message: "StatusPatched", reason: "E2E patchStatus" };
    expect((await merge(`${volumes}/pv-a/status`, { status: written })).status).toMatchObject(written);
    const claim = await ok(`${claims}/pvc-a`);
    const more = { ...condition, type: "StatusUpdated" };
    const updated = await put(`${claims}/pvc-a/status`, {
      ...claim,
      status: { ...claim.status, conditions: [...claim.status.conditions, more] },
    });
    expect(updated.status.conditions.map(({ type }: { type: string }) => type)).toEqual([
      "StatusPatched",
      "StatusUpdated",
    ]);
    const volume = await ok(`${volumes}/pv-a`);
    expect(volume.status).toMatchObject({ phase: "Bound", ...written });
    const again = await put(`${volumes}/pv-a/status`, {
      ...volume,
      status: { ...volume.status, message: "StatusUpdated" },
    });
    expect(again.status.message).toBe("StatusUpdated");
    await ok(`${claims}/pvc-a`, { method: "DELETE" });
    await clock.advance(1000);
    expect((await ok(claims)).items).toEqual([]);
    await ok(`${volumes}/pv-a`, { method: "DELETE" });
    await clock.advance(1000);
    expect((await ok(`${volumes}?labelSelector=pool%3De2e`)).items).toEqual([]);
    await pair("b");
    await label(`${claims}/pvc-b`);
    await ok(`${claims}?labelSelector=state%3Dpatched`, { method: "DELETE" });
    await ok(`${volumes}?labelSelector=pool%3De2e`, { method: "DELETE" });
    await clock.advance(1000);
    expect([(await ok(claims)).items, (await ok(volumes)).items]).toEqual([[], []]);
  });
});
