import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Eksim } from "../../src/testkit/index.js";
import { createWorker, startDemo } from "./demo-cluster.js";
import { askFromVpc } from "./vpc.js";

let eksim: Eksim;

const SCRIPT = `
TOKEN=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)
HOST=https://$KUBERNETES_SERVICE_HOST
curl -s -o /dev/null -w 'anonymous %{http_code}\\n' $HOST/api/v1/namespaces
curl -s -H "Authorization: Bearer $TOKEN" https://kubernetes.default.svc/api/v1/namespaces/default/configmaps/greeting
curl -s -o /dev/null -w 'created %{http_code}\\n' -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"metadata":{"name":"mine"},"data":{"by":"a pod"}}' https://kubernetes.default/api/v1/namespaces/default/configmaps
curl -s -o /dev/null -w 'forbidden %{http_code}\\n' -H "Authorization: Bearer $TOKEN" https://kubernetes.default.svc.cluster.local/api/v1/secrets
curl -s -o /dev/null -w 'unauthorized %{http_code}\\n' -H "Authorization: Bearer x$TOKEN" $HOST/api/v1/namespaces
echo done
sleep 100000
`;

beforeAll(async () => {
  eksim = await startDemo();
  await createWorker(eksim);
  await eksim.advance("1m");
  const create = (path: string, body: object) => eksim.kubernetes("demo", "POST", path, body);
  const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
  await create("/api/v1/namespaces/default/configmaps", { metadata: { name: "greeting" }, data: { text: "hello" } });
  await create(`${rbac}/roles`, {
    metadata: { name: "configmaps" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "create"] }],
  });
  await create(`${rbac}/rolebindings`, {
    metadata: { name: "configmaps" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "configmaps" },
    subjects: [{ kind: "ServiceAccount", name: "default", namespace: "default" }],
  });
});
afterAll(() => eksim.stop());

/** What the API server answers somebody inside the VPC. */
async function fromVpc(path: string): Promise<string> {
  const { clusters, users } = JSON.parse(eksim.kubeconfig("demo"));
  const { server, "certificate-authority-data": ca } = clusters[0].cluster;
  const answer = await askFromVpc(eksim.endpoint, new URL(server).host, {
    ca: Buffer.from(ca, "base64").toString(),
    token: users[0].user.token,
    path,
    servername: "localhost",
  });
  return "body" in answer ? answer.body : answer.error;
}

describe("a program in a pod", () => {
  it("reaches the API server by its Service while the endpoint is closed to the world, as its service account", async () => {
    await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/default/pods", {
      metadata: { name: "client" },
      spec: { containers: [{ name: "curl", image: "curlimages/curl", command: ["sh", "-c", SCRIPT] }] },
    });
    await eksim.eks("POST", "/clusters/demo/update-config", {
      resourcesVpcConfig: { endpointPublicAccess: false, endpointPrivateAccess: true },
    });
    await eksim.advance("30s");
    await expect(eksim.kubernetes("demo", "GET", "/api/v1/namespaces")).rejects.toThrow();
    const text = await fromVpc("/api/v1/namespaces/default/pods/client/log");
    expect(text).toContain("anonymous 403");
    expect(text).toContain('"text": "hello"');
    expect(text).toContain("created 201");
    expect(text).toContain("forbidden 403");
    expect(text).toContain("unauthorized 401");
    expect(text).toContain("done");
    expect(await fromVpc("/api/v1/namespaces/default/configmaps/mine")).toContain('"by":"a pod"');
  });
});
