import { request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

let eksim: Eksim;
beforeAll(async () => {
  eksim = await startEksim();
});
afterAll(() => eksim.stop());

const send = (method: string, path: string, body: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(
      eksim.endpoint,
      { method, path, headers: { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.on("data", (data) => {
          text += data;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });

const word = fc.constantFrom(
  ..."health coverage clock advance zones us-east-1a use1-az1 fail restore nodes i-1 kill registrations connect status events faults catalogue".split(
    " ",
  ),
  ..."__proto__ constructor .. %zz %2F %00 %e0%a4".split(" "),
);
const parameter = fc.tuple(
  fc.constantFrom(..."account region cluster after limit ms activationId activationCode x".split(" ")),
  fc.oneof(
    fc.constantFrom(
      "0",
      "1",
      "-1",
      "1e3",
      "NaN",
      "99999999999999999999",
      "us-east-1",
      "nowhere",
      "111122223333",
      "%zz",
      "",
    ),
    fc.string(),
  ),
);

describe("the emulator's own routes", () => {
  it("answer whatever they are asked with a result or a refusal in JSON, never with a failure of their own", async () => {
    const requests = fc.record({
      method: fc.constantFrom("GET", "POST", "POST", "DELETE"),
      path: fc.array(fc.oneof({ weight: 6, arbitrary: word }, fc.string()), { maxLength: 4 }),
      query: fc.array(parameter, { maxLength: 4 }),
      body: fc.oneof(fc.constantFrom("", "{}", "{", "[]", "null"), fc.json()),
    });
    await fc.assert(
      fc.asyncProperty(requests, async ({ method, path, query, body }) => {
        const text = query.map(
          ([name, value]) => `${name}=${value.startsWith("%") ? value : encodeURIComponent(value)}`,
        );
        const url = `/_eksim/${path.join("/")}?${text.join("&")}`.replace(/[^\x21-\x7e]/g, "~");
        const answer = await send(method, url, method === "GET" ? "" : body);
        const told = `${method} ${url} ${body} -> ${answer.status} ${answer.text.slice(0, 300)}`;
        expect(answer.status, told).toBeLessThan(500);
        expect(answer.text, told).not.toMatch(/\.[jt]s:\d+|TypeError|RangeError|SqliteError/);
        expect(() => JSON.parse(answer.text), told).not.toThrow();
      }),
      { numRuns: 250, seed: 5 },
    );
  });

  it.each([
    "/_eksim/zones?cluster=a&cluster=b",
    "/_eksim/zones?region=us-east-1&region=us-east-2",
    "/_eksim/status?account=1&account=2",
    "/_eksim/events?cluster=a&cluster=b",
    "/_eksim/events?limit=1&limit=2",
    "/_eksim/zones?region=nowhere-1",
  ])("refuse %s", async (path) => {
    const { status, text } = await send("GET", path, "");
    expect([status, text]).toEqual([400, expect.stringContaining("message")]);
  });

  it.each(['{"cluster":"demo"}', "[]", "1"])(
    "refuse the body %s rather than fail a whole zone over it",
    async (body) => {
      const { status, text } = await send("POST", "/_eksim/zones/us-east-1a/fail", body);
      expect([status, text]).toEqual([400, expect.stringContaining("query")]);
    },
  );
});
