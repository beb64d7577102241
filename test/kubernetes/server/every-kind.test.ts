/** Every built-in kind through the life that tools give it: made and replaced in protobuf, patched in all four ways, its status written, shown, deleted. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { encodeObject } from "../wire/encode-protobuf.js";
import { type Fields, KINDS } from "./kinds.js";
import { startServer } from "./server-fixture.js";

const INFOS = builtinResources();
const PROTOBUF = {
  "content-type": "application/vnd.kubernetes.protobuf",
  accept: "application/vnd.kubernetes.protobuf,application/json",
};
const ALL = Object.entries(KINDS).flatMap(([apiVersion, kinds]) => kinds.map((kind) => ({ apiVersion, ...kind })));

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

describe("over the wire", () => {
  it.each(ALL)("$apiVersion $resource", async ({ apiVersion, resource, fields, status }) => {
    const info = INFOS.find(
      (known) => known.resource === resource && `${known.group && `${known.group}/`}${known.version}` === apiVersion,
    );
    if (!info) throw new Error(`no ${resource} in ${apiVersion}`);
    const { kind, type, namespaced } = info;
    const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
    const collection = `${root}${namespaced ? "/namespaces/default" : ""}/${resource}`;
    const name = resource === "ipaddresses" ? "255.255.255.255" : "life";
    const path = `${collection}/${name}`;
    const metadata = { name, labels: { made: "here" }, ...(namespaced ? { namespace: "default" } : {}) };
    const call = async (method: string, url: string, body?: unknown, headers?: Record<string, string>) => {
      const reply = await server.call(url, { method, body, ...(headers ? { headers } : {}) });
      expect([method, url, reply.code, reply.code < 300 ? "" : reply.text]).toEqual([
        method,
        url,
        reply.code < 300 ? reply.code : 200,
        "",
      ]);
      return reply;
    };
    const inProtobuf = ({ metadata: { managedFields: _, ...meta }, ...rest }: { metadata: Fields } & Fields) =>
      encodeObject(type, { ...rest, metadata: meta, apiVersion, kind });

    const created = await call(
      "POST",
      `${collection}?fieldValidation=Strict`,
      inProtobuf({ ...fields, metadata }),
      PROTOBUF,
    );
    expect(created).toMatchObject({ code: 201, body: { apiVersion, kind, metadata } });
    expect((await call("GET", `${root}/${resource}?labelSelector=made%3Dhere`)).body.items).toHaveLength(1);

    const patches: [type: string, document: unknown, query?: string][] = [
      ["merge-patch+json", { metadata: { annotations: { merged: "1" } } }],
      ["strategic-merge-patch+json", { metadata: { labels: { strategic: "1" } } }],
      ["json-patch+json", [{ op: "add", path: "/metadata/labels/json", value: "1" }]],
      [
        "apply-patch+yaml",
        { apiVersion, kind, metadata: { ...metadata, labels: { applied: "1" } } },
        "&fieldManager=a",
      ],
    ];
    for (const [sort, document, query = ""] of patches)
      await call("PATCH", `${path}?fieldValidation=Strict${query}`, document, {
        "content-type": `application/${sort}`,
      });
    const current = (await call("GET", path)).body;
    expect(current.metadata.labels).toMatchObject({ made: "here", strategic: "1", json: "1", applied: "1" });
    current.metadata.annotations.replaced = "1";
    const replaced = await call("PUT", path, inProtobuf(current), PROTOBUF);
    expect(replaced.body.metadata.annotations).toMatchObject({ merged: "1", replaced: "1" });

    if (status) {
      const patched = await call(
        "PATCH",
        `${path}/status`,
        { status },
        { "content-type": "application/merge-patch+json" },
      );
      expect(patched.body.status).toMatchObject(status);
      expect((await call("GET", `${path}/status`)).body.status).toMatchObject(status);
      await call("PUT", `${path}/status`, inProtobuf(patched.body), PROTOBUF);
    }
    const table = await call("GET", path, undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    expect(table.body.rows[0].cells).toHaveLength(table.body.columnDefinitions.length);

    await call(
      "DELETE",
      path,
      encodeObject("DeleteOptions", { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 } as never),
      {
        ...PROTOBUF,
      },
    );
  });
});
