import { request } from "node:http";
import { CreateClusterCommand, CreateNodegroupCommand } from "@aws-sdk/client-eks";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operations } from "../../../src/api/eks/index.js";
import type { OperationName } from "../../../src/api/model/generated/operations.js";
import { type Member, model, shapeOf, type Type } from "../../../src/api/model/model.js";
import { AUTHORIZATION, CLUSTER, NODEGROUP, type Rig, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand(CLUSTER));
  rig.activate("demo");
  await rig.client.send(new CreateNodegroupCommand(NODEGROUP));
  rig.activateNodegroup("demo", "workers");
});
afterAll(() => rig.close());

/** Values that mean something here, so that requests get past the first checks now and then. */
const words = fc.constantFrom(
  ..."demo workers 1.35 1.36 subnet-a API ON_DEMAND AL2023_x86_64_STANDARD t3.medium m6g.large NO_SCHEDULE".split(" "),
  "arn:aws:iam::000000000000:role/x",
  "arn:aws:eks:us-east-1:000000000000:cluster/demo",
  "192.168.0.0/24",
  "",
  "__proto__",
  "constructor",
);

/** Mostly what the model says, in parts whatever JSON there is. */
function arbitraryOf(type: Type, depth = 0): fc.Arbitrary<unknown> {
  const rubbish = { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) };
  const fitting = (): fc.Arbitrary<unknown> => {
    switch (type.type) {
      case "structure":
        return depth > 4 ? fc.constant({}) : structureOf(type.shape, depth + 1);
      case "list":
        return fc.array(arbitraryOf(type.of, depth + 1), { maxLength: 3 });
      case "map":
        return fc.dictionary(words, arbitraryOf(type.value, depth + 1), { maxKeys: 3 });
      case "integer":
        return fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer());
      case "boolean":
        return fc.boolean();
      default:
        return type.enum ? fc.constantFrom(...(model().enums[type.enum] ?? [])) : fc.oneof(words, fc.string());
    }
  };
  return fc.oneof({ weight: 200, arbitrary: fitting() }, rubbish);
}

/** Mostly what exists. */
const mostly = (name: string): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(name) }, { weight: 1, arbitrary: words });
const NAMES: Record<string, fc.Arbitrary<unknown>> = {
  name: mostly("demo"),
  clusterName: mostly("demo"),
  nodegroupName: mostly("workers"),
  resourceArn: mostly("arn:aws:eks:us-east-1:000000000000:cluster/demo"),
};

function structureOf(shape: string, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const members = Object.entries(shapeOf(model(), shape));
  const values = Object.fromEntries(members.map(([name, member]) => [name, NAMES[name] ?? arbitraryOf(member, depth)]));
  const required = members.filter(([, member]) => member.required).map(([name]) => name);
  return fc.record(values, { requiredKeys: required });
}

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function requestOf(operation: OperationName, input: Record<string, unknown>) {
  const { method, uri, input: shape } = model().operations[operation];
  const members = shapeOf(model(), shape);
  const query = new URLSearchParams();
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(input)) {
    const member = members[name] as Member;
    if (member.in === "query") for (const item of [value].flat()) query.append(member.as ?? name, text(item));
    else if (member.in === undefined) body[name] = value;
  }
  const path = uri.replace(/\{(\w+)\}/g, (_, label: string) => encodeURIComponent(text(input[label])));
  return { method, url: `${path}?${query}`, ...(method === "GET" ? {} : { payload: JSON.stringify(body) }) };
}

const send = (request: object) =>
  rig.app.inject({ ...request, headers: { authorization: AUTHORIZATION, host: "localhost" } });

describe.each(Object.keys(operations) as OperationName[])("%s", (operation) => {
  it("answers whatever it is sent with a result or a refusal in JSON, never with a failure of its own", async () => {
    const input = structureOf(model().operations[operation].input);
    await fc.assert(
      fc.asyncProperty(input, async (values) => {
        rig.activate("demo");
        rig.activateNodegroup("demo", "workers");
        const { statusCode, headers, body } = await send(requestOf(operation, values));
        expect(rig.logged).toEqual([]);
        expect(statusCode === 501 ? 400 : statusCode).toBeLessThan(500);
        expect(headers["content-type"]).toBe("application/json");
        if (statusCode !== 200) expect(JSON.parse(body)).toMatchObject({ message: expect.any(String) });
      }),
      { numRuns: 40, seed: 7 },
    );
  });
});

describe("the server", () => {
  it("answers any path and body in JSON", async () => {
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH");
    const segment = fc.oneof(words, fc.string(), fc.constantFrom("%", "%2F", "..", "clusters", "tags"));
    const requests = fc.record({ method, path: fc.array(segment, { maxLength: 5 }), payload: fc.string() });
    await fc.assert(
      fc.asyncProperty(requests, async ({ method, path, payload }) => {
        const { status, body } = await sendRaw(method, `/${path.join("/")}`.replace(/[^\x21-\x7e]/g, ""), payload);
        expect(status === 501 ? 400 : status).toBeLessThan(500);
        expect(() => JSON.parse(body)).not.toThrow();
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

/** Unlike fetch, sends a path as it is. */
function sendRaw(method: string, path: string, payload: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(rig.url, { method, path, headers: { authorization: AUTHORIZATION } }, (response) => {
      let body = "";
      response.on("data", (data) => {
        body += data;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end(method === "GET" ? "" : payload);
  });
}
