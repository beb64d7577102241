import { beforeAll, describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { refusal, type SimulatedApi, startApi } from "./simulated-api.js";

let world: SimulatedApi;
const ALICE = { username: "alice", uid: "1", groups: ["system:authenticated"] };
const ADMIN = { username: "root", groups: ["system:masters"] };

beforeAll(async () => {
  world = await startApi();
  await world.api.create("clusterrolebindings.rbac.authorization.k8s.io", {
    metadata: { name: "alice" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
    subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "alice" }],
  } as unknown as KubeObject);
});

const ask = (kind: string, spec: object, user = ALICE as typeof ADMIN, metadata: object = {}) =>
  world.auth.review(
    kind,
    { apiVersion: "authorization.k8s.io/v1", kind, metadata, spec } as unknown as KubeObject,
    user,
  );

describe("access reviews", () => {
  it.each([
    ["get", "pods", true],
    ["delete", "pods", false],
    ["get", "secrets", false],
  ])("tell whether the caller may %s %s", async (verb, resource, allowed) => {
    const answer = await ask("SelfSubjectAccessReview", {
      resourceAttributes: { verb, resource, namespace: "default" },
    });
    expect(answer.status).toMatchObject({ allowed });
  });

  it("tell about somebody else", async () => {
    const answer = await ask(
      "SubjectAccessReview",
      { user: "alice", nonResourceAttributes: { verb: "get", path: "/metrics" } },
      ADMIN,
    );
    expect(answer.status).toEqual({ allowed: false });
    const byGroup = await ask(
      "SubjectAccessReview",
      { groups: ["system:masters"], nonResourceAttributes: { verb: "get", path: "/metrics" } },
      ADMIN,
    );
    expect(byGroup.status).toMatchObject({ allowed: true });
  });

  it("say why they allow", async () => {
    const answer = await ask("SelfSubjectAccessReview", { resourceAttributes: { verb: "list", resource: "pods" } });
    expect(answer.status).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "alice" of ClusterRole "view" to User "alice"',
    });
  });

  it.each([
    ["SelfSubjectAccessReview", {}, "exactly one of nonResourceAttributes or resourceAttributes must be specified"],
    [
      "SelfSubjectAccessReview",
      { resourceAttributes: {}, nonResourceAttributes: {} },
      "cannot be specified in combination with resourceAttributes",
    ],
    ["SubjectAccessReview", { resourceAttributes: {} }, "at least one of user or group must be specified"],
    [
      "LocalSubjectAccessReview",
      { user: "a", resourceAttributes: { namespace: "other" } },
      "spec.resourceAttributes.namespace must match namespace: default",
    ],
  ])("%s of %j is refused", async (kind, spec, message) => {
    expect(await refusal(ask(kind, spec, ALICE, { namespace: "default" }))).toContain(message);
  });

  it("list the caller's rules", async () => {
    const answer = await ask("SelfSubjectRulesReview", { namespace: "default" });
    const status = answer.status as {
      resourceRules: { verbs: string[]; resources: string[] }[];
      nonResourceRules: unknown[];
      incomplete: boolean;
    };
    expect(
      status.resourceRules.some(({ resources, verbs }) => resources.includes("pods") && verbs.includes("watch")),
    ).toBe(true);
    expect(status.nonResourceRules).toContainEqual({
      verbs: ["get"],
      nonResourceURLs: expect.arrayContaining(["/version"]),
    });
    expect(status.incomplete).toBe(false);
  });
});

describe("identity reviews", () => {
  it("tell the caller who he is", async () => {
    const answer = await ask("SelfSubjectReview", {});
    expect(answer.status).toEqual({ userInfo: { username: "alice", uid: "1", groups: ["system:authenticated"] } });
  });

  it("tell whose a token is, without sending it back", async () => {
    const account = world.api.get("serviceaccounts", { namespace: "default", name: "default" }) as KubeObject;
    const issued = await world.auth.createToken(account, {
      apiVersion: "v1",
      kind: "TokenRequest",
      metadata: {} as never,
      spec: { audiences: ["vault"] },
    });
    const token = (issued.status as { token: string }).token;
    const good = await ask("TokenReview", { token, audiences: ["vault"] });
    expect(good.status).toMatchObject({
      authenticated: true,
      audiences: ["vault"],
      user: { username: "system:serviceaccount:default:default" },
    });
    expect(JSON.stringify(good)).not.toContain(token);
    expect((await ask("TokenReview", { token })).status).toMatchObject({
      authenticated: false,
      error: expect.stringContaining("audiences"),
    });
    expect((await ask("TokenReview", { token: "nonsense" })).status).toEqual({ authenticated: false, user: {} });
  });
});
