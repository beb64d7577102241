/** Nothing that a client sends, to any path and by any verb, makes the server fail or hang: it works, or it is refused with 4xx. */
import { Agent, type RequestOptions, request } from "node:https";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { encodeObject } from "../wire/encode-protobuf.js";
import { KINDS } from "./kinds.js";
import { startServer } from "./server-fixture.js";

/** Fixed, so that a failure is the same everywhere; other seeds and more runs find more. */
const SEED = 2026;
const RUNS = 150;
/** Gaps that a server may have and says so. */
const HONEST = new Set([501, 504]);
const WATCH_ENDS_MS = 30;

let server: Awaited<ReturnType<typeof startServer>>;
const agent = new Agent({ keepAlive: true, maxSockets: 2 });
beforeAll(async () => {
  server = await startServer({ admission: true });
  for (const name of ["default", "kube-system"]) await server.api.create("namespaces", { metadata: { name } });
  await server.api.create("serviceaccounts", { metadata: { name: "default", namespace: "default" } });
});
afterAll(async () => {
  agent.destroy();
  await server.server.close();
  expect(server.errors).toEqual([]);
});

/** The status code; the answer is read to its end, or, for watches, cut off. */
function send(method: string, path: string, body?: Buffer, headers: Record<string, string> = {}): Promise<number> {
  const options: RequestOptions = {
    host: "127.0.0.1",
    port: server.port,
    path,
    method,
    agent,
    ca: server.certificates.caCert,
  };
  const length = body ? { "content-length": String(body.length) } : {};
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...options, headers: { authorization: "Bearer admin", ...length, ...headers } },
      (response) => {
        const done = () => resolve(response.statusCode ?? 0);
        if (response.headers["transfer-encoding"] === "chunked") setTimeout(() => response.destroy(), WATCH_ENDS_MS);
        response
          .on("data", (chunk: Buffer) => {
            // What the merge itself cannot take is passed on without a reason, as upstream does it: no fault, but a refusal.
            if (response.statusCode === 500 && !chunk.includes('"reason":')) resolve(400);
          })
          .on("error", done)
          .on("close", done);
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

async function expectNoFault(method: string, path: string, body?: Buffer, headers: Record<string, string> = {}) {
  const code = await send(method, path, body, headers);
  expect(code < 500 || HONEST.has(code), `${code} for ${method} ${path} ${body?.toString().slice(0, 500) ?? ""}`).toBe(
    true,
  );
}

const INFOS = builtinResources();
const targets = Object.entries(KINDS).flatMap(([apiVersion, kinds]) =>
  kinds.flatMap(({ resource, fields }) => {
    const info = INFOS.find(
      (known) => known.resource === resource && `${known.group && `${known.group}/`}${known.version}` === apiVersion,
    );
    if (!info) return [];
    const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
    const name = resource === "ipaddresses" ? "255.255.255.255" : "fuzz";
    const metadata = { name, labels: { a: "b" }, ...(info.namespaced ? { namespace: "default" } : {}) };
    const collection = `${root}${info.namespaced ? "/namespaces/default" : ""}/${resource}`;
    return [
      {
        collection,
        path: `${collection}/${name}`,
        type: info.type,
        object: { apiVersion, kind: info.kind, metadata, ...fields },
      },
    ];
  }),
);
const target = fc.constantFrom(...targets);

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    0,
    -1,
    1e30,
    1.5,
    "",
    "x",
    "☃",
    true,
    [],
    {},
    [null],
    [{}],
    "1Gi",
    "-5%",
    "2026-13-45T99:99:99Z",
    "__proto__",
  ),
  fc.constantFrom<unknown>(
    { $patch: "delete" },
    { $patch: "replace" },
    { "$setElementOrder/containers": [{ name: 1 }] },
    { matchLabels: null },
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
type Mutation = readonly [where: number, value: unknown, how: "set" | "drop" | "add" | "wrap"];
const mutations = fc.array(
  fc.tuple(fc.nat(), odd, fc.constantFrom("set", "drop", "add", "wrap") as fc.Arbitrary<Mutation[2]>),
  { minLength: 1, maxLength: 3 },
);

const placesOf = (value: unknown): [Record<string, unknown>, string][] =>
  typeof value === "object" && value !== null
    ? Object.keys(value).flatMap((key): [Record<string, unknown>, string][] => {
        const container = value as Record<string, unknown>;
        return [[container, key], ...placesOf(container[key])];
      })
    : [];

/** The object with some of its members replaced, dropped, nested or joined by others. */
function mutated<T extends object>(object: T, changes: readonly Mutation[]): T {
  const copy = structuredClone(object);
  for (const [where, given, how] of changes) {
    const places = placesOf(copy);
    const value = structuredClone(given);
    const place = places[where % Math.max(1, places.length)];
    if (!place) continue;
    const [container, key] = place;
    if (how === "set") container[key] = value;
    else if (how === "drop") delete container[key];
    else if (how === "wrap") container[key] = [container[key]];
    else if (!Array.isArray(container))
      container[String((value as { length?: number } | null)?.length ?? value)] = value;
  }
  return copy;
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value) ?? "null");
const JSON_BODY = { "content-type": "application/json" };
const query = fc.constantFrom(
  "",
  "?dryRun=All",
  "?fieldValidation=Strict",
  "?fieldManager=f",
  "?fieldManager=f&force=true",
);
const SUBRESOURCES = [
  "",
  "/status",
  "/scale",
  "/finalize",
  "/approval",
  "/resize",
  "/ephemeralcontainers",
  "/binding",
  "/eviction",
  "/token",
];

describe("a fuzzed server", () => {
  it("creates, replaces and deletes, or refuses", async () => {
    await fc.assert(
      fc.asyncProperty(
        target,
        mutations,
        query,
        fc.constantFrom(...SUBRESOURCES),
        async ({ collection, path, object }, changes, options, sub) => {
          await expectNoFault("POST", collection + options, json(mutated(object, changes)), JSON_BODY);
          await send("POST", collection, json(object), JSON_BODY);
          const body = json(mutated(object, changes));
          await expectNoFault("PUT", path + sub + options, body, JSON_BODY);
          await expectNoFault("POST", path + sub + options, body, JSON_BODY);
          await expectNoFault("GET", path, undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
          const deletion = mutated(
            { gracePeriodSeconds: 0, propagationPolicy: "Background", preconditions: { uid: "x" }, dryRun: ["All"] },
            changes,
          );
          await expectNoFault("DELETE", path, json(deletion), JSON_BODY);
          await send("DELETE", `${path}?gracePeriodSeconds=0`);
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
  });

  it("patches in all four ways, or refuses", async () => {
    const sorts = ["merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml"];
    const pointer = fc.oneof(
      fc.constantFrom("/metadata", "/spec", "/metadata/labels/a", "/metadata/labels", "", "/status"),
      fc.string(),
    );
    const operation = fc.record(
      {
        op: fc.constantFrom("add", "remove", "replace", "test", "move", "copy", "nope"),
        path: pointer,
        from: pointer,
        value: odd,
      },
      { requiredKeys: ["op"] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          target,
          changes: mutations,
          query,
          sort: fc.constantFrom(...sorts),
          sub: fc.constantFrom("", ...SUBRESOURCES),
        }),
        fc.array(operation, { maxLength: 3 }),
        async ({ target: { collection, path, object }, changes, query: options, sort, sub }, operations) => {
          await send("POST", collection, json(object), JSON_BODY);
          const document = sort === "json-patch+json" ? operations : mutated(object, changes);
          await expectNoFault("PATCH", path + sub + options, json(document), { "content-type": `application/${sort}` });
          await send("DELETE", `${path}?gracePeriodSeconds=0`);
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
  });

  it("reads broken protobuf, YAML and bytes, or refuses", async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        target,
        damage,
        fc.uint8Array({ maxLength: 200 }),
        async ({ collection, type, object }, changes, bytes) => {
          const whole = Buffer.from(encodeObject(type, object));
          for (const [at, byte] of changes) whole[4 + (at % (whole.length - 4))] = byte;
          await expectNoFault("POST", collection, whole, { "content-type": "application/vnd.kubernetes.protobuf" });
          const text = json(object);
          for (const [at, byte] of changes) text[at % text.length] = byte;
          await expectNoFault("POST", collection, text, { "content-type": "application/yaml" });
          await expectNoFault("POST", collection, text, JSON_BODY);
          for (const sort of [
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
            "text/plain",
          ])
            await expectNoFault("POST", collection, Buffer.from(bytes), { "content-type": sort });
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
  });

  it("answers any path, query, verb and Accept header", async () => {
    const parameter = fc.constantFrom(
      "labelSelector",
      "fieldSelector",
      "limit",
      "continue",
      "resourceVersion",
      "resourceVersionMatch",
      "watch",
      "timeoutSeconds",
      "sendInitialEvents",
      "allowWatchBookmarks",
      "includeObject",
      "dryRun",
    );
    const value = fc.oneof(
      fc.constantFrom(
        "",
        "a=b",
        "a in (b",
        "!",
        "-1",
        "0",
        "1",
        "true",
        "99999999999999999999",
        "Exact",
        "NotOlderThan",
        "metadata.name=x",
        "x notin (a,b),y",
      ),
      fc.string(),
    );
    const search = fc.array(fc.tuple(parameter, value), { maxLength: 3 });
    const segment = fc.oneof(
      fc.constantFrom(
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "watch",
        "..",
        "%00",
        "%ff",
        "%2e",
        "status",
        "openapi",
        "v3",
      ),
      fc.string().map(encodeURIComponent),
    );
    const verbs = fc.constantFrom(
      "GET",
      "GET",
      "HEAD",
      "OPTIONS",
      "DELETE",
      "PUT",
      "PATCH",
      "POST",
      "TRACE",
      "PROPFIND",
    );
    const accept = fc.constantFrom(
      "*/*",
      "application/json;as=Table;v=v1;g=meta.k8s.io",
      "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
      "x",
      ";;,",
      "application/json;as=;v=",
    );
    await fc.assert(
      fc.asyncProperty(
        target,
        search,
        fc.array(segment, { maxLength: 6 }),
        verbs,
        accept,
        async ({ collection, path }, parameters, segments, verb, wanted) => {
          const asked = `?${parameters.map(([name, text]) => `${name}=${encodeURIComponent(text)}`).join("&")}`;
          await expectNoFault(verb, path + asked, undefined, { accept: wanted });
          await expectNoFault("GET", collection + asked, undefined, { accept: wanted });
          await expectNoFault(verb, `/${segments.join("/")}${asked}`, undefined, { accept: wanted });
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
  });
});
