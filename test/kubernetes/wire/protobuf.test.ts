import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStatusError } from "../../../src/kubernetes/errors.js";
import { protoMessage } from "../../../src/kubernetes/schema/proto.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { type FieldType, typeNames, typeOf } from "../../../src/kubernetes/schema/schema.js";
import { decodeBody } from "../../../src/kubernetes/wire/decode.js";
import { decodeProtobuf } from "../../../src/kubernetes/wire/protobuf.js";
import { encodeObject } from "./encode-protobuf.js";

const decode = (base64: string) => decodeProtobuf(Buffer.from(base64, "base64"));

// Bodies as kubectl 1.32 sent them.
const DEPLOYMENT =
  "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErgBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEoYBCAASDAoKCgNhcHASA3dlYhpsChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkwSLgoFbmdpbngSBW5naW54KgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=";
const INGRESS =
  "azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJdChEKAWkSABoAIgAqADIAOABCABJEEhIKB2Zvby5jb20SB215LWNlcnQaLgoHZm9vLmNvbRIjCiEKHwoEL2JhchIPIg0KBHN2YzESBQoAEJA/GgZQcmVmaXgaAgoAGgAiAA==";
const QUOTA =
  "azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRI0ChEKAXESABoAIgAqADIAOABCABIdCgoKA2NwdRIDCgExCg8KBm1lbW9yeRIFCgMxR2kaABoAIgA=";
const SERVICE =
  "azhzAAoNCgJ2MRIHU2VydmljZRJmChsKAXMSABoAIgAqADIAOABCAFoICgNhcHASAXMSQwoeCgc4MC1odHRwEgNUQ1AYUCIKCAEQABoEaHR0cCgAEggKA2FwcBIBcxoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA==";
const TOKEN_REQUEST =
  "azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIdChAKABIAGgAiACoAMgA4AEIAEgMg2AQaBAoAEgAaACIA";

describe("bodies of kubectl", () => {
  it("keeps a pointer's zero (replicas: 0) and drops zeroes that nobody set", () => {
    expect(decode(DEPLOYMENT)).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", labels: { app: "web" } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: { containers: [{ name: "nginx", image: "nginx", ports: [{ containerPort: 80 }] }] },
        },
      },
    });
  });

  it("unwraps inlined structs", () => {
    expect(decode(INGRESS).spec).toEqual({
      tls: [{ hosts: ["foo.com"], secretName: "my-cert" }],
      rules: [
        {
          host: "foo.com",
          http: {
            paths: [
              { path: "/bar", pathType: "Prefix", backend: { service: { name: "svc1", port: { number: 8080 } } } },
            ],
          },
        },
      ],
    });
  });

  it("reads maps of quantities, and ports that are numbers or names", () => {
    expect(decode(QUOTA).spec).toEqual({ hard: { cpu: "1", memory: "1Gi" } });
    expect(decode(SERVICE).spec).toMatchObject({
      ports: [{ name: "80-http", protocol: "TCP", port: 80, targetPort: "http" }],
    });
  });

  it("reads kinds that only travel", () => {
    const options = {
      apiVersion: "apps/v1",
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
      preconditions: { uid: "u" },
      propagationPolicy: "Foreground",
    };
    expect(decodeProtobuf(encodeObject("DeleteOptions", options))).toEqual(options);
    const eviction = {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "a" },
      deleteOptions: { dryRun: ["All"] },
    };
    expect(decodeProtobuf(encodeObject("Eviction", eviction))).toEqual(eviction);
    expect(decode(TOKEN_REQUEST)).toMatchObject({ kind: "TokenRequest", spec: { expirationSeconds: 600 } });
  });
});

/** An arbitrary value of a schema type, without zero values where they would be dropped, in the spelling that the decoder gives. */
function arbitrary(type: FieldType, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "list":
      return fc.array(arbitrary(type.item, depth + 1), { minLength: 1, maxLength: 2 });
    case "map":
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), arbitrary(type.value, depth + 1), {
        minKeys: 1,
        maxKeys: 2,
      });
    case "ref":
      return arbitraryStruct(type.ref, depth + 1);
    case "scalar":
      return SCALARS[type.scalar];
  }
}

const SCALARS = {
  string: fc.string({ minLength: 1, maxLength: 8 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  int32: fc.integer().filter((value) => value !== 0),
  int64: fc.maxSafeInteger().filter((value) => value !== 0),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0),
  number: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0),
  boolean: fc.constant(true),
  time: fc.integer({ min: 1, max: 4e9 }).map((seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`),
  microtime: fc
    .tuple(fc.integer({ min: 1, max: 4e9 }), fc.integer({ min: 0, max: 999_999 }))
    .map(
      ([seconds, micros]) =>
        `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(micros).padStart(6, "0")}Z`,
    ),
  "int-or-string": fc.oneof(fc.integer(), fc.string({ minLength: 1 })),
  quantity: fc.constantFrom("100m", "1", "128Mi"),
  any: fc.constantFrom<unknown>({ a: [1, null] }, [true], "text", 1),
} as const;

/** Members of JSON schemas that are unions in Go: any JSON value would not do. */
const SCHEMA_UNIONS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  items: fc.constantFrom<unknown>({ type: "string" }, [{ type: "string" }, { type: "integer" }]),
  additionalItems: fc.constantFrom<unknown>(true, false, { type: "string" }),
  additionalProperties: fc.constantFrom<unknown>(true, false, { type: "string" }),
  dependencies: fc.constant({ a: ["b"], c: { type: "string" } }),
};

function arbitraryStruct(name: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = [...(typeOf(name)?.fields.values() ?? [])].filter(
    (field) => !["apiVersion", "kind"].includes(field.name) || !isTopLevel(name),
  );
  const model = Object.fromEntries(
    fields
      .filter(({ type }) => depth < 6 || (type.kind === "scalar" && name !== "JSONSchemaProps"))
      .map((field) => [
        field.name,
        name === "JSONSchemaProps" && field.name in SCHEMA_UNIONS
          ? SCHEMA_UNIONS[field.name]
          : arbitrary(field.type, depth),
      ]),
  ) as Record<string, fc.Arbitrary<unknown>>;
  return fc.record(model, { requiredKeys: Object.keys(model).slice(0, 1) });
}

const isTopLevel = (name: string): boolean => typeOf(name)?.fields.has("metadata") ?? false;

describe("every built-in type", () => {
  it("has a layout that names all of its fields", () => {
    const named = (message: NonNullable<ReturnType<typeof protoMessage>>): string[] =>
      [...message.values()].flatMap((field) => ("inlined" in field ? named(field.inlined) : [field.name]));
    const missing: string[] = [];
    for (const name of typeNames()) {
      const message = protoMessage(name);
      const fields = message ? new Set(named(message)) : new Set();
      for (const field of typeOf(name)?.fields.keys() ?? []) {
        if (!fields.has(field) && field !== "apiVersion" && field !== "kind") missing.push(`${name}.${field}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it.each(builtinResources().map((info) => [`${info.group}/${info.version}`.replace(/^\//, ""), info.kind, info.type]))(
    "%s %s comes back from protobuf and from JSON as it was",
    (apiVersion, kind, type) => {
      fc.assert(
        fc.property(arbitraryStruct(type, 0), (fields) => {
          const object = { apiVersion, kind, ...fields };
          expect(dropEmpty(decodeProtobuf(encodeObject(type, object)))).toEqual(dropEmpty(object));
          const bytes = Buffer.from(JSON.stringify(object));
          const fromJson = decodeBody({
            bytes,
            expected: { apiVersion, kind, type },
            fieldValidation: "Strict",
          }).object;
          expect(fromJson).toEqual({ metadata: {}, ...object });
        }),
        { numRuns: 3, seed: 7 },
      );
    },
  );
});

/** Without empty objects: an empty struct that is no pointer looks on the wire like one that nobody set. */
function dropEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropEmpty);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).map(([key, member]) => [key, dropEmpty(member)] as const);
  return Object.fromEntries(kept.filter(([, member]) => JSON.stringify(member) !== "{}"));
}

describe("broken protobuf", () => {
  const expected = { apiVersion: "apps/v1", kind: "Deployment", type: "Deployment" };
  const contentType = "application/vnd.kubernetes.protobuf";

  it("refuses bodies without the magic bytes and kinds without a type", () => {
    expect(() => decodeBody({ bytes: Buffer.from("{}"), contentType, expected })).toThrow(
      "expected prefix [107 56 115 0]",
    );
    const foreign = encodeObject("ConfigMap", {
      apiVersion: "example.com/v1",
      kind: "Widget",
      metadata: { name: "a" },
    });
    expect(() => decodeBody({ bytes: foreign, contentType, expected })).toThrow(
      'no kind "Widget" is registered for version "example.com/v1"',
    );
  });

  it("throws nothing but StatusError for truncated and mangled bodies", () => {
    const whole = Buffer.from(DEPLOYMENT, "base64");
    const attempt = (bytes: Buffer): void => {
      try {
        decodeBody({ bytes, contentType, expected });
      } catch (error) {
        expect(isStatusError(error, "BadRequest"), String(error)).toBe(true);
      }
    };
    for (let end = 0; end <= whole.length; end++) attempt(whole.subarray(0, end));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 5), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (edits) => {
          const bytes = Buffer.from(whole);
          for (const [at, byte] of edits) bytes[at + 4] = byte;
          attempt(bytes);
        },
      ),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (tail) =>
        attempt(Buffer.concat([Buffer.from("k8s\0"), Buffer.from(tail)])),
      ),
    );
  });
});
