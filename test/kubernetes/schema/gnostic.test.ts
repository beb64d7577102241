import { describe, expect, it } from "vitest";
import { createOpenApi } from "../../../src/kubernetes/schema/openapi/documents.js";
import { gnosticDocument } from "../../../src/kubernetes/schema/openapi/gnostic.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";

/** Fields of a protobuf message by number; what is in them stays bytes (or a number). */
function fieldsOf(bytes: Buffer): Map<number, (Buffer | number)[]> {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    let value: Buffer | number;
    if (tag % 8 === 0) value = varint();
    else if (tag % 8 === 1) {
      value = bytes.readDoubleLE(at);
      at += 8;
    } else {
      const length = varint();
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return fields;
}

const only = (message: Buffer, ...path: number[]): Buffer =>
  path.reduce((inner, number) => fieldsOf(inner).get(number)?.[0] as Buffer, message);
/** A map's entries: messages with name and value. */
const entries = (message: Buffer, number: number): Map<string, Buffer> =>
  new Map(
    (fieldsOf(message).get(number) ?? []).map((entry) => [String(only(entry as Buffer, 1)), only(entry as Buffer, 2)]),
  );

describe("OpenAPI version 2 as protobuf", () => {
  const json = createOpenApi({ resources: builtinResources, generation: () => 1, gitVersion: "v1.36.1" }).v2().body;
  const swagger = JSON.parse(json);
  const document = gnosticDocument(json);

  it("holds every definition and every path", () => {
    expect([String(only(document, 1)), String(only(document, 2, 2))]).toEqual(["2.0", "v1.36.1"]);
    expect([...entries(only(document, 9), 1).keys()]).toEqual(Object.keys(swagger.definitions));
    expect([...entries(only(document, 8), 2).keys()]).toEqual(Object.keys(swagger.paths));
  });

  it("says of a field what the JSON says", () => {
    const deployment = entries(only(document, 9), 1).get("io.k8s.api.apps.v1.DeploymentSpec") as Buffer;
    const selector = entries(only(deployment, 25), 1).get("selector") as Buffer;
    expect(String(only(selector, 1))).toBe("#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector");
    const replicas = entries(only(deployment, 25), 1).get("replicas") as Buffer;
    expect([String(only(replicas, 22, 1)), String(only(replicas, 2))]).toEqual(["integer", "int32"]);
    expect(fieldsOf(deployment).get(19)?.map(String)).toEqual(["selector", "template"]);
  });

  it("keeps the extensions by which clients find kinds, as YAML", () => {
    const pod = entries(only(document, 9), 1).get("io.k8s.api.core.v1.Pod") as Buffer;
    const kinds = entries(pod, 31).get("x-kubernetes-group-version-kind") as Buffer;
    expect(JSON.parse(String(only(kinds, 2)))).toEqual([{ group: "", kind: "Pod", version: "v1" }]);
  });
});
