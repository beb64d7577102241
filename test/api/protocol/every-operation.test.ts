import * as sdk from "@aws-sdk/client-eks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operations as behaviour } from "../../../src/api/eks/index.js";
import type { OperationName } from "../../../src/api/model/generated/operations.js";
import { model, shapeOf } from "../../../src/api/model/model.js";
import { eksCoverage } from "../../../src/api/services.js";
import { type Raw, type Rig, startRig } from "../gateway-rig.js";
import { leastInput, requestOf, type Violation, violations } from "../samples.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

function send(operation: OperationName, input: Record<string, unknown>): Promise<Raw> {
  const { method, path, ...body } = requestOf(operation, input);
  return rig.raw(method, path, body);
}

/** What any refusal looks like: a code of the catalogue in the header, its status, and in the body the members of its shape alone. */
function expectRefusal({ status, headers, json }: Raw): void {
  const code = headers.get("x-amzn-errortype") ?? "";
  expect(headers.get("content-type")).toBe("application/json");
  expect(headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
  const modelled =
    model().errors[code] ?? (code === "SerializationException" ? { status: 400, members: [] } : undefined);
  expect(modelled, `${code} is not a modelled error`).toBeDefined();
  expect(status).toBe(modelled?.status);
  expect(json.message).toMatch(/./);
  expect([...(modelled?.members ?? []), "message"]).toEqual(expect.arrayContaining(Object.keys(json)));
}

describe("the table of operations", () => {
  it("has every operation of the installed SDK, and nothing else", () => {
    const commands = Object.keys(sdk).flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? []);
    expect(Object.keys(behaviour).sort()).toEqual(commands.sort());
  });

  it("is what the coverage report tells of: all of it behaves", () => {
    const { eks } = eksCoverage();
    expect(Object.keys(eks)).toHaveLength(Object.keys(model().operations).length);
    expect(new Set(Object.values(eks))).toEqual(new Set(["implemented"]));
  });
});

const operations = Object.keys(model().operations) as OperationName[];

describe.each(operations)("%s", (operation) => {
  it("is routed to, and answers by its shape or with a refusal", async () => {
    const answer = await send(operation, leastInput(operation));
    expect(rig.logged).toEqual([]);
    if (answer.status === 200) expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
    else expectRefusal(answer);
  });

  const members = Object.entries(shapeOf(model(), model().operations[operation].input));
  const required = members.filter(([, member]) => member.required && member.in !== "path");
  if (required.length > 0)
    it("wants every member that is required, and names all that are missing", async () => {
      const labels = Object.entries(leastInput(operation)).filter(([name]) =>
        members.some(([member, { in: place }]) => member === name && place === "path"),
      );
      const answer = await send(operation, Object.fromEntries(labels));
      expectRefusal(answer);
      for (const [name] of required) {
        expect(answer.json.message).toContain(
          `Value null at '${name}' failed to satisfy constraint: Member must not be null`,
        );
      }
      const count = `${required.length} validation error${required.length === 1 ? "" : "s"} detected: `;
      expect(answer.json.message).toMatch(new RegExp(`^${count}`));
    });

  const wrong = violations(operation);
  if (wrong.length > 0)
    it("refuses whatever breaks one rule of its input, and nothing of it is kept", async () => {
      const before = rig.state.changes?.();
      const answers = await Promise.all(wrong.map(({ input }) => send(operation, input)));
      for (const [index, answer] of answers.entries()) {
        const { path, rule, words } = wrong[index] as Violation;
        expect([path, rule, answer.status]).toEqual([path, rule, 400]);
        expect([path, rule, answer.json.message]).toEqual([path, rule, expect.stringContaining(words)]);
        expectRefusal(answer);
      }
      expect(rig.state.changes?.()).toBe(before);
    });
});
