import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLUSTER, type Raw, type Rig, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

const told = ({ status, headers, json }: Raw) => [status, headers.get("x-amzn-errortype"), json.message];
const post = (path: string, body: string, headers = {}) => rig.raw("POST", path, { body, headers });

describe("paths", () => {
  it("decodes labels after the match, so that slashes inside ARNs part nothing", async () => {
    const arn = encodeURIComponent("arn:aws:eks:us-east-1:000000000000:nodegroup/a/b/c");
    expect(told(await rig.raw("GET", `/tags/${arn}`))).toEqual([404, "NotFoundException", "Resource was not found"]);
    expect(arn).toContain("%2F");
  });

  it("decodes a label once", async () => {
    const { json } = await rig.raw("GET", "/clusters/a%2520b");
    expect(json).toEqual({ message: "No cluster found for name: a%20b.", clusterName: "a%20b" });
  });

  it.each([
    ["GET", "/", 404],
    ["GET", "/nothing/here", 404],
    ["PUT", "/clusters", 404],
    ["PATCH", "/clusters/demo", 404],
    ["GET", "/clusters/demo/", 404],
    ["GET", "/tags/a/b", 404],
  ])("answers %s %s as an unknown operation", async (method, path, status) => {
    const answer = await rig.raw(method, path);
    expect([answer.status, answer.headers.get("x-amzn-errortype")]).toEqual([status, "UnknownOperationException"]);
    expect(answer.headers.get("content-type")).toContain("application/json");
  });

  it.each(["/clusters/%zz", "/clusters/%e0%a4", "/clusters/%", "/clusters?nextToken=%zz"])(
    "refuses the bad percent-encoding of %s",
    async (path) => {
      const [status, type] = told(await rig.raw("GET", path));
      expect([status, type]).toEqual([400, "SerializationException"]);
    },
  );

  it("takes an empty label for none", async () => {
    expect(told(await rig.raw("GET", "/clusters//updates"))).toEqual([
      400,
      "InvalidParameterException",
      "1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ]);
  });
});

describe("queries", () => {
  it("reads lists from repeated keys, numbers and booleans from text", async () => {
    const { json } = await rig.raw("GET", "/cluster-versions?clusterVersions=1.36&clusterVersions=1.35&maxResults=1");
    expect(json.clusterVersions).toMatchObject([{ clusterVersion: "1.36" }]);
    expect(json.nextToken).toEqual(expect.any(String));
    const all = await rig.raw("GET", "/cluster-versions?includeAll=true&unknown=ignored");
    expect(all.json.clusterVersions).toHaveLength(9);
  });

  it.each([
    ["maxResults=many", "Value 'many' of the query parameter 'maxResults' is not an integer"],
    ["maxResults=1.5", "Value '1.5' of the query parameter 'maxResults' is not an integer"],
    ["maxResults=", "Value '' of the query parameter 'maxResults' is not an integer"],
  ])("refuses ?%s", async (query, message) => {
    expect(told(await rig.raw("GET", `/clusters?${query}`))).toEqual([400, "SerializationException", message]);
  });

  it.each([
    [0, "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"],
    [101, "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"],
  ])("refuses maxResults=%i", async (maxResults, message) => {
    expect(told(await rig.raw("GET", `/clusters?maxResults=${maxResults}`))).toEqual([
      400,
      "InvalidParameterException",
      `1 validation error detected: ${message}`,
    ]);
  });
});

describe("bodies", () => {
  it.each([
    ["no JSON", "{", "The request body is not valid JSON"],
    ["a list", "[]", "The request body must be an object"],
    ["null", "null", "The request body must be an object"],
    ["a number for a string", '{"name":1}', "'name' must be a string"],
    ["a string for an object", '{"name":"a","resourcesVpcConfig":"x"}', "'resourcesVpcConfig' must be an object"],
    [
      "a string for a list",
      '{"resourcesVpcConfig":{"subnetIds":"a"}}',
      "'resourcesVpcConfig.subnetIds' must be a list",
    ],
    [
      "numbers in a list of strings",
      '{"resourcesVpcConfig":{"subnetIds":["a",1]}}',
      "'resourcesVpcConfig.subnetIds' must be a string",
    ],
    ["text for a boolean", '{"deletionProtection":"yes"}', "'deletionProtection' must be true or false"],
    ["a list for a map", '{"tags":[]}', "'tags' must be an object"],
    ["numbers in a map of strings", '{"tags":{"a":1}}', "'tags' must be a string"],
  ])("refuses %s", async (_, body, message) => {
    expect(told(await post("/clusters", body))).toEqual([400, "SerializationException", message]);
  });

  it("names every broken rule at once, with the path to each value", async () => {
    const body = {
      name: "-demo",
      roleArn: null,
      resourcesVpcConfig: {},
      logging: { clusterLogging: [{ types: ["api", "gossip"], enabled: true }] },
      tags: { [`${"k".repeat(129)}`]: "v" },
    };
    const { json } = await post("/clusters", JSON.stringify(body));
    expect(json.message).toMatch(/^4 validation errors detected: /);
    for (const part of [
      "Value '-demo' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ",
      "Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
      "Value '[api, gossip]' at 'logging.clusterLogging.1.member.types' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [",
      "at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128]",
    ]) {
      expect(json.message).toContain(part);
    }
  });

  it("may have any content type, or none, and members that nobody knows", async () => {
    const body = JSON.stringify({ ...CLUSTER, somethingNew: { a: 1 } });
    for (const [index, type] of ["application/json", "application/x-amz-json-1.1", "text/plain", ""].entries()) {
      const named = body.replace('"demo"', `"demo-${index}"`);
      const { status } = await rig.raw("POST", "/clusters", { body: named, headers: { "content-type": type } });
      expect(status).toBe(200);
    }
  });

  it("ignores nulls", async () => {
    const { status } = await post(
      "/clusters",
      JSON.stringify({ ...CLUSTER, name: "nulls", version: null, tags: null }),
    );
    expect(status).toBe(200);
  });

  it("may not be larger than 1 MiB", async () => {
    const body = JSON.stringify({ name: "x".repeat(1024 * 1024) });
    expect(told(await post("/clusters", body))).toEqual([
      413,
      "RequestEntityTooLargeException",
      "The request body is larger than 1048576 bytes",
    ]);
  });

  it("cannot reach into what objects inherit", async () => {
    const body = JSON.stringify({ ...CLUSTER, name: "proto" }).replace("{", '{"__proto__":{"version":"1.1"},');
    const { status, json } = await post("/clusters", body);
    expect([status, (json.cluster as { version: string }).version]).toEqual([200, "1.36"]);
  });
});

describe("errors", () => {
  it("carry the code in a header, the context in the body and an id of their own", async () => {
    const answer = await rig.raw("GET", "/clusters/none/node-groups/g");
    expect(answer.status).toBe(404);
    expect(answer.headers.get("x-amzn-errortype")).toBe("ResourceNotFoundException");
    expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f]{8}-/);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.json).toEqual({ message: "No cluster found for name: none.", clusterName: "none" });
  });

  it("of our own are logged whole and told to nobody else", async () => {
    const broken = await startRig(
      {},
      {
        operations: {
          ListClusters: () => {
            throw new TypeError("secret of the house");
          },
        },
      },
    );
    try {
      const { status, headers, text } = await broken.raw("GET", "/clusters");
      expect([status, headers.get("x-amzn-errortype")]).toEqual([500, "ServerException"]);
      expect(text).not.toContain("secret");
      expect(text).toContain(headers.get("x-amzn-requestid"));
      expect(broken.logged).toMatchObject([{ requestId: headers.get("x-amzn-requestid"), err: expect.any(TypeError) }]);
    } finally {
      await broken.close();
    }
  });
});
