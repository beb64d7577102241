import { Agent, request } from "node:https";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLUSTER, type Drill, startDrill } from "../../reconcile/drill.js";

let drill: Drill;
let server: { host: string; port: number; token: string };
let agent: Agent;
beforeAll(async () => {
  drill = await startDrill();
  await drill.cluster();
  await drill.nodegroup("workers");
  await drill.deploy("web", 2);
  const config = JSON.parse(drill.eksim.kubeconfig(CLUSTER)) as {
    clusters: { cluster: { server: string; "certificate-authority-data": string } }[];
    users: { user: { token: string } }[];
  };
  const { cluster } = config.clusters[0] ?? { cluster: { server: "", "certificate-authority-data": "" } };
  const { hostname, port } = new URL(cluster.server);
  server = { host: hostname, port: Number(port), token: config.users[0]?.user.token ?? "" };
  agent = new Agent({
    ca: Buffer.from(cluster["certificate-authority-data"], "base64"),
    keepAlive: true,
    maxSockets: 4,
  });
});
afterAll(async () => {
  agent.destroy();
  await drill.eksim.stop();
});

interface Sent {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Sends a path as it is; gives up on answers that stream. */
function send({
  method,
  path,
  headers = {},
  body = "",
}: Sent): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...server,
        agent,
        method,
        path,
        headers: {
          authorization: `Bearer ${server.token}`,
          "content-length": String(Buffer.byteLength(body)),
          ...headers,
        },
      },
      (response) => {
        const { statusCode: status = 0 } = response;
        const type = response.headers["content-type"] ?? "";
        let text = "";
        const done = (): void => resolve({ status, type, text });
        response.on("data", (data) => {
          text += data;
          if (/[?&](watch|follow)/.test(path)) response.destroy();
        });
        response.on("close", done);
        if (status === 200 && /[?&](watch|follow)/.test(path)) response.destroy();
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** A refusal is a Status that says what is wrong, and never that the server is. */
function expectGoodManners({ status, type, text }: Awaited<ReturnType<typeof send>>, sent: Sent): void {
  const told = `${JSON.stringify(sent)} -> ${status} ${text.slice(0, 500)}`;
  expect(status, told).toBeLessThan(500);
  expect(text, told).not.toMatch(/\.[jt]s:\d+|TypeError|RangeError/);
  if (status >= 400 && type.includes("json") && sent.method !== "HEAD") {
    expect(JSON.parse(text), told).toMatchObject({ kind: "Status", status: "Failure", code: status });
  }
}

const word = fc.constantFrom(
  ..."pods web nodes default kube-system v1 apps deployments status scale log exec eviction binding token namespaces services".split(
    " ",
  ),
  ..."api apis openapi v3 version healthz metrics policy batch jobs configmaps secrets customresourcedefinitions".split(
    " ",
  ),
  ..."apiextensions.k8s.io authentication.k8s.io serviceaccounts tokenreviews selfsubjectaccessreviews authorization.k8s.io".split(
    " ",
  ),
  "__proto__",
  "constructor",
  "..",
  ".",
  "%2F",
  "%00",
  "%zz",
  "%e0%a4%a",
  "*",
  "-",
  "",
);
const segment = fc.oneof({ weight: 8, arbitrary: word }, { weight: 1, arbitrary: fc.string() });
const known = fc.constantFrom(
  "/api/v1/namespaces/default/pods",
  "/api/v1/pods",
  "/api/v1/nodes",
  "/api/v1/namespaces/default/configmaps",
  "/api/v1/namespaces/default/configmaps/x",
  "/api/v1/namespaces/default/services",
  "/api/v1/namespaces/default/serviceaccounts/default/token",
  "/api/v1/namespaces/kube-system/pods/x/eviction",
  "/apis/apps/v1/namespaces/default/deployments",
  "/apis/apps/v1/namespaces/default/deployments/web",
  "/apis/apps/v1/namespaces/default/deployments/web/scale",
  "/apis/apps/v1/namespaces/default/deployments/web/status",
  "/apis/batch/v1/namespaces/default/cronjobs",
  "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
  "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
  "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  "/apis/authentication.k8s.io/v1/tokenreviews",
  "/apis/authorization.k8s.io/v1/subjectaccessreviews",
);
const path = fc.oneof(
  known,
  fc.array(segment, { maxLength: 7 }).map((segments) => `/${segments.join("/")}`),
  fc.tuple(known, segment).map(([start, rest]) => `${start}/${rest}`),
);
const parameter = fc.tuple(
  fc.constantFrom(
    ..."limit continue resourceVersion resourceVersionMatch labelSelector fieldSelector dryRun fieldManager force propagationPolicy".split(
      " ",
    ),
    ..."pretty timeout timeoutSeconds fieldValidation gracePeriodSeconds sendInitialEvents allowWatchBookmarks tailLines watch".split(
      " ",
    ),
  ),
  fc.oneof(
    fc.constantFrom(
      "0",
      "-1",
      "1",
      "true",
      "false",
      "All",
      "a=b",
      "a in (b)",
      "!a",
      "metadata.name=web",
      "status.phase!=x",
      "Strict",
      "Foreground",
    ),
    fc.constantFrom(
      "99999999999999999999",
      "1e3",
      "NaN",
      "%",
      "%zz",
      "a in (",
      "=",
      ",",
      "a=b=c",
      "\u0000",
      "eyJ2IjoxfQ",
    ),
    fc.string(),
  ),
);
const query = fc
  .array(parameter, { maxLength: 3 })
  .map((parameters) =>
    parameters.length === 0
      ? ""
      : `?${parameters.map(([name, value]) => `${name}=${value.startsWith("%") ? value : encodeURIComponent(value)}`).join("&")}`,
  );
const text = fc.oneof(
  fc.constantFrom(
    "web",
    "default",
    "nginx",
    "a",
    "ClusterIP",
    "10.100.0.1",
    "100m",
    "1Gi",
    "8080",
    "*/5 * * * *",
    "",
    "__proto__",
  ),
  fc.string(),
);
const value: fc.Arbitrary<unknown> = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { weight: 4, arbitrary: text },
    fc.integer({ min: -3, max: 70_000 }),
    fc.constantFrom(null, true, false, 1.5, 1e300, -0),
    fc.array(tie("any"), { maxLength: 2 }),
    fc.dictionary(
      fc.constantFrom(
        ..."name namespace labels app containers image ports containerPort protocol env value valueFrom selector matchLabels template".split(
          " ",
        ),
        ..."spec metadata status replicas type clusterIP rules verbs resources requests limits cpu memory data finalizers".split(
          " ",
        ),
        ..."ownerReferences matchExpressions key operator values maxUnavailable minAvailable schedule jobTemplate names plural group versions schema".split(
          " ",
        ),
        ..."volumes emptyDir volumeMounts mountPath tolerations affinity initContainers livenessProbe httpGet port path conditions __proto__ toString".split(
          " ",
        ),
      ),
      tie("any"),
      { maxKeys: 4 },
    ),
  ),
})).any;
const object = fc.record(
  {
    apiVersion: fc.oneof(
      fc.constantFrom("v1", "apps/v1", "batch/v1", "policy/v1", "apiextensions.k8s.io/v1", "autoscaling/v1"),
      value,
    ),
    kind: fc.oneof(
      fc.constantFrom(
        "Pod",
        "Deployment",
        "Service",
        "CronJob",
        "ConfigMap",
        "Scale",
        "Eviction",
        "TokenRequest",
        "CustomResourceDefinition",
      ),
      value,
    ),
    metadata: fc.oneof(
      fc.record({ name: fc.oneof(fc.constantFrom("web", "x", "y"), value), labels: value }, { requiredKeys: [] }),
      value,
    ),
    spec: fc.oneof(
      fc.record(
        {
          selector: value,
          template: fc.record({ metadata: value, spec: fc.record({ containers: value }) }),
          replicas: value,
          containers: value,
          ports: value,
        },
        { requiredKeys: [] },
      ),
      value,
    ),
    status: value,
    data: value,
  },
  { requiredKeys: [] },
);
const patch = fc.array(
  fc.record(
    {
      op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x"),
      path: fc.oneof(
        fc.constantFrom("/spec", "/metadata/labels/a", "/spec/template/spec/containers/0", "/-", "", "x"),
        fc.string(),
      ),
      value,
      from: text,
    },
    { requiredKeys: ["op"] },
  ),
  { maxLength: 3 },
);
const body = fc.oneof(
  { weight: 6, arbitrary: object.map((json) => JSON.stringify(json)) },
  { weight: 2, arbitrary: patch.map((json) => JSON.stringify(json)) },
  { weight: 1, arbitrary: fc.string() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "{",
      "[]",
      "null",
      "k8s\u0000\n\u0001",
      "a: {b: [",
      "&a [*a]",
      "kind: Pod\nkind: Pod",
    ),
  },
);
const header = <T extends string>(name: T, ...values: string[]): fc.Arbitrary<Record<string, string>> =>
  fc.constantFrom(...values).map((text) => ({ [name]: text }));
const headers = fc
  .tuple(
    fc.oneof(
      fc.constant({}),
      header(
        "content-type",
        ..."application/json application/yaml application/merge-patch+json application/json-patch+json application/strategic-merge-patch+json".split(
          " ",
        ),
        ..."application/apply-patch+yaml application/vnd.kubernetes.protobuf text/plain ;;;".split(" "),
      ),
    ),
    fc.oneof(
      fc.constant({}),
      header(
        "accept",
        "*/*",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/vnd.kubernetes.protobuf",
        "application/yaml",
        "text/html;q=x",
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
      ),
    ),
  )
  .map(([type, accept]) => ({ ...type, ...accept }));

describe("a cluster's API server", () => {
  it("answers whatever it is sent with a result or a Status, never with a failure of its own", async () => {
    const method = fc.constantFrom("GET", "GET", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE", "HEAD", "OPTIONS");
    const requests = fc.record({ method, path, query, headers, body });
    await fc.assert(
      fc.asyncProperty(requests, async ({ method, path, query, headers, body }) => {
        const sent = {
          method,
          path: `${path}${query}`.replace(/[^\x21-\x7e]/g, "~"),
          headers,
          body: method === "GET" || method === "HEAD" ? "" : body,
        };
        expectGoodManners(await send(sent), sent);
      }),
      { numRuns: 500, seed: 5 },
    );
  });

  it("refuses a body that is too large for etcd, and one that is no JSON", async () => {
    const post = {
      method: "POST",
      path: "/api/v1/namespaces/default/configmaps",
      headers: { "content-type": "application/json" },
    };
    const huge = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "huge" },
      data: { a: "x".repeat(4 * 1024 * 1024) },
    };
    expect((await send({ ...post, body: JSON.stringify(huge) })).status).toBe(413);
    expect(await send({ ...post, body: "{" })).toMatchObject({ status: 400 });
  });

  // Without a token a client is system:anonymous, who is known but may look at nothing here.
  it.each([
    [{ authorization: "" }, 403],
    [{ authorization: "Bearer" }, 403],
    [{ authorization: "Bearer k8s-aws-v1.e30" }, 401],
    [{ authorization: "Basic dGVzdDp0ZXN0" }, 403],
    [{ "impersonate-user": "somebody" }, 403],
  ])("lets a client that says %j do nothing: %i", async (headers, status) => {
    const sent = { method: "GET", path: "/api/v1/nodes", headers: headers as Record<string, string> };
    const answer = await send(sent);
    expectGoodManners(answer, sent);
    expect(answer.status).toBe(status);
  });
});
