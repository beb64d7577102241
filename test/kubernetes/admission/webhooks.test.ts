import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { KubeApi } from "../../../src/kubernetes/api.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { refused } from "../refused.js";
import { startSimulated } from "../simulated-cluster.js";
import { allow, patch, response, startWebhookServer, type WebhookServer } from "./webhook-server.js";

const GROUP = "admissionregistration.k8s.io";
const SERVICE = { namespace: "default", name: "hook" };

let api: KubeApi;
let clock: SteppedClock;
let server: WebhookServer;

beforeEach(async () => {
  const world = await startSimulated();
  api = world.cluster.api;
  clock = world.clock;
  server = await startWebhookServer(["hook.default.svc"]);
  await make("services", {
    metadata: { ...SERVICE, annotations: { "eksim.dev/host-endpoint": `https://127.0.0.1:${server.port}` } },
    spec: { ports: [{ port: 443 }] },
  });
});
afterEach(() => server.close());

const make = (resource: string, object: object): Promise<KubeObject> => api.create(resource, object as never);

const configMap = (name: string, data: object = {}, metadata: object = {}) =>
  make("configmaps", { metadata: { name, namespace: "default", ...metadata }, data });

const CONFIG_MAPS = [
  { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] },
];

function hook(name: string, path: string, rest: object = {}): object {
  return {
    name: `${name}.example.com`,
    rules: CONFIG_MAPS,
    clientConfig: { service: { ...SERVICE, path }, caBundle: server.caBundle },
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    objectSelector: { matchExpressions: [{ key: "ours", operator: "DoesNotExist" }] },
    // What the cluster itself writes is left alone.
    matchConditions: [{ name: "not-the-ca", expression: "request.name != 'kube-root-ca.crt'" }],
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
    ...rest,
  };
}

const validating = (name: string, ...webhooks: object[]) =>
  make(`validatingwebhookconfigurations.${GROUP}`, { metadata: { name }, webhooks });
const mutating = (name: string, ...webhooks: object[]) =>
  make(`mutatingwebhookconfigurations.${GROUP}`, { metadata: { name }, webhooks });

describe("validating webhooks", () => {
  it("are asked with the object and who writes it, and refuse in their own words", async () => {
    server.handlers["/judge"] = (review) =>
      review.request.object?.data?.bad
        ? response(review, { allowed: false, status: { code: 418, message: "no teapots" }, warnings: ["careful"] })
        : allow(review);
    await validating("judge", hook("judge", "/judge"));
    const good = await configMap("good");
    expect(server.seen[0]?.review).toMatchObject({
      kind: "AdmissionReview",
      apiVersion: "admission.k8s.io/v1",
      request: {
        kind: { group: "", version: "v1", kind: "ConfigMap" },
        requestResource: { group: "", version: "v1", resource: "configmaps" },
        name: "good",
        namespace: "default",
        operation: "CREATE",
        userInfo: { username: "system:apiserver" },
        object: { kind: "ConfigMap", metadata: { name: "good" } },
        oldObject: null,
        dryRun: false,
      },
    });
    const error = await refused(configMap("worse", { bad: "1" }));
    expect([error.code, error.message]).toEqual([
      418,
      'admission webhook "judge.example.com" denied the request: no teapots',
    ]);
    expect((await refused(api.update("configmaps", { ...good, data: { bad: "1" } }))).code).toBe(418);
    expect(server.seen.at(-1)?.review.request.oldObject.metadata.name).toBe("good");
    // Its own configuration can always be deleted.
    await api.delete(`validatingwebhookconfigurations.${GROUP}`, { name: "judge" });
    await configMap("free", { bad: "1" });
  });

  it("are not asked about what their rules, selectors and conditions leave out", async () => {
    server.handlers["/never"] = (review) => response(review, { allowed: false });
    await make("namespaces", { metadata: { name: "exempt" } });
    await validating(
      "never",
      hook("never", "/never", {
        matchConditions: [
          { name: "not-mallory", expression: "request.userInfo.username != 'mallory'" },
          { name: "not-lucky", expression: "!object.metadata.name.startsWith('lucky')" },
        ],
      }),
    );
    await configMap("lucky-one");
    await configMap("ours", {}, { labels: { ours: "yes" } });
    await make("configmaps", { metadata: { name: "elsewhere", namespace: "exempt" } });
    await make("secrets", { metadata: { name: "other-kind", namespace: "default" } });
    expect(server.seen).toEqual([]);
    expect((await refused(configMap("unlucky"))).message).toBe(
      'admission webhook "never.example.com" denied the request without explanation',
    );
  });

  it("see deletions, with the old object only, and refuse them", async () => {
    server.handlers["/keep"] = (review) => response(review, { allowed: false, status: { reason: "Keep" } });
    await configMap("kept");
    await validating("keep", hook("keep", "/keep", { rules: [{ ...CONFIG_MAPS[0], operations: ["DELETE"] }] }));
    const error = await refused(api.delete("configmaps", { namespace: "default", name: "kept" }));
    expect(error.message).toBe('admission webhook "keep.example.com" denied the request: Keep');
    expect(server.seen[0]?.review.request).toMatchObject({ object: null, oldObject: { metadata: { name: "kept" } } });
  });

  it("refuse, or are passed over, when they cannot be asked; Go's words say why", async () => {
    await validating("silent", hook("silent", "/silent", { timeoutSeconds: 5 }));
    const failure = async (): Promise<string> => (await refused(configMap("x"))).message;
    const calling = 'Internal error occurred: failed calling webhook "silent.example.com": failed to call webhook: ';
    expect(await failure()).toBe(`${calling}the server could not find the requested resource`);

    const arrived = new Promise<void>((resolve) => {
      server.handlers["/silent"] = () => {
        resolve();
        return undefined;
      };
    });
    const hanging = failure();
    await arrived;
    await clock.advance(5000);
    expect(await hanging).toBe(
      `${calling}Post "https://hook.default.svc:443/silent?timeout=5s": context deadline exceeded`,
    );

    server.handlers["/silent"] = (review) => ({
      ...(allow(review) as object),
      response: { uid: "other", allowed: true },
    });
    expect(await failure()).toContain("received invalid webhook response: expected response.uid=");

    const present = api.get<KubeObject & { webhooks: { clientConfig: object }[] }>(
      `validatingwebhookconfigurations.${GROUP}`,
      { name: "silent" },
    );
    const change = async (clientConfig: object, rest: object = {}) => {
      const current = api.get<KubeObject>(`validatingwebhookconfigurations.${GROUP}`, { name: "silent" }) as KubeObject;
      await api.update(`validatingwebhookconfigurations.${GROUP}`, {
        ...current,
        webhooks: [{ ...present?.webhooks[0], clientConfig, ...rest }],
      });
    };
    const service = { ...SERVICE, path: "/silent" };
    await change({ service });
    expect(await failure()).toContain(
      "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    );
    await change({ url: `https://127.0.0.1:${server.port}/silent`, caBundle: server.caBundle });
    expect(await failure()).toContain("x509: certificate is valid for hook.default.svc, not 127.0.0.1");
    await change({ service: { ...service, name: "nobody" } });
    expect(await failure()).toBe(
      `${calling}Post "https://nobody.default.svc:443/silent?timeout=5s": service "nobody" not found`,
    );
    await make("services", { metadata: { name: "empty", namespace: "default" }, spec: { ports: [{ port: 443 }] } });
    await change({ service: { ...service, name: "empty" } });
    expect(await failure()).toContain('no endpoints available for service "empty"');
    await change({ url: "https://127.0.0.1:1/x" });
    expect(await failure()).toContain("dial tcp 127.0.0.1:1: connect: connection refused");
    await change({ url: "https://127.0.0.1:1/x" }, { failurePolicy: "Ignore" });
    await configMap("x");
  });

  it("are called in dry runs only if they promise to do nothing else then", async () => {
    server.handlers["/judge"] = allow;
    await validating("judge", hook("judge", "/judge"));
    await api.create("configmaps", { metadata: { name: "x", namespace: "default" } } as never, { dryRun: true });
    expect(server.seen[0]?.review.request).toMatchObject({ dryRun: true, options: { dryRun: ["All"] } });
  });
});

describe("mutating webhooks", () => {
  it("change the object one after the other, before it gets its defaults", async () => {
    server.handlers["/one"] = patch([{ op: "add", path: "/data/one", value: "1" }]);
    server.handlers["/two"] = (review) =>
      patch([{ op: "add", path: "/data/two", value: `${Object.keys(review.request.object.data).length}` }])(review);
    await mutating("b", hook("two", "/two"));
    await mutating("a", hook("one", "/one"));
    expect((await configMap("x", { zero: "0" })).data).toEqual({ zero: "0", one: "1", two: "2" });

    server.handlers["/pods"] = patch([
      { op: "add", path: "/spec/initContainers", value: [{ name: "added", image: "busybox" }] },
    ]);
    const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
    await mutating("pods", hook("pods", "/pods", { rules }));
    await make("serviceaccounts", { metadata: { name: "default", namespace: "default" } }).catch(() => {});
    const pod = (await make("pods", {
      metadata: { name: "p", namespace: "default" },
      spec: { containers: [{ name: "c", image: "nginx" }] },
    })) as KubeObject & { spec: { initContainers: Record<string, unknown>[] } };
    const [added] = pod.spec.initContainers;
    expect(added).toMatchObject({ name: "added", terminationMessagePolicy: "File", imagePullPolicy: "Always" });
    // The token volume is mounted into it too: what mutates by itself runs again after webhooks.
    expect(added?.volumeMounts).toMatchObject([{ mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }]);
  });

  it("are asked again if they want to, when a later one has changed something", async () => {
    const count = (review: { request: { object: { data?: Record<string, string> } } }) =>
      `${Object.keys(review.request.object.data ?? {}).length}`;
    server.handlers["/count"] = (review) => patch([{ op: "add", path: "/data/count", value: count(review) }])(review);
    server.handlers["/more"] = patch([{ op: "add", path: "/data/more", value: "yes" }]);
    await mutating("a", hook("count", "/count", { reinvocationPolicy: "IfNeeded" }));
    await mutating("b", hook("more", "/more"));
    expect((await configMap("x", { zero: "0" })).data).toEqual({ zero: "0", count: "3", more: "yes" });
    expect(server.seen.map(({ path }) => path)).toEqual(["/count", "/more", "/count"]);
  });

  it("see the object in the version that their rules name", async () => {
    server.handlers["/hpa"] = (review) =>
      patch([{ op: "replace", path: "/spec/targetCPUUtilizationPercentage", value: 70 }])(review);
    const rules = [
      {
        apiGroups: ["autoscaling"],
        apiVersions: ["v1"],
        operations: ["CREATE"],
        resources: ["horizontalpodautoscalers"],
      },
    ];
    await mutating("hpa", hook("hpa", "/hpa", { rules }));
    const metric = (averageUtilization: number) => ({
      type: "Resource",
      resource: { name: "cpu", target: { type: "Utilization", averageUtilization } },
    });
    const hpa = (await make("horizontalpodautoscalers.autoscaling", {
      metadata: { name: "h", namespace: "default" },
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
        maxReplicas: 3,
        metrics: [metric(50)],
      },
    })) as KubeObject & { spec: { metrics: object[] } };
    expect(server.seen[0]?.review.request).toMatchObject({
      kind: { group: "autoscaling", version: "v1", kind: "HorizontalPodAutoscaler" },
      requestKind: { version: "v2" },
      object: { apiVersion: "autoscaling/v1", spec: { targetCPUUtilizationPercentage: 50 } },
    });
    expect(hpa.spec.metrics).toEqual([metric(70)]);
  });
});

describe("webhooks for custom resources", () => {
  const version = (name: string, storage: boolean, data: object) => ({
    name,
    storage,
    served: true,
    schema: { openAPIV3Schema: { type: "object", properties: { data } } },
  });
  const define = (versions: object[]) =>
    make("customresourcedefinitions.apiextensions.k8s.io", {
      metadata: { name: "tests.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "tests", kind: "Test" },
        versions,
      },
    });
  const stage = (review: { request: { object: { data: Record<string, string> } } }) => {
    const { data } = review.request.object;
    if (data["stage-1"]) return patch([{ op: "add", path: "/data/stage-2", value: "yes" }])(review);
    return patch([{ op: "add", path: "/data/stage-1", value: "yes" }])(review);
  };
  const rules = [
    { apiGroups: ["example.com"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["tests"] },
  ];

  it("see the version of their rules, whichever is asked for and stored; what the schema does not know goes again", async () => {
    const known = { type: "object", properties: { start: { type: "string" }, "stage-1": { type: "string" } } };
    const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    const definition = await define([version("v1", true, known), version("v2", false, open)]);
    await clock.advance(1000);
    server.handlers["/stage"] = stage;
    await mutating("stages", hook("one", "/stage", { rules }), hook("two", "/stage", { rules }));
    const test = { metadata: { name: "t", namespace: "default" }, data: { start: "yes" } };
    expect((await make("tests.example.com", test)).data).toEqual({ start: "yes", "stage-1": "yes" });
    const current = api.get<KubeObject>("customresourcedefinitions.apiextensions.k8s.io", {
      name: definition.metadata.name,
    });
    const versions = [version("v1", false, open), version("v2", true, open)];
    await api.update("customresourcedefinitions.apiextensions.k8s.io", {
      ...(current as KubeObject),
      spec: { ...(current?.spec as object), versions },
    });
    const operations = [{ op: "add", path: "/data/more", value: "1" }];
    const changed = await api.patch("tests.example.com", { namespace: "default", name: "t" }, "json", operations);
    expect(changed).toMatchObject({
      apiVersion: "example.com/v2",
      data: { start: "yes", "stage-1": "yes", "stage-2": "yes", more: "1" },
    });
    expect(server.seen.at(-1)?.review.request).toMatchObject({
      kind: { version: "v1" },
      requestKind: { version: "v2" },
      object: { apiVersion: "example.com/v1" },
    });
  });
});

describe("webhook configurations", () => {
  it("are refused with conditions that do not compile, and with what upstream refuses", async () => {
    const error = await refused(
      validating(
        "bad",
        hook("bad", "/x", {
          matchConditions: [{ name: "bad-condition", expression: "... [] bad expression" }],
          sideEffects: "Some",
          clientConfig: { url: "http://example.com/x?y=z" },
          rules: [{ ...CONFIG_MAPS[0], resources: ["*", "pods"] }],
        }),
      ),
    );
    expect(error.code).toBe(422);
    expect(error.message).toContain("compilation failed");
    const fields = error.details?.causes?.map(({ field }) => field);
    expect(fields).toEqual([
      "webhooks[0].rules[0].resources",
      "webhooks[0].sideEffects",
      "webhooks[0].clientConfig.url",
      "webhooks[0].clientConfig.url",
      "webhooks[0].matchConditions[0].expression",
    ]);
  });
});
