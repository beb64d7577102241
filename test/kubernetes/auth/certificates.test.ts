import { X509Certificate } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import type { CertificateSigningRequest } from "../../../src/kubernetes/schema/generated/types.js";
import { type Client, connect, tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { newCertificateRequest } from "./new-certificate-request.js";

const PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const HOUR_MS = 3_600_000;

let cluster: SimulatedCluster;
let clock: SteppedClock;
let client: Client;
const tls = makeCertificates();

beforeEach(async () => {
  ({ cluster, clock } = await startSimulated({ tls, servingSigners: ["example.com/serving"], ...tokenUsers }));
  client = await connect(cluster, tls.caCert);
});

const ask = (spec: Record<string, unknown>, name = "csr") =>
  client.call(PATH, {
    method: "POST",
    body: {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name },
      spec: {
        usages: ["client auth", "digital signature"],
        signerName: "kubernetes.io/kube-apiserver-client",
        ...spec,
      },
    },
  });
const read = (name = "csr") =>
  cluster.api.get<CertificateSigningRequest>("certificatesigningrequests.certificates.k8s.io", { name });
const condition = (type: string) => ({ type, status: "True", reason: "Test", message: "by the test" });

async function decide(type: string, name = "csr", token = "admin") {
  const { body } = await client.call(`${PATH}/${name}`);
  const reply = await client.call(`${PATH}/${name}/approval`, {
    method: "PUT",
    token,
    body: { ...body, status: { conditions: [...(body.status?.conditions ?? []), condition(type)] } },
  });
  await clock.settled();
  return reply;
}

/** PEM of the issued certificate. */
const issued = (name = "csr"): string => Buffer.from(read(name)?.status?.certificate ?? "", "base64").toString();

describe("certificates of the certificates API", () => {
  it("are issued after approval, authenticate their subject, and end by the cluster's clock", async () => {
    const { request, key } = newCertificateRequest({ commonName: "jane", organizations: ["devs", "testers"] });
    expect((await ask({ request, expirationSeconds: 3600 })).code).toBe(201);
    expect(read()?.spec).toMatchObject({ username: "admin", groups: ["system:masters", "system:authenticated"] });
    await clock.settled();
    expect(read()?.status?.certificate).toBeUndefined();
    await decide("Approved");
    expect(read()?.status?.conditions).toEqual([
      expect.objectContaining({
        type: "Approved",
        lastUpdateTime: expect.any(String),
        lastTransitionTime: expect.any(String),
      }),
    ]);
    const certificate = new X509Certificate(issued());
    expect(certificate.verify(new X509Certificate(tls.caCert).publicKey)).toBe(true);
    expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).toBe(HOUR_MS + 300_000);
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    const whoami = () =>
      client.call("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
        method: "POST",
        certificate: { cert: issued(), key },
        body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
      });
    const { userInfo } = (await whoami()).body.status;
    expect(userInfo).toMatchObject({ username: "jane", groups: ["devs", "testers", "system:authenticated"] });
    expect(userInfo.extra["authentication.kubernetes.io/credential-id"][0]).toMatch(/^X509SHA256=[0-9a-f]{64}$/);
    const pem = issued();
    await clock.advance(HOUR_MS + 1000);
    const late = await client.call("/version", { certificate: { cert: pem, key } });
    expect(late.code).toBe(401);
  });

  it("are refused with a reason where the signer's rules are broken, and untouched where nobody signs", async () => {
    const good = newCertificateRequest({ commonName: "jane" }).request;
    const bad = newCertificateRequest({ commonName: "jane", tampered: true }).request;
    const cases: [string, Record<string, unknown>, string | undefined][] = [
      ["usages", { request: good, usages: ["server auth"] }, "invalid usage for client certificate: server auth"],
      ["signature", { request: bad }, "unable to verify certificate request signature"],
      [
        "kubelet",
        { request: good, signerName: "kubernetes.io/kube-apiserver-client-kubelet" },
        "subject organization is not system:nodes",
      ],
      ["foreign", { request: good, signerName: "example.com/other" }, undefined],
    ];
    for (const [name, spec] of cases) {
      expect((await ask(spec, name)).code).toBe(201);
      await decide("Approved", name);
    }
    const failures = cases.map(
      ([name]) => read(name)?.status?.conditions?.find(({ type }) => type === "Failed")?.message,
    );
    expect(failures).toEqual(cases.map(([, , message]) => message));
    expect(cases.map(([name]) => read(name)?.status?.certificate)).toEqual(cases.map(() => undefined));
    const serving = newCertificateRequest({ commonName: "x", dnsNames: ["web.default.svc"] });
    await ask({ request: serving.request, signerName: "example.com/serving", usages: ["server auth"] }, "serving");
    await decide("Approved", "serving");
    expect(read("serving")?.status?.conditions).toHaveLength(1);
    expect(new X509Certificate(issued("serving")).subjectAltName).toBe("DNS:web.default.svc");
  });

  it("are approved by themselves for kubelets that may ask for them, and old requests go", async () => {
    const api = cluster.api;
    const role = "system:certificates.k8s.io:certificatesigningrequests:nodeclient";
    await api.create("clusterrolebindings.rbac.authorization.k8s.io", {
      metadata: { name: "bootstrappers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ kind: "Group", name: "system:bootstrappers", apiGroup: "rbac.authorization.k8s.io" }],
    });
    const { request } = newCertificateRequest({ commonName: "system:node:n1", organizations: ["system:nodes"] });
    const spec = {
      request,
      usages: ["client auth", "digital signature"],
      signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    };
    const as = (name: string, groups: string[]) => api.as({ username: name, groups }, "test");
    const resource = "certificatesigningrequests.certificates.k8s.io";
    await as("bootstrap", ["system:bootstrappers"]).create(resource, { metadata: { name: "kubelet" }, spec });
    await as("eve", []).create(resource, { metadata: { name: "eve" }, spec });
    await clock.settled();
    expect(read("kubelet")?.status?.conditions?.[0]).toMatchObject({
      reason: "AutoApproved",
      message: "Auto approving kubelet client certificate after SubjectAccessReview.",
    });
    expect(new X509Certificate(issued("kubelet")).subject).toBe("O=system:nodes\nCN=system:node:n1");
    expect(read("eve")?.status?.conditions).toBeUndefined();
    await clock.advance(HOUR_MS + 1000);
    expect([read("kubelet"), read("eve")].map(Boolean)).toEqual([false, true]);
    await clock.advance(24 * HOUR_MS);
    expect(read("eve")).toBeUndefined();
  });

  it("need the rights to approve and to sign upon the signer, and decisions stay", async () => {
    const { request } = newCertificateRequest({ commonName: "jane" });
    await ask({ request, signerName: "example.com/other" });
    const rules = [
      { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests/approval"], verbs: ["update"] },
    ];
    const rbac = "rbac.authorization.k8s.io";
    await cluster.api.create(`clusterroles.${rbac}`, { metadata: { name: "half" }, rules });
    await cluster.api.create(`clusterrolebindings.${rbac}`, {
      metadata: { name: "half" },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "half" },
      subjects: [{ kind: "User", name: "half", apiGroup: rbac }],
    });
    const refused = await decide("Approved", "csr", "half");
    expect([refused.code, refused.body.message]).toEqual([
      403,
      'certificatesigningrequests.certificates.k8s.io "csr" is forbidden: user not permitted to approve requests with signerName "example.com/other"',
    ]);
    expect((await decide("Approved")).code).toBe(200);
    const undone = await client.call(`${PATH}/csr/approval`, {
      method: "PATCH",
      headers: { "content-type": "application/merge-patch+json" },
      body: { status: { conditions: [] } },
    });
    expect([undone.code, undone.body.message]).toEqual([
      422,
      'CertificateSigningRequest.certificates.k8s.io "csr" is invalid: status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    ]);
    const masters = newCertificateRequest({ commonName: "jane", organizations: ["system:masters"] });
    expect((await ask({ request: masters.request }, "masters")).code).toBe(403);
    expect((await ask({ request: Buffer.from("nonsense").toString("base64") }, "nonsense")).body.message).toContain(
      "PEM block type must be CERTIFICATE REQUEST",
    );
    expect((await ask({ request, expirationSeconds: 10 }, "short")).code).toBe(422);
  });
});

describe("the node authorizer", () => {
  it("lets a kubelet read what its own pods need, and write what stands for itself", async () => {
    for (const index of [0, 1]) await cluster.addNode(nodeSpec(index));
    await clock.advance(5000);
    const { api } = cluster;
    for (const name of ["mounted", "other"]) {
      await api.create("secrets", { metadata: { name, namespace: "default" } });
      await api.create("configmaps", { metadata: { name, namespace: "default" } });
    }
    await api.create("pods", {
      metadata: { name: "p", namespace: "default" },
      spec: {
        nodeName: "node-0",
        containers: [{ name: "c", image: "nginx", envFrom: [{ configMapRef: { name: "mounted" } }] }],
        volumes: [
          { name: "v", secret: { secretName: "mounted" } },
          { name: "t", projected: { sources: [{ serviceAccountToken: { path: "t", audience: "a" } }] } },
        ],
      },
    });
    await clock.advance(5000);
    const kubelet = (index: number) => tls.clientCertificate(`system:node:node-${index}`, "system:nodes");
    const certificates = [kubelet(0), kubelet(1)] as const;
    const code = async (index: 0 | 1, path: string, method = "GET", body?: unknown): Promise<number> =>
      (await client.call(path, { method, body, certificate: certificates[index] })).code;
    const core = "/api/v1/namespaces/default";
    expect(await code(0, `${core}/secrets/mounted`)).toBe(200);
    expect(await code(0, `${core}/secrets/other`)).toBe(403);
    expect(await code(0, `${core}/secrets`)).toBe(403);
    expect(await code(1, `${core}/secrets/mounted`)).toBe(403);
    expect(await code(0, `${core}/configmaps/mounted`)).toBe(200);
    expect(await code(1, `${core}/configmaps/mounted`)).toBe(403);
    expect(await code(0, "/api/v1/nodes/node-0")).toBe(200);
    expect(await code(0, "/api/v1/nodes/node-1")).toBe(403);
    expect(await code(0, "/apis/storage.k8s.io/v1/csinodes/node-1")).toBe(403);
    expect(await code(0, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-0")).toBe(200);
    expect(await code(0, "/apis/apps/v1/deployments")).toBe(403);
    const pod = api.get("pods", { namespace: "default", name: "p" });
    const tokenFor = (uid: string | undefined, index: 0 | 1, audience = "a") =>
      code(index, `${core}/serviceaccounts/default/token`, "POST", {
        spec: { audiences: [audience], boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid } },
      });
    expect(await tokenFor(pod?.metadata.uid, 0)).toBe(201);
    expect(await tokenFor(pod?.metadata.uid, 0, "b")).toBe(403);
    expect(await tokenFor(undefined, 0)).toBe(403);
    expect(await tokenFor(pod?.metadata.uid, 1)).toBe(403);
    const labels = (value: Record<string, string>) =>
      client.call("/api/v1/nodes/node-0", {
        method: "PATCH",
        certificate: certificates[0],
        headers: { "content-type": "application/merge-patch+json" },
        body: { metadata: { labels: value } },
      });
    expect((await labels({ "example.com/a": "b" })).code).toBe(200);
    expect((await labels({ "node-role.kubernetes.io/control-plane": "" })).body.message).toBe(
      'nodes "node-0" is forbidden: is not allowed to modify labels: node-role.kubernetes.io/control-plane',
    );
  });
});
