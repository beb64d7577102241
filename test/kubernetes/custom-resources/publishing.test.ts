import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { kubectlPath } from "../wire/kubectl.js";
import { DEFINITIONS_PATH, startCluster } from "./fixture.js";

const BARS = {
  description: "List of Bars and their specs.",
  type: "array",
  items: {
    type: "object",
    required: ["name"],
    properties: {
      name: { description: "Name of Bar.", type: "string" },
      age: { description: "Age of Bar.", type: "string" },
      feeling: { description: "Whether Bar is feeling great.", type: "string", enum: ["Great", "Down"] },
      bazs: { description: "List of Bazs.", type: "array", items: { type: "string" } },
    },
  },
};
const FOO = {
  description: "Foo CRD for Testing",
  type: "object",
  properties: {
    spec: { type: "object", description: "Specification of Foo", properties: { bars: BARS } },
    status: {
      type: "object",
      description: "Status of Foo",
      properties: { quxType: { type: "string", pattern: "in-tree|out-of-tree" } },
    },
  },
};
const PRESERVED = {
  description: "preserve-unknown-properties in nested field for Testing",
  type: "object",
  properties: {
    spec: {
      description: "Specification of Waldo",
      type: "object",
      "x-kubernetes-preserve-unknown-fields": true,
      properties: { dummy: { description: "Dummy property.", type: "object" } },
    },
  },
};

type Cluster = Awaited<ReturnType<typeof startCluster>>;

const definitionsOf = async ({ call }: Cluster) => (await call("/openapi/v2")).body.definitions;

describe("publishing", () => {
  it("shows each served version at once, as its schema says and with nothing added but its head", async () => {
    const cluster = await startCluster();
    const { define, patch } = cluster;
    const versions = ["v2", "v3"].map((name, index) => ({
      name,
      served: true,
      storage: index === 0,
      schema: { openAPIV3Schema: FOO },
    }));
    await define({ versions });
    const { metadata, apiVersion, kind, ...own } = (await definitionsOf(cluster))["com.example.v2.Widget"].properties;
    expect(own).toEqual(FOO.properties);
    expect(metadata.$ref).toBe("#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    expect([apiVersion.type, kind.type]).toEqual(["string", "string"]);
    const at = `${DEFINITIONS_PATH}/widgets.example.com`;
    await patch(
      at,
      [
        { op: "test", path: "/spec/versions/1/name", value: "v3" },
        { op: "replace", path: "/spec/versions/1/name", value: "v4" },
      ],
      "json-patch+json",
    );
    const renamed = await definitionsOf(cluster);
    expect(Object.keys(renamed).filter((name) => /^com\.example\..*Widget$/.test(name))).toEqual([
      "com.example.v2.Widget",
      "com.example.v4.Widget",
    ]);
    await patch(at, [{ op: "replace", path: "/spec/versions/1/served", value: false }], "json-patch+json");
    expect(await definitionsOf(cluster)).not.toHaveProperty(["com.example.v4.Widget"]);
    const index = (await cluster.call("/openapi/v3")).body.paths;
    expect(index).toHaveProperty(["apis/example.com/v2"]);
    expect(index).not.toHaveProperty(["apis/example.com/v4"]);
    expect((await cluster.call("/apis/example.com/v4/widgets")).code).toBe(404);
    const etag = (await cluster.call("/openapi/v2")).headers.etag as string;
    expect((await cluster.call("/openapi/v2", { headers: { "if-none-match": etag } })).code).toBe(304);
    await cluster.call(at, { method: "DELETE" });
    await cluster.clock.settled();
    expect(await definitionsOf(cluster)).not.toHaveProperty(["com.example.v2.Widget"]);
  });

  it("leaves out of version 2 what its readers cannot cope with, and says all in version 3", async () => {
    const cluster = await startCluster();
    await cluster.define({ plural: "empties", kind: "Empty" });
    await cluster.define({
      schema: {
        ...PRESERVED,
        properties: {
          ...PRESERVED.properties,
          either: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
          maybe: { type: "object", nullable: true, properties: { a: { type: "string" } } },
          pod: { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: { type: "object" } } },
          color: { type: "string" },
        },
      },
      version: { selectableFields: [{ jsonPath: ".color" }] },
    });
    const definitions = await definitionsOf(cluster);
    expect(definitions["com.example.v1.Empty"]).toEqual({
      type: "object",
      "x-kubernetes-group-version-kind": [{ group: "example.com", version: "v1", kind: "Empty" }],
    });
    const { properties } = definitions["com.example.v1.Widget"];
    expect(properties.spec).toEqual({
      description: "Specification of Waldo",
      "x-kubernetes-preserve-unknown-fields": true,
    });
    expect(properties.either).toEqual({ "x-kubernetes-int-or-string": true });
    expect(properties.maybe).toEqual({});
    expect(properties.pod.required).toEqual(["kind", "apiVersion"]);
    const { schemas } = (await cluster.call("/openapi/v3/apis/example.com/v1")).body.components;
    expect(schemas["com.example.v1.Widget"]["x-kubernetes-selectable-fields"]).toEqual([{ fieldPath: "color" }]);
    expect(schemas["com.example.v1.Widget"].properties.either.anyOf).toHaveLength(2);
    expect(schemas["com.example.v1.Empty"].properties.metadata).toBeDefined();
  });
});

const kubectl = kubectlPath();
const homes: string[] = [];
afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

describe.skipIf(!kubectl)("kubectl and custom resources", () => {
  it("creates, applies and explains them", async () => {
    const cluster = await startCluster();
    const home = mkdtempSync(join(tmpdir(), "eksim-custom-"));
    homes.push(home);
    const { port, tls } = cluster;
    const ca = Buffer.from(tls.caCert).toString("base64");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "demo",
      clusters: [{ name: "demo", cluster: { server: `https://127.0.0.1:${port}`, "certificate-authority-data": ca } }],
      users: [{ name: "admin", user: { token: "admin" } }],
      contexts: [{ name: "demo", context: { cluster: "demo", user: "admin", namespace: "default" } }],
    };
    writeFileSync(join(home, "config"), JSON.stringify(config));
    const run = (line: string, input?: object) =>
      new Promise<{ code: number; out: string }>((resolve) => {
        const child = execFile(
          kubectl as string,
          ["--kubeconfig", join(home, "config"), ...line.split(" ")],
          { env: { HOME: home, PATH: process.env.PATH } },
          (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, out: stdout + stderr }),
        );
        child.stdin?.end(input === undefined ? undefined : JSON.stringify(input));
      });

    await cluster.define({ schema: FOO, names: { shortNames: ["wd"] } });
    const widget = (spec: object) => ({ apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w" }, spec });
    const valid = widget({ bars: [{ name: "test-bar" }] });
    expect(await run("create -f -", valid)).toEqual({ code: 0, out: "widget.example.com/w created\n" });
    expect((await run("delete wd w")).out).toContain("deleted");
    expect(await run("apply -f -", valid)).toEqual({ code: 0, out: "widget.example.com/w created\n" });
    const changed = widget({ bars: [{ name: "other", age: "1" }] });
    expect((await run("apply -f -", changed)).out).toContain("configured");
    expect((await run("apply --server-side --force-conflicts -f -", valid)).out).toContain("serverside-applied");
    const unknown = await run("apply -f -", widget({ foo: true }));
    expect([unknown.code, unknown.out]).toEqual([1, expect.stringContaining('unknown field "spec.foo"')]);
    expect((await run("create -f -", { ...widget({ bars: [{ age: "10" }] }), metadata: { name: "x" } })).out).toContain(
      "spec.bars[0].name: Required value",
    );
    expect((await run("explain widgets")).out).toMatch(
      /DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*spec.*<Object>.*Specification of Foo/s,
    );
    expect((await run("explain widgets.metadata")).out).toMatch(
      /DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*CreationTimestamp is a timestamp/s,
    );
    expect((await run("explain widgets.spec.bars")).out).toMatch(
      /bars.*<\[\]Object>.*DESCRIPTION:.*List of Bars and their specs.*FIELDS:.*bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar/s,
    );
    const missing = await run("explain widgets.spec.bars2");
    expect([missing.code, missing.out]).toEqual([1, expect.stringContaining('field "bars2" does not exist')]);

    await cluster.define({ plural: "empties", kind: "Empty" });
    const any = { apiVersion: "example.com/v1", kind: "Empty", metadata: { name: "e" }, a: { b: [{ c: "d" }] } };
    expect((await run("create -f -", any)).code).toBe(0);
    expect((await run("delete empties e")).code).toBe(0);
    expect((await run("apply -f -", any)).code).toBe(0);
    expect((await run("explain empties")).out).toMatch(/DESCRIPTION:.*<empty>/s);

    await cluster.define({ plural: "opens", kind: "Open", schema: PRESERVED });
    const open = { ...any, kind: "Open", a: undefined, spec: { a: null, b: [{ c: "d" }] } };
    expect((await run("create -f -", open)).code).toBe(0);
    expect((await run("delete opens e")).code).toBe(0);
    expect((await run("apply -f -", open)).code).toBe(0);
    expect((await run("explain opens")).out).toMatch(/DESCRIPTION:.*preserve-unknown-properties in nested field/s);
  });
});
