import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eksCoverage } from "../../../src/api/gateway.js";
import type { OperationName } from "../../../src/api/model/generated/operations.js";
import { type Member, model, shapeOf, type Type } from "../../../src/api/model/model.js";
import { type Rig, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

/** A value that satisfies a member's rules: any, as nothing here gets beyond validation. */
function sample(type: Type): unknown {
  switch (type.type) {
    case "list":
      return [sample(type.of)];
    case "map":
      return { key: sample(type.value) };
    case "structure":
      return Object.fromEntries(
        Object.entries(shapeOf(model(), type.shape)).flatMap(([name, member]) =>
          member.required ? [[name, sample(member)]] : [],
        ),
      );
    case "integer":
      return type.min ?? 1;
    case "boolean":
      return true;
    case "timestamp":
      return 1;
    default:
      return type.enum ? model().enums[type.enum]?.[0] : "x";
  }
}

/** The request of an operation with the given members. */
function send(operation: OperationName, input: Record<string, unknown>) {
  const { method, uri, input: shape } = model().operations[operation];
  const members = shapeOf(model(), shape);
  const path = uri.replace(/\{(\w+)\}/g, (_, label: string) => encodeURIComponent(String(input[label] ?? "")));
  const query = new URLSearchParams();
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(input)) {
    const member = members[name] as Member;
    if (member.in === "query") for (const item of [value].flat()) query.append(member.as ?? name, String(item));
    else if (member.in !== "path") body[name] = value;
  }
  const search = query.size > 0 ? `?${query}` : "";
  return rig.raw(method, path + search, method === "GET" ? {} : { body: JSON.stringify(body) });
}

const operations = Object.keys(model().operations) as OperationName[];
const valid = (operation: OperationName): Record<string, unknown> =>
  sample({ type: "structure", shape: model().operations[operation].input }) as Record<string, unknown>;

/** A value that breaks one rule of a member, and the words of the refusal. */
function broken(member: Member): [unknown, string][] {
  const cases: [unknown, string][] = [];
  if (member.type === "integer" && member.min !== undefined) {
    cases.push([member.min - 1, `Member must have value greater than or equal to ${member.min}`]);
  }
  if (member.type === "integer" && member.max !== undefined) {
    cases.push([member.max + 1, `Member must have value less than or equal to ${member.max}`]);
  }
  if (member.type === "string" && member.max !== undefined) {
    cases.push(["x".repeat(member.max + 1), `Member must have length less than or equal to ${member.max}`]);
  }
  if (member.type === "string" && member.pattern !== undefined) {
    cases.push(["-x", `Member must satisfy regular expression pattern: ${member.pattern}`]);
  }
  if (member.type === "string" && member.enum !== undefined) {
    cases.push(["bogus", "Member must satisfy enum value set: ["]);
  }
  return cases;
}

describe.each(operations)("%s", (operation) => {
  const members = Object.entries(shapeOf(model(), model().operations[operation].input));

  it("is routed to, and says whether it behaves", async () => {
    const { status, json, headers } = await send(operation, valid(operation));
    expect(headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
    if (eksCoverage().eks[operation] === "implemented") {
      expect([200, 400, 403, 404]).toContain(status);
      expect(headers.get("x-amzn-errortype")).not.toBe("UnknownOperationException");
    } else {
      expect(status).toBe(501);
      expect(headers.get("x-amzn-errortype")).toBe("NotImplementedException");
      expect(json).toEqual({ message: `eksim does not implement ${operation} yet` });
    }
  });

  const required = members.filter(([, member]) => member.required && member.in !== "path");
  if (required.length > 0)
    it("wants every member that is required", async () => {
      const labels = Object.fromEntries(
        Object.entries(valid(operation)).filter(
          ([name]) => members.find(([member]) => member === name)?.[1].in === "path",
        ),
      );
      const { status, json, headers } = await send(operation, labels);
      expect(status).toBe(400);
      expect(headers.get("x-amzn-errortype")).toBe("InvalidParameterException");
      for (const [name] of required) {
        expect(json.message).toContain(`Value null at '${name}' failed to satisfy constraint: Member must not be null`);
      }
      const count = `${required.length} validation error${required.length === 1 ? "" : "s"} detected: `;
      expect(json.message).toMatch(new RegExp(`^${count}`));
    });

  const rules = members.flatMap(([name, member]) => broken(member).map(([value, words]) => ({ name, value, words })));
  if (rules.length > 0)
    it("checks lengths, ranges, patterns and enums", async () => {
      for (const { name, value, words } of rules) {
        const { status, json } = await send(operation, { ...valid(operation), [name]: value });
        expect([status, json.message]).toEqual([
          400,
          expect.stringContaining(`at '${name}' failed to satisfy constraint: ${words}`),
        ]);
      }
    });
});
