import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

describe("POST /_eksim/foresight", () => {
  let eksim: Eksim;
  beforeAll(async () => {
    eksim = await startEksim();
  });
  afterAll(() => eksim.stop());

  const ask = async (body: unknown) => {
    const response = await fetch(`${eksim.endpoint}/_eksim/foresight?region=us-east-1`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as { refusals?: unknown; message?: string } };
  };

  it("gives for each act null, or a sentence that says why it cannot be", async () => {
    const backend = "embedded";
    const { status, body } = await ask({
      acts: [
        { backend, act: "fault", fault: { fault: "node-clock-skew", target: { zone: "us-east-1a" } } },
        { backend, act: "version" },
        { backend, act: "addon", addon: "aws-ebs-csi-driver" },
        { backend: "kind", act: "zonal-shift" },
        { backend, act: "fault", fault: { fault: "zone-powerloss" } },
      ],
    });
    expect(status).toBe(200);
    expect(body.refusals).toEqual([
      null,
      null,
      null,
      "this eksim has no backend kind",
      expect.stringContaining("zone-power-loss"),
    ]);
  });

  it.each([
    {},
    { acts: "fault" },
    { acts: [{}] },
    { acts: [{ act: "fault", backend: "embedded" }] },
    { acts: [{ act: "dance", backend: "embedded" }] },
    { acts: [{ act: "version", backend: "embedded", version: 1.36 }] },
  ])("refuses %j, saying what it takes", async (bad) => {
    const { status, body } = await ask(bad);
    expect([status, body.message]).toEqual([400, expect.stringContaining("acts are fault, version")]);
  });
});
