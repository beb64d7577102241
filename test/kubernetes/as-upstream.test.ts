import { describe, expect, it } from "vitest";
import { connect, tokenUsers } from "./cluster-client.js";
import { makeCertificates } from "./server/certificates.js";
import { nodeSpec, startSimulated } from "./simulated-cluster.js";

/** Small facts in which a simulated cluster once was unlike a real one of 1.36, seen side by side. */
const NAMESPACE = "/api/v1/namespaces/default";
const APPS = "/apis/apps/v1/namespaces/default";
const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };

async function start() {
  const tls = makeCertificates();
  const { cluster, clock } = await startSimulated({ tls, ...tokenUsers });
  await cluster.addNode(nodeSpec(0));
  await clock.advance(60_000);
  const { call } = await connect(cluster, tls.caCert);
  const make = async (path: string, body: object): Promise<void> => {
    const { code, text } = await call(path, { method: "POST", body });
    expect(code, text).toBe(201);
  };
  return { call, clock, make };
}

const podSpec = { containers: [{ name: "main", image: "nginx:1.29" }] };
const workload = (app: string) => ({
  selector: { matchLabels: { app } },
  template: { metadata: { labels: { app } }, spec: podSpec },
});

describe("a simulated cluster, as a real one", () => {
  it("tells of a workload in the same words and the same order", async () => {
    const { call, clock, make } = await start();
    await make(`${APPS}/deployments`, { metadata: { name: "web" }, spec: { replicas: 1, ...workload("web") } });
    await make(`${APPS}/statefulsets`, { metadata: { name: "db" }, spec: { serviceName: "db", ...workload("db") } });
    await clock.advance(60_000);
    const { status } = (await call(`${APPS}/deployments/web`)).body;
    expect(status.conditions.map(({ type }: { type: string }) => type)).toEqual(["Available", "Progressing"]);
    const events = (await call(`${NAMESPACE}/events`)).body.items as { message: string }[];
    const messages = events.map(({ message }) => message);
    expect(messages).toContain("Create Pod db-0 in StatefulSet db successful");
    expect(messages).toContain("Container created");
    expect(messages).toContain("Container started");
  });

  it("takes a service account without a namespace for one of the binding's", async () => {
    const { call, make } = await start();
    const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }];
    await make(`${rbac}/roles`, { metadata: { name: "reader" }, rules });
    await make(`${rbac}/rolebindings`, {
      metadata: { name: "reader" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", name: "robot" }],
    });
    const ask = async (user: string) => {
      const spec = { user, resourceAttributes: { namespace: "default", resource: "pods", verb: "list" } };
      const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
      return (await call(path, { method: "POST", body: { spec } })).body.status.allowed;
    };
    expect(await ask("system:serviceaccount:default:robot")).toBe(true);
    expect(await ask("system:serviceaccount:other:robot")).toBe(false);
  });

  it("has no log of a pod that runs nowhere, and says why another has none yet", async () => {
    const { call, clock, make } = await start();
    await make(`${NAMESPACE}/pods`, { metadata: { name: "nowhere" }, spec: { ...podSpec, schedulerName: "none" } });
    const { code, text, headers } = await call(`${NAMESPACE}/pods/nowhere/log`);
    expect([code, text, headers["content-type"]]).toEqual([204, "", undefined]);
    const init = { name: "first", image: "busybox:1.36", command: ["sleep", "1000"] };
    await make(`${NAMESPACE}/pods`, { metadata: { name: "begins" }, spec: { ...podSpec, initContainers: [init] } });
    await clock.advance(10_000);
    expect((await call(`${NAMESPACE}/pods/begins/log`)).body.message).toBe(
      'container "main" in pod "begins" is waiting to start: PodInitializing',
    );
  });

  it("shows the same columns", async () => {
    const { call } = await start();
    const columns = async (path: string) => {
      const { columnDefinitions } = (await call(path, { headers: TABLE })).body;
      return columnDefinitions.map(({ name, type }: { name: string; type: string }) => `${name} ${type}`);
    };
    expect(await columns(`${NAMESPACE}/serviceaccounts`)).toEqual(["Name string", "Age string"]);
    expect(await columns(`${NAMESPACE}/configmaps`)).toEqual(["Name string", "Data string", "Age string"]);
    expect(await columns("/apis/networking.k8s.io/v1/ipaddresses")).toEqual(["Name string", "ParentRef string"]);
    const { rows } = (await call("/api/v1/nodes", { headers: TABLE })).body;
    expect(rows[0].cells).toContain("<unknown> (amd64)");
  });

  it("writes down what a limit range set, and takes an open headless service for one of both families", async () => {
    const { call, make } = await start();
    const limits = [{ type: "Container", default: { memory: "64Mi" }, defaultRequest: { cpu: "100m" } }];
    await make(`${NAMESPACE}/limitranges`, { metadata: { name: "limits" }, spec: { limits } });
    await make(`${NAMESPACE}/pods`, { metadata: { name: "limited" }, spec: podSpec });
    expect((await call(`${NAMESPACE}/pods/limited`)).body.metadata.annotations).toMatchObject({
      "kubernetes.io/limit-ranger":
        "LimitRanger plugin set: cpu, memory request for container main; memory limit for container main",
    });
    await make(`${NAMESPACE}/services`, { metadata: { name: "open" }, spec: { clusterIP: "None" } });
    expect((await call(`${NAMESPACE}/services/open`)).body.spec).toMatchObject({
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "RequireDualStack",
    });
  });
});
