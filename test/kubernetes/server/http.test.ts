import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { json } from "node:stream/consumers";
import { connect } from "node:tls";
import { createGunzip } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "./server-fixture.js";

type Server = Awaited<ReturnType<typeof startServer>>;

let server: Server;
let call: Server["call"];

beforeAll(async () => {
  server = await startServer({ real: true });
  call = server.call;
});

afterAll(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, data: Record<string, string> = { a: "1" }) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data,
});
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const deployment = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
  },
});

describe("refusals", () => {
  it("answers Status objects with the API server's codes and texts", async () => {
    const cases: [path: string, request: Parameters<typeof call>[1], code: number, message: string | RegExp][] = [
      [CONFIG_MAPS, { token: "bad" }, 401, "Unauthorized"],
      [CONFIG_MAPS, { token: "stranger" }, 401, "Unauthorized"],
      ["/api", { token: "" }, 403, 'forbidden: User "system:anonymous" cannot get path "/api"'],
      [
        CONFIG_MAPS,
        { token: "eve" },
        403,
        'configmaps is forbidden: User "eve" cannot list resource "configmaps" in API group "" in the namespace "default"',
      ],
      [
        `${DEPLOYMENTS}/web/scale`,
        { token: "eve", method: "PATCH" },
        403,
        'deployments.apps "web" is forbidden: User "eve" cannot patch resource "deployments/scale" in API group "apps" in the namespace "default"',
      ],
      [
        "/api/v1/nodes/n1",
        { token: "eve", method: "DELETE" },
        403,
        'nodes "n1" is forbidden: User "eve" cannot delete resource "nodes" in API group "" at the cluster scope',
      ],
      [`${CONFIG_MAPS}/none`, {}, 404, 'configmaps "none" not found'],
      ["/api/v1/namespaces/default/nonsense", {}, 404, "the server could not find the requested resource"],
      ["/apis/apps/v7/things", {}, 404, "the server could not find the requested resource"],
      ["/apis/apps/v7", {}, 404, "the server could not find the requested resource"],
      ["/api/v1/namespaces/default/nodes", {}, 404, "the server could not find the requested resource"],
      [`${CONFIG_MAPS}/a/status`, {}, 404, "the server could not find the requested resource"],
      [
        "/api/v1/configmaps",
        { method: "POST", body: configMap("a") },
        405,
        "the server does not allow this method on the requested resource",
      ],
      [
        CONFIG_MAPS,
        { method: "PUT", body: configMap("a") },
        405,
        "the server does not allow this method on the requested resource",
      ],
      [CONFIG_MAPS, { method: "OPTIONS" }, 405, "the server does not allow this method on the requested resource"],
      [`${CONFIG_MAPS}/%zz`, {}, 400, /percent-encoded/],
      [
        CONFIG_MAPS,
        { method: "POST", body: "{" },
        400,
        /^the object provided is unrecognized \(must be of type ConfigMap\)/,
      ],
      [
        CONFIG_MAPS,
        { method: "POST", body: { ...configMap("a"), apiVersion: "v2" } },
        400,
        /no kind "ConfigMap" is registered for version "v2" in scheme/,
      ],
      [
        CONFIG_MAPS,
        { method: "POST", body: configMap("a"), headers: { "content-type": "text/plain" } },
        415,
        /unknown format/,
      ],
      [`${CONFIG_MAPS}?labelSelector=a%20in`, {}, 400, /^unable to parse requirement: found '', expected: '\('/],
      [
        `${CONFIG_MAPS}?fieldSelector=data.a%3D1`,
        {},
        400,
        /"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"$/,
      ],
      ["/api/v1/pods?fieldSelector=spec.priority%3D1", {}, 400, /field label not supported: spec.priority$/],
      [
        `${CONFIG_MAPS}?continue=nonsense`,
        {},
        400,
        /^invalid continue token: continue key is not valid: invalid character/,
      ],
      [
        `${CONFIG_MAPS}?resourceVersion=abc`,
        {},
        400,
        /^invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax$/,
      ],
      [`${CONFIG_MAPS}?resourceVersion=99999`, {}, 504, /^Timeout: Too large resource version: 99999, current: \d+$/],
      [
        `${CONFIG_MAPS}?dryRun=x`,
        { method: "POST", body: configMap("a") },
        422,
        /dryRun: Unsupported value: \["x"\]: supported values: "All"$/,
      ],
      [
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        { method: "POST", body: {}, headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } },
        406,
        "only the following media types are accepted: application/json, application/yaml",
      ],
      ["/api/v1/namespaces/default/pods/p/exec", { method: "POST" }, 501, "this server cannot serve pods/exec"],
    ];
    for (const [path, request, code, message] of cases) {
      const reply = await call(path, request);
      expect([path, reply.code, reply.body?.kind, reply.body?.code]).toEqual([path, code, "Status", code]);
      if (typeof message === "string") expect(reply.body.message).toBe(message);
      else expect(reply.body.message).toMatch(message);
    }
  });

  it.each(["/nonsense", "/apis/nonsense/v1/things", "/apis/nonsense", "/logs", "/debug/pprof/", "/livez/nothing"])(
    "%s is a page that is not there, and no Status",
    async (path) => {
      for (const method of ["GET", "POST"]) {
        const { code, text, headers } = await call(path, { method });
        expect([code, text]).toEqual([404, "404 page not found\n"]);
        expect(headers).toMatchObject({
          "content-type": "text/plain; charset=utf-8",
          "x-content-type-options": "nosniff",
        });
      }
    },
  );

  it("takes long requests one after the other while its long answers are still on their way", async () => {
    await server.call(CONFIG_MAPS, { method: "POST", body: configMap("long") });
    const socket = connect({ port: server.port, rejectUnauthorized: false });
    let answers = "";
    socket.on("data", (chunk) => {
      answers += chunk;
    });
    const requests = 20;
    for (let i = 0; i < requests; i++) {
      const body = JSON.stringify({ data: { text: String(i).padEnd(24_000, "x") } });
      socket.write(
        `PATCH ${CONFIG_MAPS}/long HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin\r\ncontent-type: application/merge-patch+json\r\ncontent-length: ${body.length}\r\n${i === requests - 1 ? "connection: close\r\n" : ""}\r\n${body}`,
      );
    }
    await new Promise((resolve) => socket.on("close", resolve));
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(Array.from({ length: requests }, () => "HTTP/1.1 200"));
  });

  it("answers 400 to what is no HTTP", async () => {
    const socket = connect({ port: server.port, rejectUnauthorized: false });
    socket.end("NONSENSE\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  });

  it("takes bodies of up to 3 MiB", async () => {
    const reply = await call(CONFIG_MAPS, { method: "POST", body: Buffer.alloc(3 * 1024 * 1024 + 1, 32) });
    expect(reply).toMatchObject({ code: 413, body: { reason: "RequestEntityTooLarge" } });
  });
});

describe("identity", () => {
  it("takes a client certificate of the cluster's CA: CN is the user, O the groups", async () => {
    const certificate = server.certificates.clientCertificate("alice", "system:masters");
    expect((await call(CONFIG_MAPS, { token: "", certificate })).code).toBe(200);
    const other = server.certificates.clientCertificate("bob", "nobody");
    expect((await call(CONFIG_MAPS, { token: "", certificate: other })).body.message).toContain(
      'User "bob" cannot list',
    );
  });

  it("impersonates for those who may, and says who may not", async () => {
    const as = (token: string) => call(CONFIG_MAPS, { token, headers: { "impersonate-user": "zoe" } });
    expect((await as("admin")).body.message).toContain('User "zoe" cannot list resource "configmaps"');
    expect((await as("eve")).body.message).toBe(
      'users "zoe" is forbidden: User "eve" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
  });
});

describe("objects over HTTP", () => {
  it("creates, reads, replaces, patches and deletes", async () => {
    const created = await call(CONFIG_MAPS, { method: "POST", body: configMap("crud") });
    expect(created).toMatchObject({
      code: 201,
      body: { kind: "ConfigMap", metadata: { name: "crud", namespace: "default" } },
    });
    const replaced = await call(`${CONFIG_MAPS}/crud`, { method: "PUT", body: { ...created.body, data: { a: "2" } } });
    expect(replaced).toMatchObject({ code: 200, body: { data: { a: "2" } } });
    const stale = await call(`${CONFIG_MAPS}/crud`, { method: "PUT", body: { ...created.body, data: { a: "3" } } });
    expect(stale).toMatchObject({ code: 409, body: { reason: "Conflict" } });
    const merged = await call(`${CONFIG_MAPS}/crud`, {
      method: "PATCH",
      body: { data: { b: "3", a: null } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(merged.body.data).toEqual({ b: "3" });
    const jsonPatched = await call(`${CONFIG_MAPS}/crud`, {
      method: "PATCH",
      body: [{ op: "add", path: "/data/c", value: "4" }],
      headers: { "content-type": "application/json-patch+json" },
    });
    expect(jsonPatched.body.data).toEqual({ b: "3", c: "4" });
    const deleted = await call(`${CONFIG_MAPS}/crud`, { method: "DELETE" });
    expect(deleted).toMatchObject({
      code: 200,
      body: {
        kind: "Status",
        status: "Success",
        details: { name: "crud", kind: "configmaps", uid: created.body.metadata.uid },
      },
    });
    expect((await call(`${CONFIG_MAPS}/crud`)).code).toBe(404);
  });

  it("creates by PUT where upstream does, for those who may create", async () => {
    const path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/put";
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "put" }, spec: {} };
    const refused = await call(path, { method: "PUT", body: lease, token: "updater" });
    expect([refused.code, refused.body.message]).toEqual([
      403,
      'leases.coordination.k8s.io "put" is forbidden: User "updater" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "default"',
    ]);
    const created = await call(path, { method: "PUT", body: lease });
    expect(created).toMatchObject({ code: 201, body: { metadata: { name: "put" } } });
    expect((await call(path, { method: "PUT", body: created.body, token: "updater" })).code).toBe(200);
    await call(path, { method: "DELETE" });
    expect(await call(path, { method: "PUT", body: created.body })).toMatchObject({ code: 409 });
    expect((await call(`${CONFIG_MAPS}/put`, { method: "PUT", body: configMap("put") })).code).toBe(404);
  });

  it("records who owns which field, under the manager of the query or the User-Agent", async () => {
    const created = await call(CONFIG_MAPS, {
      method: "POST",
      body: configMap("owned"),
      headers: { "user-agent": "robot/1.0 (linux)" },
    });
    expect(created.body.metadata.managedFields).toMatchObject([
      { manager: "robot", operation: "Update", fieldsV1: { "f:data": { "f:a": {} } } },
    ]);
    const path = `${CONFIG_MAPS}/owned?fieldManager=kubectl-edit`;
    const patched = await call(path, {
      method: "PATCH",
      body: { data: { a: "2" } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(patched.body.metadata.managedFields.map(({ manager }: { manager: string }) => manager)).toEqual(
      ["kubectl-edit", "robot"].sort(),
    );
  });

  it("applies server-side: 201 for a new object, 200 afterwards, 409 with a cause for every conflict", async () => {
    const apply = (manager: string, replicas: number, force = false) =>
      call(`${DEPLOYMENTS}/applied?fieldManager=${manager}&force=${force}`, {
        method: "PATCH",
        body: { ...deployment("applied"), spec: { ...deployment("applied").spec, replicas } },
        headers: { "content-type": "application/apply-patch+yaml" },
      });
    expect((await apply("one", 1)).code).toBe(201);
    const again = await apply("one", 1);
    expect(again.code).toBe(200);
    const conflicting = await apply("two", 5);
    expect(conflicting).toMatchObject({
      code: 409,
      body: { reason: "Conflict", details: { causes: [{ reason: "FieldManagerConflict", field: ".spec.replicas" }] } },
    });
    expect((await apply("two", 5, true)).body.spec.replicas).toBe(5);
    expect((await apply("one", 1)).code).toBe(409);
  });

  it("warns of unknown fields, or refuses them when asked to be strict", async () => {
    const body = { ...configMap("fields"), nonsense: 1 };
    const strict = await call(`${CONFIG_MAPS}?fieldValidation=Strict`, { method: "POST", body });
    expect(strict).toMatchObject({
      code: 400,
      body: { message: expect.stringContaining('strict decoding error: unknown field "nonsense"') },
    });
    const warned = await call(CONFIG_MAPS, { method: "POST", body });
    expect(warned.code).toBe(201);
    expect(warned.headers.warning).toBe('299 - "unknown field \\"nonsense\\""');
    expect(warned.body.nonsense).toBeUndefined();
  });

  it("scales through the scale subresource", async () => {
    await call(DEPLOYMENTS, { method: "POST", body: deployment("scaled") });
    const scale = await call(`${DEPLOYMENTS}/scaled/scale`);
    expect(scale.body).toMatchObject({
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      spec: { replicas: 2 },
      status: { selector: "app=scaled" },
    });
    const patched = await call(`${DEPLOYMENTS}/scaled/scale`, {
      method: "PATCH",
      body: { spec: { replicas: 4 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(patched).toMatchObject({ code: 200, body: { kind: "Scale", spec: { replicas: 4 } } });
    expect((await call(`${DEPLOYMENTS}/scaled`)).body).toMatchObject({
      spec: { replicas: 4 },
      metadata: { generation: 2 },
    });
  });

  it("changes pods through their other subresources", async () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "subs" },
      spec: { containers: [{ name: "c", image: "nginx", resources: { requests: { cpu: "500m" } } }] },
    };
    const path = "/api/v1/namespaces/default/pods";
    await call(path, { method: "POST", body: pod });
    const strategic = { "content-type": "application/strategic-merge-patch+json" };
    const debugged = await call(`${path}/subs/ephemeralcontainers`, {
      method: "PATCH",
      body: { spec: { ephemeralContainers: [{ name: "debug", image: "busybox" }] } },
      headers: strategic,
    });
    expect(debugged).toMatchObject({
      code: 200,
      body: { spec: { ephemeralContainers: [{ name: "debug", imagePullPolicy: "Always" }] } },
    });
    const resized = await call(`${path}/subs/resize`, {
      method: "PATCH",
      body: { spec: { containers: [{ name: "c", resources: { requests: { cpu: "1" } } }] } },
      headers: strategic,
    });
    expect(resized.body.spec.containers).toMatchObject([
      { name: "c", image: "nginx", resources: { requests: { cpu: "1" } } },
    ]);
    const bound = await call(`${path}/subs/binding`, {
      method: "POST",
      body: { apiVersion: "v1", kind: "Binding", metadata: { name: "subs" }, target: { kind: "Node", name: "n1" } },
    });
    expect(bound).toMatchObject({ code: 201, body: { status: "Success" } });
    const evicted = await call(`${path}/subs/eviction`, {
      method: "POST",
      body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "subs" } },
    });
    expect(evicted).toMatchObject({ code: 201, body: { status: "Success" } });
    expect((await call(`${path}/subs`)).body).toMatchObject({
      spec: { nodeName: "n1" },
      metadata: { deletionGracePeriodSeconds: 30 },
    });
  });

  it("answers HEAD with the headers of GET", async () => {
    await call(CONFIG_MAPS, { method: "POST", body: configMap("head") });
    const reply = await call(`${CONFIG_MAPS}/head`, { method: "HEAD" });
    expect([reply.code, reply.text, reply.headers["content-type"]]).toEqual([200, "", "application/json"]);
  });

  it("serves one object in two versions", async () => {
    const v1 = {
      apiVersion: "autoscaling/v1",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "h" },
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "web", apiVersion: "apps/v1" },
        maxReplicas: 3,
        targetCPUUtilizationPercentage: 50,
      },
    };
    const path = (version: string) => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`;
    expect((await call(path("v1"), { method: "POST", body: v1 })).body).toMatchObject({
      apiVersion: "autoscaling/v1",
      spec: { targetCPUUtilizationPercentage: 50 },
    });
    expect((await call(`${path("v2")}/h`)).body).toMatchObject({
      apiVersion: "autoscaling/v2",
      spec: { metrics: [{ resource: { name: "cpu" } }] },
    });
    const patched = await call(`${path("v1")}/h`, {
      method: "PATCH",
      body: { spec: { maxReplicas: 9 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(patched.body.message).toBeUndefined();
    expect(patched.body).toMatchObject({ apiVersion: "autoscaling/v1", spec: { maxReplicas: 9 } });
    expect((await call(path("v2"))).body).toMatchObject({
      kind: "HorizontalPodAutoscalerList",
      apiVersion: "autoscaling/v2",
      items: [{ spec: { maxReplicas: 9 } }],
    });
  });

  it("leaves it to a list to say what its items are", async () => {
    await call(CONFIG_MAPS, { method: "POST", body: configMap("listed") });
    const { items } = (await call(CONFIG_MAPS)).body;
    expect(items.length).toBeGreaterThan(0);
    for (const item of items) expect(Object.keys(item)).not.toEqual(expect.arrayContaining(["kind"]));
    expect(items.map(({ apiVersion }: { apiVersion?: string }) => apiVersion)).toEqual(items.map(() => undefined));
  });

  it("answers tables and partial metadata when asked", async () => {
    await call(CONFIG_MAPS, { method: "POST", body: configMap("forms") });
    const table = await call(`${CONFIG_MAPS}/forms`, {
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" },
    });
    expect(table.body).toMatchObject({
      kind: "Table",
      rows: [{ object: { kind: "PartialObjectMetadata", metadata: { name: "forms" } } }],
    });
    expect(table.body.rows[0].cells[0]).toBe("forms");
    const partial = await call(CONFIG_MAPS, {
      headers: { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" },
    });
    expect(partial.body).toMatchObject({ kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1" });
    expect(partial.body.items[0].data).toBeUndefined();
  });

  it("deletes a selection at once", async () => {
    const path = "/api/v1/namespaces/many/configmaps";
    for (const name of ["a", "b", "c"])
      await call(path, {
        method: "POST",
        body: { ...configMap(name), metadata: { name, labels: { keep: String(name === "c") } } },
      });
    const reply = await call(`${path}?labelSelector=keep%21%3Dtrue`, { method: "DELETE" });
    expect(reply.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(["a", "b"]);
    expect((await call(path)).body.items).toHaveLength(1);
  });
});

describe("lists", () => {
  const path = "/api/v1/namespaces/pages/configmaps";
  const names = (reply: { body: { items: { metadata: { name: string } }[] } }) =>
    reply.body.items.map(({ metadata }) => metadata.name);

  it("come in pages that all show the revision of the first", async () => {
    for (let i = 0; i < 5; i++) await call(path, { method: "POST", body: configMap(`c${i}`) });
    const first = await call(`${path}?limit=2`);
    expect(names(first)).toEqual(["c0", "c1"]);
    expect(first.body.metadata.remainingItemCount).toBe(3);
    await call(`${path}/c2`, { method: "DELETE" });
    await call(path, { method: "POST", body: configMap("c9") });
    const second = await call(`${path}?limit=2&continue=${first.body.metadata.continue}`);
    expect(names(second)).toEqual(["c2", "c3"]);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
    const third = await call(`${path}?limit=2&continue=${second.body.metadata.continue}`);
    expect(names(third)).toEqual(["c4"]);
    expect(third.body.metadata.continue).toBeUndefined();
    expect(names(await call(path))).toEqual(["c0", "c1", "c3", "c4", "c9"]);
  });

  it("can be asked for an exact past revision", async () => {
    const now = (await call(path)).body.metadata.resourceVersion;
    await call(`${path}/c0`, { method: "DELETE" });
    const past = await call(`${path}?resourceVersion=${now}&resourceVersionMatch=Exact`);
    expect(names(past)).toContain("c0");
  });

  it("are compressed when they are big and the client takes it", async () => {
    const body = configMap("big", { text: "x".repeat(200_000) });
    await call("/api/v1/namespaces/big/configmaps", { method: "POST", body });
    const reply = await call("/api/v1/namespaces/big/configmaps", { headers: { "accept-encoding": "gzip" } });
    expect(reply.headers["content-encoding"]).toBe("gzip");
    expect(reply.text.length).toBeLessThan(5_000);
  });

  it("are sent in pieces when they are long, whole in every spelling", async () => {
    const long = "/api/v1/namespaces/long/configmaps";
    const text = `"ä\\${"x".repeat(300_000)}`;
    for (let i = 0; i < 4; i++) await call(long, { method: "POST", body: configMap(`c${i}`, { text, n: String(i) }) });
    const plain = await call(long);
    expect(plain.headers["content-length"]).toBeUndefined();
    expect(names(plain)).toEqual(["c0", "c1", "c2", "c3"]);
    expect(plain.body).toMatchObject({
      kind: "ConfigMapList",
      items: [{ data: { text } }, {}, {}, { data: { n: "3" } }],
    });
    const indented = await call(`${long}?pretty=true`);
    expect(indented.body).toEqual(plain.body);
    expect(indented.text).toMatch(/^{\n {2}"kind": "ConfigMapList",/);
    const yaml = await call(long, { headers: { accept: "application/yaml" } });
    expect(yaml.headers["content-type"]).toBe("application/yaml");
    expect(yaml.text).toMatch(/^\s*name: c3$/m);
    const packed = await new Promise<IncomingMessage>((resolve) =>
      get(
        `https://127.0.0.1:${server.port}${long}`,
        {
          ca: server.certificates.caCert,
          agent: false,
          headers: { authorization: "Bearer admin", "accept-encoding": "gzip" },
        },
        resolve,
      ),
    );
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(await json(packed.pipe(createGunzip()))).toEqual(plain.body);
  });
});

describe("paths beside resources", () => {
  it("say who the server is and how it is", async () => {
    expect((await call("/version")).body).toMatchObject({ major: "1", minor: "36", gitVersion: "v1.36.1-eks-0247562" });
    expect((await call("/healthz", { token: "" })).text).toBe("ok");
    expect((await call("/readyz?verbose")).text).toMatch(
      /^\[\+\]ping ok\n\[\+\]log ok\n\[\+\]etcd ok\n\[\+\]etcd-readiness ok\n[\s\S]*\[\+\]autoregister-completion ok\n[\s\S]*\[\+\]shutdown ok\nreadyz check passed\n$/,
    );
    expect((await call("/livez?verbose")).text).not.toMatch(/shutdown|readiness ok\n\[\+\]informer/);
    expect((await call("/readyz/etcd")).text).toBe("ok");
    expect((await call("/readyz/poststarthook/rbac/bootstrap-roles")).text).toBe("ok");
    const { paths } = (await call("/")).body as { paths: string[] };
    expect(paths).toEqual([...paths].sort());
    expect(paths).toEqual(
      expect.arrayContaining(["/api/v1", "/apis/apps", "/apis/apps/v1", "/livez/etcd", "/metrics", "/version"]),
    );
    for (const path of paths) expect([path, (await call(path)).code]).not.toEqual([path, 404]);
    expect((await call("/api")).body).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
    expect((await call("/apis/apps/v1")).body).toMatchObject({ kind: "APIResourceList", groupVersion: "apps/v1" });
    await call("/apis/made/v1/up");
    const metrics = (await call("/metrics")).text;
    expect(metrics).toMatch(
      /apiserver_request_total\{verb="create",group="",version="v1",resource="configmaps",subresource="",scope="namespace",code="201"\} \d+/,
    );
    // Names that clients make up are no labels: they would never end.
    expect(metrics).not.toContain("made");
  });

  it("keeps the form of a discovery document that the client has already", async () => {
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const first = await call("/apis", { headers: { accept } });
    expect(first.body.kind).toBe("APIGroupDiscoveryList");
    const second = await call("/apis", { headers: { accept, "if-none-match": String(first.headers.etag) } });
    expect([second.code, second.text, second.headers["content-type"]]).toEqual([
      304,
      "",
      first.headers["content-type"],
    ]);
  });

  it("publish OpenAPI documents for clients that validate", async () => {
    const index = await call("/openapi/v3");
    const { serverRelativeURL } = index.body.paths["apis/apps/v1"];
    const document = await call(serverRelativeURL);
    expect(document.body.components.schemas["io.k8s.api.apps.v1.Deployment"]).toBeDefined();
    expect((await call("/openapi/v3/apis/nonsense/v1")).code).toBe(404);
  });

  it("are indented for people, and YAML for those who want nothing else", async () => {
    const curl = await call("/version", { headers: { "user-agent": "curl/8.5.0" } });
    expect(curl.text).toMatch(/^\{\n {2}"major": "1",\n/);
    expect((await call("/version?pretty=false", { headers: { "user-agent": "curl/8.5.0" } })).text).not.toContain("\n");
    const refused = await call("/api/v1/nodes/absent?pretty=true");
    expect(refused.text).toMatch(/^\{\n {2}"kind": "Status",\n/);
    const yaml = { accept: "application/yaml" };
    const list = await call("/api/v1/namespaces/nowhere/configmaps", { headers: yaml });
    expect([list.code, list.headers["content-type"]]).toEqual([200, "application/yaml"]);
    expect(list.text).toMatch(
      /^apiVersion: v1\nitems: \[\]\nkind: ConfigMapList\nmetadata:\n {2}resourceVersion: "\d+"\n$/,
    );
    expect((await call("/api/v1/nodes/absent", { headers: yaml })).text).toContain("reason: NotFound");
    expect((await call("/api/v1/namespaces?watch=1", { headers: yaml })).code).toBe(406);
  });

  it("tell the flow that a request belongs to, and how to find it in an audit log", async () => {
    const flows = "/apis/flowcontrol.apiserver.k8s.io/v1";
    const rule = (user: string, rest: object) => ({ subjects: [{ kind: "User", user: { name: user } }], ...rest });
    const anything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] };
    const paths = { verbs: ["get"], nonResourceURLs: ["/healthz", "/api/*"] };
    const make = async (resource: string, name: string, spec: object) =>
      (await call(`${flows}/${resource}`, { method: "POST", body: { metadata: { name }, spec } })).body.metadata.uid;
    const level = await make("prioritylevelconfigurations", "slow", {
      type: "Limited",
      limited: { nominalConcurrencyShares: 1, limitResponse: { type: "Reject" } },
    });
    const schema = (name: string, matchingPrecedence: number, rules: object[]) =>
      make("flowschemas", name, { matchingPrecedence, priorityLevelConfiguration: { name: "slow" }, rules });
    const late = await schema("late", 900, [rule("*", { resourceRules: [anything], nonResourceRules: [paths] })]);
    const early = await schema("early", 10, [
      rule("admin", { resourceRules: [{ ...anything, resources: ["pods/status"], namespaces: ["a"] }] }),
    ]);
    const flowOf = async (path: string) => {
      const { headers } = await call(path);
      return [headers["x-kubernetes-pf-flowschema-uid"], headers["x-kubernetes-pf-prioritylevel-uid"]];
    };
    expect(await flowOf("/api/v1/namespaces/a/pods/x/status")).toEqual([early, level]);
    expect(await flowOf("/api/v1/namespaces/b/pods/x/status")).toEqual([late, level]);
    expect(await flowOf("/api/v1/namespaces/a/pods")).toEqual([late, level]);
    expect(await flowOf("/api/v1")).toEqual([late, level]);
    expect(await flowOf("/version")).toEqual([undefined, undefined]);
    await call(`${flows}/flowschemas/late`, { method: "DELETE" });
    expect(await flowOf("/api/v1")).toEqual([undefined, undefined]);
    expect((await call("/version")).headers["audit-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect((await call("/version", { headers: { "audit-id": "mine" } })).headers["audit-id"]).toBe("mine");
  });

  it("fails everything but the health checks' own story without a quorum", async () => {
    server.registry.setAvailable(false);
    expect(await call(CONFIG_MAPS)).toMatchObject({ code: 500, body: { message: "etcdserver: request timed out" } });
    const ready = await call("/readyz");
    expect(ready.code).toBe(500);
    expect(ready.text).toContain("[-]etcd failed");
    server.registry.setAvailable(true);
    expect((await call(CONFIG_MAPS)).code).toBe(200);
  });
});

describe("durability", () => {
  it("answers a write when it is on disk, and says when the disk refuses", async () => {
    let full = false;
    const committed: string[] = [];
    const durable = await startServer({
      real: true,
      persistence: {
        load: () => ({ revision: 0, records: [] }),
        commit(records) {
          if (full) throw new Error("disk full");
          committed.push(...records.map(({ key }) => key));
        },
      },
    });
    await durable.call(CONFIG_MAPS, { method: "POST", body: configMap("a") });
    expect(committed).toEqual(["default/a"]);
    full = true;
    const refused = await durable.call(CONFIG_MAPS, { method: "POST", body: configMap("b") });
    expect(refused).toMatchObject({
      code: 500,
      body: { message: expect.stringContaining("could not be written to disk: disk full") },
    });
    full = false;
    expect((await durable.call(CONFIG_MAPS, { method: "POST", body: configMap("c") })).code).toBe(201);
    expect(committed).toEqual(["default/a", "default/b", "default/c"]);
    await durable.server.close();
  });
});
