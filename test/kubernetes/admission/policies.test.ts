import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { refused } from "../refused.js";
import { startSimulated } from "../simulated-cluster.js";

const GROUP = "admissionregistration.k8s.io";

const DEPLOYMENTS = {
  resourceRules: [
    { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["deployments"] },
  ],
};

const deployment = (name: string, replicas: number, metadata: object = {}) => ({
  metadata: { name, namespace: "default", labels: { app: name }, ...metadata },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
  },
});

async function world() {
  const { cluster, clock } = await startSimulated();
  const { api } = cluster;
  const make = (resource: string, object: object) => api.create(resource, object as never) as Promise<KubeObject>;
  return {
    api,
    clock,
    make,
    deploy: (name: string, replicas: number, metadata?: object) =>
      make("deployments.apps", deployment(name, replicas, metadata)),
    policy: (name: string, spec: object) =>
      make(`validatingadmissionpolicies.${GROUP}`, {
        metadata: { name },
        spec: { matchConstraints: DEPLOYMENTS, ...spec },
      }),
    bind: (name: string, policyName: string, spec: object = {}) =>
      make(`validatingadmissionpolicybindings.${GROUP}`, {
        metadata: { name },
        spec: { policyName, validationActions: ["Deny"], ...spec },
      }),
    mutate: (name: string, spec: object) =>
      make(`mutatingadmissionpolicies.${GROUP}`, {
        metadata: { name },
        spec: { matchConstraints: DEPLOYMENTS, reinvocationPolicy: "Never", ...spec },
      }),
    bindMutation: (name: string, policyName: string, spec: object = {}) =>
      make(`mutatingadmissionpolicybindings.${GROUP}`, { metadata: { name }, spec: { policyName, ...spec } }),
  };
}

describe("ValidatingAdmissionPolicy", () => {
  it("sees the Binding when a pod is bound, and nothing of the change of the pod", async () => {
    const { api, clock, make, policy, bind } = await world();
    await clock.advance(1000);
    const rule = (resources: string[]) => ({
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources }],
      },
    });
    await policy("target", {
      ...rule(["pods/binding"]),
      validations: [
        {
          expression:
            "object.kind == 'Binding' && request.operation == 'CREATE' && object.target.name != 'node-9' && oldObject == null",
        },
      ],
    });
    await bind("target", "target");
    await make("pods", {
      metadata: { name: "p", namespace: "default" },
      spec: { containers: [{ name: "c", image: "nginx" }] },
    });
    const to = (name: string) =>
      api.create("pods", { metadata: { namespace: "default", name: "p" }, target: { kind: "Node", name } } as never, {
        subresource: "binding",
      });
    expect((await refused(to("node-9"))).message).toContain("ValidatingAdmissionPolicy 'target'");
    await to("node-1");
    expect(api.get("pods", { namespace: "default", name: "p" })).toMatchObject({ spec: { nodeName: "node-1" } });
  });

  it("refuses what breaks a validation once it is bound, in upstream's words, and not before or after", async () => {
    const { api, deploy, policy, bind } = await world();
    await policy("few", {
      validations: [
        {
          expression: "object.spec.replicas <= variables.most",
          messageExpression: "'at most ' + string(variables.most)",
        },
      ],
      variables: [{ name: "most", expression: "has(object.metadata.annotations) ? 10 : 5" }],
    });
    await deploy("unbound", 20);
    await bind("few-binding", "few");
    const error = await refused(deploy("big", 6));
    expect(error.message).toBe(
      `deployments.apps "big" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few-binding' denied request: at most 5`,
    );
    expect([error.code, error.reason]).toEqual([422, "Invalid"]);
    await deploy("annotated", 6, { annotations: { a: "b" } });
    await deploy("small", 5);
    const small = api.get<KubeObject & { spec: object }>("deployments.apps", { namespace: "default", name: "small" });
    if (!small) throw new Error("no deployment");
    expect(
      (await refused(api.update("deployments.apps", { ...small, spec: { ...small.spec, replicas: 7 } }))).code,
    ).toBe(422);
    await api.delete(`validatingadmissionpolicybindings.${GROUP}`, { name: "few-binding" });
    await deploy("free", 100);
  });

  it("looks at request, namespace, user and authorizer; says why with a reason of its own; warns instead of refusing", async () => {
    const { api, deploy, policy, bind, make } = await world();
    await make("namespaces", { metadata: { name: "prod", labels: { env: "prod" } } });
    await policy("who", {
      validations: [
        {
          expression:
            "request.operation == 'CREATE' && request.kind.kind == 'Deployment' && namespaceObject.metadata.name == object.metadata.namespace",
        },
        {
          expression:
            "authorizer.group('apps').resource('deployments').namespace('kube-system').check('delete').allowed()",
          message: "no admin",
        },
        {
          expression: "authorizer.requestResource.check('create').allowed() && request.userInfo.username != 'mallory'",
          reason: "Forbidden",
        },
      ],
    });
    await bind("who-binding", "who", { matchResources: { namespaceSelector: { matchLabels: { env: "prod" } } } });
    await deploy("elsewhere", 1);
    await deploy("here", 1, { namespace: "prod" });
    const alice = api.as({ username: "alice", groups: [] }, "test");
    const error = await refused(alice.create("deployments.apps", deployment("x", 1, { namespace: "prod" }) as never));
    expect(error.message).toContain("denied request: no admin");
    const mallory = api.as({ username: "mallory", groups: ["system:masters"] }, "test");
    const other = await refused(mallory.create("deployments.apps", deployment("x", 1, { namespace: "prod" }) as never));
    expect([other.code, other.reason]).toEqual([403, "Forbidden"]);
    expect(other.message).toContain("denied request: failed expression: authorizer.requestResource");
  });

  it("takes parameters by name and by selector, and does what was asked where there are none", async () => {
    const { api, deploy, policy, bind, make } = await world();
    await policy("limit", {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      validations: [{ expression: "object.spec.replicas <= int(params.data.max)" }],
    });
    const binding = await bind("limit-binding", "limit", {
      paramRef: { name: "limits", parameterNotFoundAction: "Deny" },
    });
    expect((await refused(deploy("a", 1))).message).toContain(
      "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
    );
    await make("configmaps", {
      metadata: { name: "limits", namespace: "default", labels: { l: "1" } },
      data: { max: "3" },
    });
    await deploy("a", 3);
    expect((await refused(deploy("b", 4))).message).toContain(
      "failed expression: object.spec.replicas <= int(params.data.max)",
    );
    const spec = {
      ...(binding.spec as object),
      paramRef: { selector: { matchLabels: { l: "2" } }, parameterNotFoundAction: "Allow" },
    };
    await api.update(`validatingadmissionpolicybindings.${GROUP}`, { ...binding, spec });
    await deploy("b", 4);
  });

  it("fails or ignores errors as its failure policy says, and skips what its conditions exclude", async () => {
    const { deploy, policy, bind } = await world();
    const broken = { validations: [{ expression: "object.spec.nope == 1" }] };
    await policy("strict", {
      ...broken,
      matchConditions: [{ name: "named", expression: "object.metadata.name.startsWith('strict')" }],
    });
    await policy("lax", { ...broken, failurePolicy: "Ignore" });
    await bind("strict", "strict");
    await bind("lax", "lax");
    await deploy("other", 1);
    expect((await refused(deploy("strict-1", 1))).message).toContain(
      "denied request: expression 'object.spec.nope == 1' resulted in error: no such key: nope",
    );
  });

  it("sees a change of scale as a Scale, and warns where it is only to warn", async () => {
    const { api, deploy, policy, bind } = await world();
    const matchConstraints = {
      resourceRules: [
        { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["deployments/scale"] },
      ],
    };
    await policy("scale", {
      matchConstraints,
      validations: [
        {
          expression:
            "request.subResource == 'scale' && request.kind.kind == 'Scale' && object.kind == 'Scale' && object.spec.replicas - oldObject.spec.replicas <= 2",
        },
      ],
    });
    await bind("scale", "scale");
    await deploy("web", 1);
    const key = { namespace: "default", name: "web" };
    const scale = (replicas: number) =>
      api.patch("deployments.apps", key, "merge", { spec: { replicas } }, { subresource: "scale" });
    await scale(3);
    expect((await refused(scale(9))).message).toContain("denied request: failed expression:");
  });

  it("sees evictions as such, and not the deletions that follow", async () => {
    const { api, clock, make, policy, bind } = await world();
    await clock.advance(1000);
    const pods = (operation: string, resource: string) => ({
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: [operation], resources: [resource] }],
    });
    await policy("keep", {
      matchConstraints: pods("CREATE", "pods/eviction"),
      validations: [{ expression: "object.kind != 'Eviction' || object.metadata.name != 'kept'", message: "stays" }],
    });
    await bind("keep", "keep");
    await policy("by-eviction-only", {
      matchConstraints: pods("DELETE", "pods"),
      validations: [{ expression: "false", message: "evict it" }],
    });
    await bind("by-eviction-only", "by-eviction-only");
    const metadata = (name: string) => ({ name, namespace: "default" });
    for (const name of ["kept", "gone"])
      await make("pods", { metadata: metadata(name), spec: { containers: [{ name: "c", image: "nginx" }] } });
    const evict = (name: string) =>
      api.create("pods", { metadata: metadata(name) } as never, { subresource: "eviction" });
    expect((await refused(evict("kept"))).message).toContain("denied request: stays");
    expect((await refused(api.delete("pods", metadata("gone")))).message).toContain("denied request: evict it");
    await evict("gone");
    expect(api.get("pods", metadata("gone"))).toBeUndefined();
    expect(api.get("pods", metadata("kept"))).toBeDefined();
  });

  it("is refused itself when an expression does not compile, and tells in its status what types do not fit", async () => {
    const { api, clock, policy } = await world();
    const error = await refused(
      policy("bad", {
        validations: [{ expression: "object.x +" }, { expression: "1 + 1" }, { expression: "params.x", message: " " }],
      }),
    );
    expect(error.details?.causes?.map(({ field, message }) => `${field}: ${message?.split("\n")[0]}`)).toEqual([
      expect.stringContaining(
        `spec.validations[0].expression: Invalid value: "object.x +": compilation failed: ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>'`,
      ),
      `spec.validations[1].expression: Invalid value: "1 + 1": must evaluate to bool but got int`,
      expect.stringContaining(
        "spec.validations[2].expression: Invalid value: \"params.x\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params'",
      ),
      `spec.validations[2].message: Invalid value: " ": message must be non-empty if specified`,
    ]);
    await policy("confused", {
      validations: [
        {
          expression: "object.spec.replicas > '1'",
          messageExpression: "'wants replicas > 1, got ' + object.spec.replicas",
        },
      ],
    });
    await policy("fine", {
      validations: [{ expression: "object.spec.replicas > 1 && object.metadata.labels.app != ''" }],
    });
    await clock.advance(1000);
    const status = (name: string) =>
      api.get<
        KubeObject & { status?: { typeChecking?: { expressionWarnings?: object[] }; observedGeneration?: number } }
      >(`validatingadmissionpolicies.${GROUP}`, { name })?.status;
    expect(status("fine")).toEqual({ observedGeneration: 1, typeChecking: {} });
    expect(status("confused")?.typeChecking?.expressionWarnings).toEqual([
      {
        fieldRef: "spec.validations[0].expression",
        warning: expect.stringContaining(
          "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
        ),
      },
      {
        fieldRef: "spec.validations[0].messageExpression",
        warning: expect.stringContaining("found no matching overload for '_+_' applied to '(string, int)'"),
      },
    ]);
  });
});

describe("MutatingAdmissionPolicy", () => {
  it("applies configurations and JSON patches in order, before defaults and validation", async () => {
    const { deploy, mutate, bindMutation } = await world();
    await mutate("annotate", {
      mutations: [
        {
          patchType: "ApplyConfiguration",
          applyConfiguration: {
            expression: `Object{metadata: Object.metadata{annotations: {"mutated-by": "policy"}}, spec: Object.spec{replicas: object.spec.replicas * 2}}`,
          },
        },
        {
          patchType: "JSONPatch",
          jsonPatch: {
            expression: `[
              JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/x"), value: "y"},
              JSONPatch{op: "add", path: "/spec/template/spec/initContainers", value: [Object.spec.template.spec.initContainers{name: "init", image: "busybox"}]}
            ]`,
          },
        },
      ],
    });
    await bindMutation("annotate", "annotate");
    const made = (await deploy("web", 2)) as KubeObject & {
      spec: { replicas: number; template: { spec: { initContainers: { terminationMessagePolicy?: string }[] } } };
    };
    expect(made.metadata.annotations?.["mutated-by"]).toBe("policy");
    expect(made.metadata.labels).toEqual({ app: "web", "example.com/x": "y" });
    expect(made.spec.replicas).toBe(4);
    expect(made.spec.template.spec.initContainers[0]?.terminationMessagePolicy).toBe("File");
  });

  it("merges containers by name, and does not replace what is replaced as a whole", async () => {
    const { deploy, mutate, bindMutation } = await world();
    const container = (name: string) =>
      `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "${name}", image: "envoy"}]}}}}`;
    await mutate("sidecar", {
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression: container("proxy") } }],
    });
    await bindMutation("sidecar", "sidecar");
    const made = (await deploy("web", 1)) as KubeObject & {
      spec: { template: { spec: { containers: { name: string }[] } } };
    };
    expect(made.spec.template.spec.containers.map(({ name }) => name).sort()).toEqual(["c", "proxy"]);
    await mutate("atomic", {
      mutations: [
        {
          patchType: "ApplyConfiguration",
          applyConfiguration: {
            expression: `Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {"a": "b"}}}}`,
          },
        },
      ],
    });
    await bindMutation("atomic", "atomic");
    const error = await refused(deploy("other", 1));
    expect(error.message).toContain(
      "policy 'atomic' with binding 'atomic' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
    );
  });

  it("runs again what wants to, after something later has changed the object", async () => {
    const { deploy, mutate, bindMutation } = await world();
    const label = (key: string, value: string) => ({
      patchType: "ApplyConfiguration",
      applyConfiguration: { expression: `Object{metadata: Object.metadata{labels: {"${key}": ${value}}}}` },
    });
    await mutate("a-count", {
      reinvocationPolicy: "IfNeeded",
      mutations: [label("count", "string(size(object.metadata.labels))")],
    });
    await mutate("b-more", { mutations: [label("more", "'yes'")] });
    await bindMutation("a-count", "a-count");
    await bindMutation("b-more", "b-more");
    expect((await deploy("web", 1)).metadata.labels).toEqual({ app: "web", count: "3", more: "yes" });
  });

  it("is refused when its expression gives something else", async () => {
    const { mutate } = await world();
    const error = await refused(
      mutate("bad", {
        mutations: [
          { patchType: "JSONPatch", jsonPatch: { expression: "[1]" } },
          { patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object{a: nope}" } },
        ],
      }),
    );
    expect(error.message).toContain("must evaluate to list(JSONPatch) but got list(int)");
    expect(error.message).toContain("undeclared reference to 'nope'");
  });
});
