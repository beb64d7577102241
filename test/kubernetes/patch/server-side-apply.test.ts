import { describe, expect, it } from "vitest";
import type { StatusError } from "../../../src/kubernetes/errors.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { applyServerSide, updateManagedFields } from "../../../src/kubernetes/patch/index.js";

const T0 = Date.UTC(2026, 0, 1);
type Json = Record<string, unknown>;

/** One stored object that appliers and updaters write to in turn. */
class Stored {
  object: KubeObject | undefined;
  private now = T0;

  constructor(
    readonly typeName: string,
    readonly apiVersion: string,
  ) {}

  apply(manager: string, fields: Json, options: { force?: boolean; subresource?: string } = {}): boolean {
    const { metadata, ...rest } = fields;
    const applied = {
      apiVersion: this.apiVersion,
      kind: this.typeName,
      metadata: { name: "x", ...(metadata as Json) },
      ...rest,
    };
    const { object, changed } = applyServerSide({
      typeName: this.typeName,
      ...(this.object ? { live: this.object } : {}),
      applied,
      manager,
      apiVersion: this.apiVersion,
      nowMs: this.tick(),
      ...options,
    });
    this.object = object;
    return changed;
  }

  update(manager: string, change: (object: Json) => Json, subresource = ""): void {
    const before = this.object;
    const after = change(
      (before ?? { apiVersion: this.apiVersion, kind: this.typeName, metadata: { name: "x" } }) as Json,
    ) as KubeObject;
    const managedFields = updateManagedFields({
      typeName: this.typeName,
      ...(before ? { before } : {}),
      after,
      manager,
      operation: "Update",
      apiVersion: this.apiVersion,
      subresource,
      nowMs: this.tick(),
    });
    this.object = { ...after, metadata: { ...after.metadata, managedFields } } as KubeObject;
  }

  private tick(): number {
    this.now += 1000;
    return this.now;
  }

  get spec(): Json {
    return this.object?.spec as Json;
  }

  owned(manager: string): unknown {
    return this.object?.metadata.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1;
  }

  conflicts(act: () => void): StatusError {
    try {
      act();
    } catch (error) {
      return error as StatusError;
    }
    throw new Error("no conflict");
  }
}

const deployment = (): Stored => new Stored("Deployment", "apps/v1");
const podSpec = (containers: Json[], rest: Json = {}): Json => ({
  spec: { template: { spec: { containers, ...rest } } },
});
const containersOf = (stored: Stored): Json[] =>
  (stored.spec.template as { spec: { containers: Json[] } }).spec.containers;

describe("server-side apply", () => {
  it("creates an object and owns exactly what was applied", () => {
    const web = deployment();
    web.apply("me", {
      metadata: { labels: { app: "web" } },
      ...podSpec([{ name: "web", image: "nginx", ports: [{ containerPort: 80 }] }]),
    });
    expect(web.object?.metadata.managedFields).toEqual([
      {
        manager: "me",
        operation: "Apply",
        apiVersion: "apps/v1",
        time: "2026-01-01T00:00:01Z",
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:metadata": { "f:labels": { "f:app": {} } },
          "f:spec": {
            "f:template": {
              "f:spec": {
                "f:containers": {
                  'k:{"name":"web"}': {
                    ".": {},
                    "f:image": {},
                    "f:name": {},
                    "f:ports": { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } },
                  },
                },
              },
            },
          },
        },
      },
    ]);
  });

  it("applying the same again is no write", () => {
    const web = deployment();
    web.apply("me", { spec: { replicas: 1 } });
    const before = web.object;
    expect(web.apply("me", { spec: { replicas: 1 } })).toBe(false);
    expect(web.object).toBe(before);
  });

  it("refuses to change what another applier owns, in upstream's words", () => {
    const web = deployment();
    web.apply("one", { spec: { replicas: 1 } });
    const error = web.conflicts(() => web.apply("two", { spec: { replicas: 2 } }));
    expect(error.toStatus()).toMatchObject({
      code: 409,
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
      details: {
        causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.replicas" }],
      },
    });
  });

  it("names version and subresource of updaters, and lists several conflicts by manager", () => {
    const web = deployment();
    web.update("kubectl-client-side-apply", (object) => ({ ...object, spec: { replicas: 1, paused: true } }));
    const one = web.conflicts(() => web.apply("me", { spec: { replicas: 2 } }));
    expect(one.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    );
    web.update("scaler", (object) => ({ ...object, spec: { ...web.spec, replicas: 3 } }), "scale");
    const two = web.conflicts(() => web.apply("me", { spec: { replicas: 2, paused: false } }));
    expect(two.message).toBe(
      [
        'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:',
        "- .spec.paused",
        'conflicts with "scaler" with subresource "scale" using apps/v1:',
        "- .spec.replicas",
      ].join("\n"),
    );
  });

  it("takes the field from its owner when forced", () => {
    const web = deployment();
    web.apply("one", { spec: { replicas: 1, paused: true } });
    web.apply("two", { spec: { replicas: 2 } }, { force: true });
    expect(web.spec.replicas).toBe(2);
    expect(web.owned("one")).toEqual({ "f:spec": { "f:paused": {} } });
    expect(web.owned("two")).toEqual({ "f:spec": { "f:replicas": {} } });
  });

  it("shares a field that both apply with the same value, and keeps it until the last owner lets go", () => {
    const web = deployment();
    web.apply("one", { spec: { replicas: 1, paused: true } });
    web.apply("two", { spec: { replicas: 1 } });
    web.apply("one", { spec: { paused: true } });
    expect(web.spec).toEqual({ replicas: 1, paused: true });
    web.apply("two", {});
    expect(web.spec).toEqual({ paused: true });
    expect(web.owned("two")).toBeUndefined();
  });

  it("removes fields, keys and items that are no longer applied, and the containers they leave empty", () => {
    const web = deployment();
    web.apply("me", {
      metadata: { labels: { a: "1", b: "2" }, annotations: { x: "y" } },
      ...podSpec([
        { name: "a", image: "1", env: [{ name: "E", value: "1" }] },
        { name: "b", image: "2" },
      ]),
    });
    web.apply("me", { metadata: { labels: { a: "1" } }, ...podSpec([{ name: "a", image: "1" }]) });
    expect(web.object?.metadata.labels).toEqual({ a: "1" });
    expect(web.object?.metadata).not.toHaveProperty("annotations");
    expect(containersOf(web)).toEqual([{ name: "a", image: "1" }]);
  });

  it("does not remove what an updater has set inside an applied map", () => {
    const web = deployment();
    web.apply("me", { metadata: { labels: { a: "1" } } });
    web.update("other", (object) => ({
      ...object,
      metadata: { ...(object.metadata as Json), labels: { a: "1", b: "2" } },
    }));
    web.apply("me", {});
    expect(web.object?.metadata.labels).toEqual({ b: "2" });
  });

  it("leaves defaulted fields of an item alone until the item itself goes", () => {
    const web = deployment();
    web.apply(
      "me",
      podSpec([
        { name: "a", image: "1" },
        { name: "b", image: "2" },
      ]),
    );
    const defaulted = containersOf(web).map((container) => ({ ...container, imagePullPolicy: "Always" }));
    web.object = { ...(web.object as KubeObject), ...podSpec(defaulted) };
    web.apply("me", podSpec([{ name: "a", image: "3" }]));
    expect(containersOf(web)).toEqual([{ name: "a", image: "3", imagePullPolicy: "Always" }]);
  });

  it("tells items with the same port apart by protocol, TCP being the default", () => {
    const web = new Stored("Service", "v1");
    web.apply("me", {
      spec: {
        ports: [
          { port: 53, name: "a" },
          { port: 53, protocol: "UDP", name: "b" },
        ],
      },
    });
    web.apply("other", { spec: { ports: [{ port: 53, protocol: "TCP", name: "a" }] } });
    expect(web.spec.ports).toEqual([
      { port: 53, name: "a", protocol: "TCP" },
      { port: 53, protocol: "UDP", name: "b" },
    ]);
  });

  it("owns sets by value and atomic parts as a whole", () => {
    const web = deployment();
    web.apply("me", { metadata: { finalizers: ["a/b"] }, spec: { selector: { matchLabels: { app: "web" } } } });
    expect(web.owned("me")).toEqual({
      "f:metadata": { "f:finalizers": { 'v:"a/b"': {} } },
      "f:spec": { "f:selector": {} },
    });
    web.apply("other", { metadata: { finalizers: ["c/d"] } });
    expect(web.object?.metadata.finalizers).toEqual(["a/b", "c/d"]);
    const error = web.conflicts(() => web.apply("other", { spec: { selector: { matchLabels: { app: "x" } } } }));
    expect(error.details?.causes?.map(({ field }) => field)).toEqual([".spec.selector"]);
  });

  it("replaces atomic lists instead of merging them", () => {
    const pod = new Stored("Pod", "v1");
    pod.apply("me", { spec: { tolerations: [{ key: "a" }, { key: "b" }] } });
    pod.apply("me", { spec: { tolerations: [{ key: "c" }] } });
    expect(pod.spec.tolerations).toEqual([{ key: "c" }]);
  });

  it("keeps the applied order of items and the place of the others", () => {
    const web = deployment();
    web.apply("one", podSpec([{ name: "a" }, { name: "b" }, { name: "c" }]));
    web.apply("two", podSpec([{ name: "c" }, { name: "d" }, { name: "a" }]));
    expect(containersOf(web).map(({ name }) => name)).toEqual(["b", "c", "d", "a"]);
  });

  it("keeps spec and status apart by subresource", () => {
    const web = deployment();
    web.apply("me", { spec: { replicas: 1 }, status: { replicas: 5 } });
    expect(web.owned("me")).toEqual({ "f:spec": { "f:replicas": {} } });
    web.apply("status-writer", { spec: { replicas: 9 }, status: { replicas: 1 } }, { subresource: "status" });
    expect(web.owned("status-writer")).toEqual({ "f:status": { "f:replicas": {} } });
  });

  it("takes custom resources for granular maps and atomic lists", () => {
    const widget = new Stored("example.com/Widget", "example.com/v1");
    widget.apply("me", { spec: { a: { b: 1 }, list: [{ name: "x" }] } });
    expect(widget.owned("me")).toEqual({
      "f:spec": { ".": {}, "f:a": { ".": {}, "f:b": {} }, "f:list": {} },
    });
    widget.apply("other", { spec: { a: { c: 2 } } });
    widget.apply("me", { spec: { list: [] } });
    expect(widget.spec).toEqual({ a: { c: 2 }, list: [] });
  });

  it("lets kubectl take over its own client-side apply, but not what others changed since", () => {
    const sent = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "x" },
      spec: { replicas: 1, paused: true },
    };
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(sent) };
    const web = deployment();
    web.update("kubectl-client-side-apply", () => ({ ...sent, metadata: { name: "x", annotations } }));
    web.apply("kubectl", { spec: { replicas: 2, paused: true } });
    expect(web.spec.replicas).toBe(2);
    const kept = web.object?.metadata.annotations?.["kubectl.kubernetes.io/last-applied-configuration"] ?? "";
    expect(kept).toBe(
      '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{},"name":"x"},"spec":{"paused":true,"replicas":2}}\n',
    );

    web.update("edit", (object) => ({ ...object, spec: { ...web.spec, paused: false } }));
    const error = web.conflicts(() => web.apply("kubectl", { spec: { replicas: 2, paused: true } }));
    expect(error.message).toBe('Apply failed with 1 conflict: conflict with "edit" using apps/v1: .spec.paused');
  });

  const refused: [string, Json, number, string][] = [
    [
      "another apiVersion",
      { apiVersion: "apps/v2" },
      400,
      "Incorrect version specified in apply patch. Specified patch version: apps/v2, expected: apps/v1",
    ],
    ["managedFields", { metadata: { managedFields: [] } }, 400, "metadata.managedFields must be nil"],
    [
      "an unknown field",
      { spec: { foo: 1 } },
      500,
      "failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema",
    ],
    [
      "a number for a string",
      podSpec([{ name: "a", env: [{ name: "PORT", value: 80 }] }]),
      500,
      'failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.template.spec.containers[name="a"].env[name="PORT"].value: expected string, got &value.valueUnstructured{Value:80}',
    ],
    [
      "text for a number and for a truth",
      { spec: { replicas: "many", paused: "yes" } },
      500,
      "failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): errors:\n  .spec.replicas: expected numeric (int or float), got string\n  .spec.paused: expected boolean, got &{yes}",
    ],
    [
      "the same item twice",
      podSpec([{ name: "a" }, { name: "a" }]),
      500,
      'failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      "several mistakes",
      { spec: { foo: 1, template: [] } },
      500,
      "failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): errors:\n  .spec.foo: field not declared in schema\n  .spec.template: expected map, got list",
    ],
  ];
  it.each(refused)("refuses %s", (_, { metadata, ...rest }, code, message) => {
    const applied = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      ...rest,
      metadata: { name: "x", namespace: "ns", ...(metadata as Json) },
    };
    const act = (): unknown =>
      applyServerSide({ typeName: "Deployment", applied, manager: "me", apiVersion: "apps/v1", nowMs: T0 });
    expect(act).toThrow(expect.objectContaining({ code, message }));
  });

  it("takes an item without its key for one of which the key is empty, which is for validation to refuse", () => {
    const { spec } = podSpec([{ image: "a" }]) as { spec: Json };
    const applied = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" }, spec };
    const request = { typeName: "Deployment", applied, manager: "me", apiVersion: "apps/v1", nowMs: T0 };
    expect(applyServerSide(request as never).object.spec).toMatchObject(spec);
  });

  it("refuses another kind, and what does not say what it is", () => {
    const metadata = { name: "x" };
    for (const [applied, gvk] of [
      [{ metadata }, "/, Kind="],
      [{ apiVersion: "v1", kind: "Secret", metadata }, "/v1, Kind=Secret"],
      [{ apiVersion: "apps/v1", kind: "ReplicaSet", metadata }, "apps/v1, Kind=ReplicaSet"],
    ] as const) {
      const request = { typeName: "Deployment", kind: "Deployment", applied, manager: "me", apiVersion: "apps/v1" };
      expect(() => applyServerSide({ ...request, nowMs: T0 } as never)).toThrow(`invalid object type: ${gvk}`);
    }
  });
});

describe("managedFields of updates", () => {
  it("a new object's containers count only where Go would leave them out", () => {
    const web = deployment();
    web.update("kubectl-create", (object) => ({
      ...object,
      metadata: { name: "x", uid: "u", labels: { app: "web" } },
      ...podSpec([{ name: "a", resources: {} }], { securityContext: {} }),
      status: {},
    }));
    expect(web.owned("kubectl-create")).toEqual({
      "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
      "f:spec": {
        "f:template": {
          "f:spec": {
            "f:containers": { 'k:{"name":"a"}': { ".": {}, "f:name": {}, "f:resources": {} } },
            "f:securityContext": {},
          },
        },
      },
    });
  });

  it("moves a changed field to the writer and forgets a removed one and an empty manager", () => {
    const web = deployment();
    web.update("one", (object) => ({ ...object, spec: { replicas: 1, paused: true } }));
    web.update("two", (object) => ({ ...object, spec: { replicas: 2 } }));
    expect(web.owned("one")).toBeUndefined();
    expect(web.owned("two")).toEqual({ "f:spec": { "f:replicas": {} } });
  });

  it("keeps entries of status apart, and a write of one does not touch the other", () => {
    const web = deployment();
    web.update("me", (object) => ({ ...object, spec: { replicas: 1 } }));
    web.update("controller", (object) => ({ ...object, status: { replicas: 1 } }), "status");
    expect(web.object?.metadata.managedFields).toMatchObject([
      { manager: "me", fieldsV1: { "f:spec": { "f:replicas": {} } } },
      { manager: "controller", subresource: "status", fieldsV1: { "f:status": { "f:replicas": {} } } },
    ]);
    web.update("me", (object) => ({ ...object, status: { replicas: 7 } }));
    expect(web.owned("controller")).toEqual({ "f:status": { "f:replicas": {} } });
  });

  it("orders appliers before updaters and then by time", () => {
    const web = deployment();
    web.update("b", (object) => ({ ...object, spec: { replicas: 1 } }));
    web.update("a", (object) => ({ ...object, spec: { replicas: 1, paused: true } }));
    web.apply("z", { spec: { minReadySeconds: 1 } });
    expect(web.object?.metadata.managedFields?.map(({ manager }) => manager)).toEqual(["z", "b", "a"]);
  });

  it("a write that changes nothing changes no entry", () => {
    const web = deployment();
    web.update("me", (object) => ({ ...object, spec: { replicas: 1 } }));
    const before = web.object?.metadata.managedFields;
    web.update("other", (object) => ({ ...object, spec: { replicas: 1 } }));
    expect(web.object?.metadata.managedFields).toEqual(before);
  });

  it("a label may be called like a member of every object", () => {
    const web = deployment();
    web.update("one", (object) => ({ ...object, metadata: { name: "x", labels: { constructor: "a", b: "c" } } }));
    web.update("two", (object) => ({ ...object, metadata: { ...(object.metadata as Json), labels: { b: "c" } } }));
    expect(web.owned("one")).toEqual({ "f:metadata": { "f:labels": { ".": {}, "f:b": {} } } });
  });

  it("merges the oldest of more than ten updaters into ancient-changes", () => {
    const web = deployment();
    for (let index = 0; index < 14; index++) {
      web.update(`m${index}`, (object) => {
        const metadata = object.metadata as Json;
        return { ...object, metadata: { ...metadata, labels: { ...(metadata.labels as Json), [`l${index}`]: "x" } } };
      });
    }
    const managers = web.object?.metadata.managedFields?.map(({ manager }) => manager) ?? [];
    expect(managers).toHaveLength(10);
    expect(managers[0]).toBe("ancient-changes");
    expect(web.owned("ancient-changes")).toEqual({
      "f:metadata": { "f:labels": { ".": {}, "f:l0": {}, "f:l1": {}, "f:l2": {}, "f:l3": {}, "f:l4": {} } },
    });
  });

  it("clients may replace or reset the entries, and those that do not know them change nothing", () => {
    const web = deployment();
    web.update("me", (object) => ({ ...object, spec: { replicas: 1 } }));
    const own = web.owned("me");
    web.update("old-client", (object) => {
      const { managedFields: _, ...metadata } = object.metadata as Json;
      return { ...object, metadata };
    });
    expect(web.owned("me")).toEqual(own);
    const broken = [{ manager: "x" }, { fieldsV1: 5 }, { fieldsV1: { "f:spec": null } }, { fieldsV1: { "k:{": {} } }];
    for (const entry of broken) {
      web.update("bad-client", (object) => ({
        ...object,
        metadata: { ...(object.metadata as Json), managedFields: [entry] },
      }));
      expect(web.owned("me")).toEqual(own);
    }
    web.update("kubectl", (object) => ({ ...object, metadata: { ...(object.metadata as Json), managedFields: [{}] } }));
    expect(web.object?.metadata.managedFields).toBeUndefined();
  });
});
