import { beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import type { PolicyRule } from "../../../src/kubernetes/schema/generated/types.js";
import { refusal, type SimulatedApi, startApi } from "./simulated-api.js";

const RBAC = "rbac.authorization.k8s.io";
const USER = (name: string) => ({ kind: "User", apiGroup: RBAC, name });

const clusterRole = (name: string, rules: PolicyRule[], labels = {}) => ({ metadata: { name, labels }, rules });
const binding = (name: string, role: string, subjects: object[], namespace?: string) =>
  ({
    metadata: { name, namespace },
    roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: role },
    subjects,
  }) as unknown as KubeObject;

let world: SimulatedApi;
beforeEach(async () => {
  world = await startApi();
});

function may(
  username: string,
  verb: string,
  target: string,
  options: { groups?: string[]; name?: string } = {},
): boolean {
  const user = { username, groups: options.groups ?? ["system:authenticated"] };
  const rbac = world.auth.authorizers.at(-1);
  if (target.startsWith("/")) return rbac?.authorize({ user, verb, path: target }).decision === "allow";
  const [namespace, group, path] = target.split(":") as [string, string, string];
  const [resource, subresource] = path.split("/") as [string, string | undefined];
  const attributes = {
    group,
    version: "v1",
    resource,
    subresource,
    namespace: namespace || undefined,
    name: options.name,
  };
  return rbac?.authorize({ user, verb, resource: attributes }).decision === "allow";
}

describe("RBAC", () => {
  const rules: PolicyRule[] = [
    { verbs: ["get", "list"], apiGroups: [""], resources: ["pods", "pods/log"] },
    { verbs: ["*"], apiGroups: ["apps"], resources: ["deployments"], resourceNames: ["web"] },
    { verbs: ["get"], apiGroups: ["*"], resources: ["*/scale"] },
    { verbs: ["get"], nonResourceURLs: ["/metrics", "/debug/*"] },
  ];

  beforeEach(async () => {
    await world.api.create(`clusterroles.${RBAC}`, clusterRole("r", rules));
    await world.api.create(`clusterrolebindings.${RBAC}`, binding("everywhere", "r", [USER("alice")]));
    await world.api.create(
      `rolebindings.${RBAC}`,
      binding("here", "r", [{ kind: "ServiceAccount", name: "sa", namespace: "default" }], "default"),
    );
  });

  const SA = "system:serviceaccount:default:sa";
  it.each([
    ["alice", "get", "default::pods", true],
    ["alice", "list", "::pods", true],
    ["alice", "delete", "default::pods", false],
    ["alice", "get", "default::pods/log", true],
    ["alice", "get", "default::pods/exec", false],
    ["alice", "get", "default:apps:pods", false],
    ["alice", "get", "default:apps:statefulsets/scale", true],
    ["alice", "get", "default:apps:statefulsets", false],
    ["alice", "get", "/metrics", true],
    ["alice", "get", "/debug/pprof/heap", true],
    ["alice", "post", "/metrics", false],
    ["alice", "get", "/metrics/slis", false],
    ["bob", "get", "default::pods", false],
    [SA, "get", "default::pods", true],
    [SA, "get", "kube-system::pods", false],
    [SA, "list", "::pods", false],
    [SA, "get", "/metrics", false],
  ])("%s may %s %s: %s", (user, verb, target, allowed) => {
    expect(may(user, verb, target)).toBe(allowed);
  });

  it("restricts named resources to their names", () => {
    expect(may("alice", "update", "default:apps:deployments", { name: "web" })).toBe(true);
    expect(may("alice", "update", "default:apps:deployments", { name: "other" })).toBe(false);
    expect(may("alice", "list", "default:apps:deployments")).toBe(false);
  });

  it("tells which binding allowed a request", () => {
    const user = { username: SA, groups: [] };
    const answer = world.auth.authorizers.at(-1)?.authorize({
      user,
      verb: "get",
      resource: { group: "", version: "v1", resource: "pods", namespace: "default" },
    });
    expect(answer?.reason).toBe(
      'RBAC: allowed by RoleBinding "here/default" of ClusterRole "r" to ServiceAccount "sa/default"',
    );
  });

  it("follows changes of roles and bindings at once", async () => {
    expect(may("alice", "get", "default::pods")).toBe(true);
    await world.api.delete(`clusterrolebindings.${RBAC}`, { name: "everywhere" });
    expect(may("alice", "get", "default::pods")).toBe(false);
    await world.api.create(`clusterrolebindings.${RBAC}`, binding("later", "not-yet-there", [USER("alice")]));
    expect(may("alice", "get", "default::secrets")).toBe(false);
    await world.api.create(
      `clusterroles.${RBAC}`,
      clusterRole("not-yet-there", [{ verbs: ["get"], apiGroups: [""], resources: ["secrets"] }]),
    );
    expect(may("alice", "get", "default::secrets")).toBe(true);
  });

  it.each([
    ["system:masters", "delete", "::nodes", true],
    ["system:authenticated", "get", "/api/v1", true],
    ["system:authenticated", "get", "/version", true],
    ["system:unauthenticated", "get", "/version", true],
    ["system:unauthenticated", "get", "/readyz", true],
    ["system:unauthenticated", "get", "/api", false],
    ["system:authenticated", "create", ":authorization.k8s.io:selfsubjectaccessreviews", true],
    ["system:unauthenticated", "create", ":authorization.k8s.io:selfsubjectaccessreviews", false],
    ["system:authenticated", "list", "default::pods", false],
    ["system:nodes", "patch", "::nodes/status", false],
    ["system:nodes", "delete", "::secrets", false],
  ])("a new cluster lets the group %s %s %s: %s", (group, verb, target, allowed) => {
    expect(may("somebody", verb, target, { groups: [group] })).toBe(allowed);
  });

  it.each([
    ["view", "get", "default::pods", true],
    ["view", "get", "default::secrets", false],
    ["view", "create", "default::pods", false],
    ["edit", "create", "default:apps:deployments", true],
    ["edit", "get", "default::secrets", true],
    ["edit", "create", `default:${RBAC}:roles`, false],
    ["admin", "create", `default:${RBAC}:roles`, true],
    ["admin", "create", "default::resourcequotas", false],
    ["cluster-admin", "delete", "::nodes", true],
  ])("the user-facing role %s may %s %s: %s", async (role, verb, target, allowed) => {
    await world.api.create(`clusterrolebindings.${RBAC}`, binding("test", role, [USER("carol")]));
    expect(may("carol", verb, target)).toBe(allowed);
  });

  it("decides in microseconds", () => {
    may("alice", "get", "default::pods");
    // Of the processor's time: a busy machine may take long to give it.
    const started = process.cpuUsage();
    for (let count = 0; count < 10_000; count++) may("alice", "delete", "default::pods");
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 10_000).toBeLessThan(100);
  });
});

describe("escalation", () => {
  const role = (verbs: string[]) => ({
    metadata: { name: "new", namespace: "default" },
    rules: [{ verbs, apiGroups: [""], resources: ["pods"] }],
  });
  beforeEach(async () => {
    // dave may manage roles, and read pods, but nothing else.
    await world.api.create(
      `clusterroles.${RBAC}`,
      clusterRole("dave", [
        { verbs: ["*"], apiGroups: [RBAC], resources: ["roles", "rolebindings"] },
        { verbs: ["get", "list"], apiGroups: [""], resources: ["pods"] },
      ]),
    );
    await world.api.create(`rolebindings.${RBAC}`, binding("dave", "dave", [USER("dave")], "default"));
    // dave's `*` on roles includes `escalate` and `bind`; erin has plain verbs.
    await world.api.create(
      `clusterroles.${RBAC}`,
      clusterRole("erin", [
        { verbs: ["create", "update", "get"], apiGroups: [RBAC], resources: ["roles", "rolebindings"] },
        { verbs: ["get", "list"], apiGroups: [""], resources: ["pods"] },
      ]),
    );
    await world.api.create(`rolebindings.${RBAC}`, binding("erin", "erin", [USER("erin")], "default"));
  });

  it("refuses a role with more rights than its author has, and names them", async () => {
    const erin = world.as({ username: "erin", groups: ["system:authenticated"] });
    expect(await refusal(erin.create(`roles.${RBAC}`, role(["get", "delete"])))).toBe(
      'roles.rbac.authorization.k8s.io "new" is forbidden: user "erin" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
    );
    expect(await refusal(erin.create(`roles.${RBAC}`, role(["get", "list"])))).toBe("(no refusal)");
  });

  it("lets the holder of `escalate` write any role, and masters anyway", async () => {
    expect(await refusal(world.as({ username: "dave" }).create(`roles.${RBAC}`, role(["delete"])))).toBe(
      "(no refusal)",
    );
    expect(
      await refusal(
        world.api.create(
          `clusterroles.${RBAC}`,
          clusterRole("any", [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }]),
        ),
      ),
    ).toBe("(no refusal)");
  });

  it("refuses to bind a role that gives more than the binder has, unless he may bind it", async () => {
    const erin = world.as({ username: "erin" });
    expect(await refusal(erin.create(`rolebindings.${RBAC}`, binding("b", "view", [USER("x")], "default")))).toContain(
      "attempting to grant RBAC permissions not currently held",
    );
    expect(await refusal(erin.create(`rolebindings.${RBAC}`, binding("b", "nothing", [USER("x")], "default")))).toBe(
      'clusterroles.rbac.authorization.k8s.io "nothing" not found',
    );
    await world.api.create(
      `clusterroles.${RBAC}`,
      clusterRole("binder", [
        { verbs: ["bind"], apiGroups: [RBAC], resources: ["clusterroles"], resourceNames: ["view"] },
      ]),
    );
    await world.api.create(`clusterrolebindings.${RBAC}`, binding("binder", "binder", [USER("erin")]));
    expect(await refusal(erin.create(`rolebindings.${RBAC}`, binding("b", "view", [USER("x")], "default")))).toBe(
      "(no refusal)",
    );
  });
});
