import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { issueAuthority, issueServerCertificate } from "../../../src/kubernetes/pki/certificates.js";
import { connect, tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { startSimulated } from "../simulated-cluster.js";

const NAME = "v1alpha1.wardle.example.com";
const RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: "wardle.example.com/v1alpha1",
  resources: [
    { name: "flunders", singularName: "flunder", namespaced: true, kind: "Flunder", verbs: ["get", "list", "create"] },
    { name: "flunders/status", singularName: "", namespaced: true, kind: "Flunder", verbs: ["get"] },
  ],
};

interface Seen {
  method: string;
  url: string;
  headers: NodeJS.Dict<string | string[]>;
  client: string | undefined;
  body: string;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** An extension API server: flunders, kept nowhere. */
async function startExtension(clientCa: string) {
  const nowMs = Date.now();
  const authority = issueAuthority("wardle-ca", nowMs);
  const leaf = issueServerCertificate({
    authority,
    authorityName: "wardle-ca",
    commonName: "api.wardle.svc",
    names: ["api.wardle.svc"],
    nowMs,
  });
  const seen: Seen[] = [];
  const server = createServer(
    { cert: leaf.certificate, key: leaf.key, ca: clientCa, requestCert: true },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const client = (request.socket as TLSSocket).getPeerCertificate().subject?.CN as string | undefined;
        const body = Buffer.concat(chunks).toString();
        seen.push({ method, url, headers, client, body });
        const json = (code: number, content: object) =>
          response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(content));
        if (url === "/apis/wardle.example.com/v1alpha1") json(200, RESOURCES);
        else if (method === "POST") json(201, JSON.parse(body));
        else json(200, { kind: "FlunderList", apiVersion: "wardle.example.com/v1alpha1", metadata: {}, items: [] });
      });
    },
  );
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  closing.push(close);
  const { port } = server.address() as AddressInfo;
  return { port, seen, close, caBundle: Buffer.from(authority.certificate).toString("base64") };
}

describe("an aggregated API", () => {
  it("is found available, listed in discovery, and asked in the user's name; 503 and why when it has gone", async () => {
    const tls = makeCertificates();
    const { cluster, clock } = await startSimulated({ tls, ...tokenUsers });
    const extension = await startExtension(tls.caCert);
    const client = await connect(cluster, tls.caCert);
    const { api } = cluster;
    const available = () =>
      api
        .get<
          KubeObject & { status?: { conditions?: { type: string; status: string; reason: string; message: string }[] } }
        >("apiservices.apiregistration.k8s.io", { name: NAME })
        ?.status?.conditions?.find(({ type }) => type === "Available");
    await api.create("namespaces", { metadata: { name: "wardle" } } as never);
    await api.create("apiservices.apiregistration.k8s.io", {
      metadata: { name: NAME },
      spec: {
        group: "wardle.example.com",
        version: "v1alpha1",
        groupPriorityMinimum: 2000,
        versionPriority: 200,
        caBundle: extension.caBundle,
        service: { namespace: "wardle", name: "api" },
      },
    } as never);
    await clock.advance(1000);
    expect(available()).toMatchObject({
      status: "False",
      reason: "ServiceNotFound",
      message: 'service/api in "wardle" is not present',
    });
    const path = "/apis/wardle.example.com/v1alpha1/namespaces/default/flunders";
    expect(await client.call(path)).toMatchObject({ code: 503, text: "service unavailable\n" });

    const service = await api.create("services", {
      metadata: { name: "api", namespace: "wardle" },
      spec: { ports: [{ port: 443 }] },
    } as never);
    await clock.advance(1000);
    expect(available()?.reason).toMatch(/EndpointsNotFound|MissingEndpoints/);
    const annotations = { "eksim.dev/host-endpoint": `https://127.0.0.1:${extension.port}` };
    await api.update("services", { ...service, metadata: { ...service.metadata, annotations } });
    await clock.advance(1000);
    expect(available()).toMatchObject({ status: "True", reason: "Passed", message: "all checks passed" });
    expect(extension.seen[0]).toMatchObject({
      client: "front-proxy-client",
      headers: { "x-remote-user": "system:kube-aggregator", "x-remote-group": "system:masters" },
    });

    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const discovery = await client.call("/apis", { headers: { accept } });
    const group = discovery.body.items.find(({ metadata }: KubeObject) => metadata.name === "wardle.example.com");
    expect(group.versions[0].resources[0]).toMatchObject({
      resource: "flunders",
      subresources: [{ subresource: "status" }],
    });
    expect((await client.call("/apis/wardle.example.com")).body.versions).toHaveLength(1);
    expect((await client.call("/apis/wardle.example.com/v1alpha1")).body).toEqual(RESOURCES);

    const flunder = { kind: "Flunder", metadata: { name: "f" } };
    const headers = { "x-remote-user": "somebody-else" };
    expect(await client.call(`${path}?dryRun=All`, { method: "POST", body: flunder, headers })).toMatchObject({
      code: 201,
      body: flunder,
    });
    const last = extension.seen.at(-1);
    expect(last).toMatchObject({ method: "POST", url: `${path}?dryRun=All`, body: JSON.stringify(flunder) });
    expect(last?.headers).toMatchObject({
      "x-remote-user": "admin",
      "x-remote-group": "system:masters, system:authenticated",
    });
    expect(last?.headers.authorization).toBeUndefined();
    expect((await client.call(path, { token: "nobody" })).code).toBe(403);

    extension.close();
    expect((await client.call(path)).text).toMatch(/^error trying to reach service: (dial tcp|EOF)/);
    await clock.advance(31_000);
    expect(available()).toMatchObject({ status: "False", reason: "FailedDiscoveryCheck" });
    expect(available()?.message).toContain("connect: connection refused");
    expect((await client.call("/apis/wardle.example.com")).code).toBe(404);
  });
});
