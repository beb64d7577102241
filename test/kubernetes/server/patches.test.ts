import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "./server-fixture.js";

let server: Awaited<ReturnType<typeof startServer>>;
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const TEMPLATE = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "nginx" }] } };

beforeAll(async () => {
  server = await startServer();
  const spec = { replicas: 2, selector: { matchLabels: { a: "b" } }, template: TEMPLATE };
  for (const name of ["strict", "scaled"])
    await server.call(DEPLOYMENTS, { method: "POST", body: { metadata: { name }, spec } });
});
afterAll(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

const patch = (path: string, sort: string, body: unknown) =>
  server.call(`${DEPLOYMENTS}/${path}`, { method: "PATCH", body, headers: { "content-type": `application/${sort}` } });

describe("a patch that is looked at strictly", () => {
  const twice = '{"spec":{"unknown1":"x","paused":true,"paused":false}}';
  const operations =
    '[{"op":"add","path":"/spec/unknown1","value":"x","foo":"bar"},{"op":"add","path":"/spec/replicas","path":"/spec/paused","value":true}]';

  it.each([
    ["merge-patch+json", twice, 'duplicate field "spec.paused", unknown field "spec.unknown1"'],
    ["strategic-merge-patch+json", twice, 'duplicate field "spec.paused", unknown field "spec.unknown1"'],
    [
      "json-patch+json",
      operations,
      'json patch unknown field "[0].foo", json patch duplicate field "[1].path", unknown field "spec.unknown1"',
    ],
  ])("names all that is wrong with it: %s", async (sort, body, complaints) => {
    const refused = await patch("strict?fieldValidation=Strict", sort, body);
    expect(refused).toMatchObject({ code: 422, body: { reason: "Invalid" } });
    expect(refused.body.message).toMatch(/^ "" is invalid: patch: Invalid value: "/);
    expect(refused.body.message.endsWith(`: strict decoding error: ${complaints}`)).toBe(true);
    const warned = await patch("strict?fieldValidation=Warn", sort, body);
    expect(warned.code).toBe(200);
    expect(String(warned.headers.warning).match(/299 - /g)).toHaveLength(complaints.split(", ").length);
    expect((await patch("strict?fieldValidation=Ignore", sort, body)).headers.warning).toBeUndefined();
  });

  it("and one that makes a field another type is refused as a whole, strictly or not", async () => {
    const refused = await patch("strict", "merge-patch+json", { spec: { replicas: "many" } });
    expect(refused.code).toBe(422);
    expect(refused.body.message).toMatch(/^ "" is invalid: patch: Invalid value: .*: json: cannot unmarshal string/);
  });

  it("and an applied document with a field twice is refused too", async () => {
    const document = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  paused: true\n  paused: false\n";
    const refused = await patch("strict?fieldValidation=Strict&fieldManager=m", "apply-patch+yaml", document);
    expect(refused.code).toBe(400);
    expect(refused.body.message).toContain('line 5: key "paused" already set in map');
  });
});

describe("an applied scale", () => {
  const apply = (manager: string, replicas: number, query = "") =>
    patch(`scaled/scale?fieldManager=${manager}${query}`, "apply-patch+yaml", {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "scaled" },
      spec: { replicas },
    });

  it("owns the replicas of the object, and conflicts with other owners of them", async () => {
    expect((await apply("first", 3)).body.message).toMatch(
      /^Apply failed with 1 conflict: conflict with "unknown" using apps\/v1: \.spec\.replicas$/,
    );
    const taken = await apply("first", 3, "&force=true");
    expect(taken).toMatchObject({ code: 200, body: { kind: "Scale", spec: { replicas: 3 } } });
    const { metadata, spec } = (await server.call(`${DEPLOYMENTS}/scaled`)).body;
    expect(spec.replicas).toBe(3);
    expect(metadata.generation).toBe(2);
    expect(metadata.managedFields).toContainEqual({
      manager: "first",
      operation: "Apply",
      apiVersion: "apps/v1",
      subresource: "scale",
      time: expect.any(String),
      fieldsType: "FieldsV1",
      fieldsV1: { "f:spec": { "f:replicas": {} } },
    });
    const again = await apply("first", 3);
    expect(again.body.metadata.resourceVersion).toBe(taken.body.metadata.resourceVersion);
    expect((await apply("second", 4)).body.message).toBe(
      'Apply failed with 1 conflict: conflict with "first" with subresource "scale": .spec.replicas',
    );
    const main = await patch("scaled?fieldManager=third", "apply-patch+yaml", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "scaled" },
      spec: { replicas: 5 },
    });
    expect(main.code).toBe(409);
  });

  it("is of autoscaling/v1 and of something that exists", async () => {
    const wrong = { apiVersion: "autoscaling/v2", kind: "Scale", spec: { replicas: 1 } };
    expect((await patch("scaled/scale?fieldManager=m", "apply-patch+yaml", wrong)).code).toBe(400);
    const absent = { apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 1 } };
    expect((await patch("absent/scale?fieldManager=m", "apply-patch+yaml", absent)).code).toBe(404);
  });
});

describe("an applied object", () => {
  const apply = (path: string, body: object, query = "fieldManager=m") =>
    server.call(`${path}?${query}`, {
      method: "PATCH",
      body,
      headers: { "content-type": "application/apply-patch+yaml" },
    });

  it("may say nothing but its name", async () => {
    const bare = { apiVersion: "v1", kind: "Namespace", metadata: { name: "bare" } };
    const created = await apply("/api/v1/namespaces/bare", bare);
    expect(created.code).toBe(201);
    expect(created.body.metadata.managedFields).toBeUndefined();
    const again = await apply("/api/v1/namespaces/bare", bare);
    expect([again.code, again.body.metadata.resourceVersion]).toEqual([200, created.body.metadata.resourceVersion]);
    await apply("/api/v1/namespaces/bare", { ...bare, metadata: { name: "bare", labels: { a: "b" } } });
    const emptied = await apply("/api/v1/namespaces/bare", bare);
    expect(emptied.body.metadata.labels?.a).toBeUndefined();
  });

  it("is of the name in the path, by a manager that can be read", async () => {
    const other = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "other" } };
    const path = "/api/v1/namespaces/default/configmaps/mine";
    expect((await apply(path, other)).body.message).toBe(
      "the name of the object (other) does not match the name on the URL (mine)",
    );
    expect((await server.call(path, { method: "PUT", body: other })).code).toBe(400);
    for (const [query, message] of [
      ["", "fieldManager: Required value: is required for apply patch"],
      ["fieldManager=a%00b", 'fieldManager: Invalid value: "a\\u0000b": invalid character U+0000 (at position 1)'],
      [`fieldManager=${"x".repeat(129)}`, "fieldManager: Too long: may not be more than 128 bytes"],
    ] as const) {
      const refused = await apply(path, { ...other, metadata: { name: "mine" } }, query);
      expect([refused.code, refused.body.message]).toEqual([422, `PatchOptions.meta.k8s.io "" is invalid: ${message}`]);
    }
  });
});
