import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { operationNames } from "../../src/api/model/operation-names.js";
import { createKindBackend } from "../../src/backends/kind/kind-backend.js";
import { createClock } from "../../src/clock/create-clock.js";
import { catalogueEntries, type FaultRequest } from "../../src/domain/faults/index.js";
import type { Foresight, PlannedAct } from "../../src/domain/foresight.js";
import { runDrill } from "../../src/faults/drills/run-drill.js";
import { createForesight } from "../../src/faults/foresight.js";
import { startEksim } from "../../src/testkit/index.js";
import { type RecordedRunner, recordedRunner } from "../backends/kind/recorded.js";
import { shopDrill } from "./drills/play.js";

const SCOPE = { accountId: "000000000000", region: "us-east-1" };
const IMAGE = "kindest/node:v1.36.2";
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe("what is foreseen of a plan", () => {
  let dir: string;
  let runner: RecordedRunner;
  let foresight: Foresight;
  const clock = createClock({ kind: "real" }, { seed: 1 });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "eksim-foresight-"));
    runner = recordedRunner();
    const backend = createKindBackend({
      clock,
      log,
      dir,
      provider: "docker",
      environment: {},
      nodeImages: new Map(),
      parallel: 1,
      webhookFiles: () => Promise.reject(new Error("not asked for")),
      runner,
    });
    foresight = createForesight({ backends: new Map([["kind", backend]]), operationsOf: operationNames });
  });
  afterEach(() => {
    clock.stop();
    rmSync(dir, { recursive: true });
  });

  const foresee = async (...acts: PlannedAct[]) => foresight.foresee(SCOPE, acts);
  const fault = (request: FaultRequest): PlannedAct => ({ backend: "kind", act: "fault", fault: request });
  const netem = (exitCode: number) =>
    runner.expect(
      { command: ["docker", "image", "inspect", IMAGE], always: true },
      {
        command:
          `docker run --rm --privileged --network none --entrypoint tc ${IMAGE} qdisc add dev lo root netem delay 0ms`.split(
            " ",
          ),
        stderr: exitCode === 0 ? "" : "Error: Specified qdisc kind is unknown.",
        exitCode,
      },
    );

  it("is nothing against faults that real machines can have", async () => {
    expect(
      await foresee(
        fault({ fault: "zone-power-loss", target: { zone: "us-east-1a" }, duration: "45m" }),
        fault({ fault: "zone-isolation", target: { zone: "use1-az2" } }),
        fault({ fault: "zone-link-impairment", target: { zone: "us-east-1a" }, parameters: { loss: 15 } }),
        fault({ fault: "node-freeze", target: { cluster: "shop", percent: 50 } }),
        fault({ fault: "spot-interruption", target: { cluster: "shop" } }),
        fault({ fault: "pod-kill", target: { namespace: "default" } }),
        fault({ fault: "aws-api-throttling" }),
      ),
    ).toEqual([null, null, null, null, null, null, null]);
    expect(runner.ran).toEqual([]);
  });

  it("is what one kernel and one clock for all nodes cannot do", async () => {
    expect(await foresee(fault({ fault: "node-clock-skew", target: { zone: "us-east-1a" } }))).toEqual([
      expect.stringContaining("clock"),
    ]);
  });

  it("is latency where the kernel has no netem, and not where it has", async () => {
    const late = fault({
      fault: "zone-link-impairment",
      target: { zone: "us-east-1a" },
      parameters: { latency: "200ms" },
    });
    netem(2);
    expect(await foresee(late)).toEqual([expect.stringContaining("modprobe sch_netem")]);
    netem(0);
    expect(await foresee(late)).toEqual([null]);
    expect(runner.left()).toEqual([]);
  });

  it("is a version whose image is neither here nor in its registry", async () => {
    const missing = "kindest/node:v1.35.6";
    runner.expect(
      { command: ["docker", "image", "inspect", missing], exitCode: 1 },
      { command: ["docker", "manifest", "inspect", missing], exitCode: 1, stderr: "no such host\n" },
      { command: ["docker", "image", "inspect", IMAGE] },
    );
    expect(
      await foresee({ backend: "kind", act: "version", version: "1.35" }, { backend: "kind", act: "version" }),
    ).toEqual([
      `the image ${missing} is neither here nor to be had (no such host). Pull it with: docker pull ${missing} (or choose another one with --kind-node-image 1.35=<image>)`,
      null,
    ]);
  });

  it("is what a backend has no method for, a backend that there is not, and a fault that makes no sense", async () => {
    const refusals = await foresee(
      { backend: "kind", act: "fargate" },
      { backend: "kind", act: "addon", addon: "aws-ebs-csi-driver" },
      { backend: "moon", act: "fargate" },
      fault({ fault: "zone-power-loss", target: { zone: "us-east-1z" } }),
    );
    expect(refusals).toEqual([
      "the backend kind has no Fargate",
      "the images of aws-ebs-csi-driver are in EKS's own registry, which gives them to nodes of AWS accounts alone",
      "this eksim has no backend moon",
      expect.stringContaining("There is no zone us-east-1z in us-east-1"),
    ]);
  });

  it("is something for every fault of the catalogue: an answer, and never an accident", async () => {
    netem(0);
    for (const { name, target } of catalogueEntries()) {
      const [need] = target.needs ?? [];
      const aims: Record<string, unknown> = {
        zone: "us-east-1a",
        cluster: "shop",
        namespace: "default",
      };
      const aim = need === undefined ? {} : { [need]: aims[need] };
      const [refusal] = await foresee(fault({ fault: name, target: aim } as FaultRequest));
      expect(refusal === null || refusal?.length).toBeTruthy();
    }
  });

  it("ends a drill before its first step, and names the steps that cannot be", async () => {
    const drill = shopDrill(`
steps:
  - { fault: zone-power-loss, target: { zone: us-east-1a }, duration: 5m }
  - { name: a wrong clock, fault: node-clock-skew, target: { zone: us-east-1b }, duration: 5m }
cleanUp:
  steps: [{ zonalShift: { awayFrom: us-east-1a } }]
`);
    runner.expect({ command: ["docker", "image", "inspect", IMAGE] });
    const eksim = await startEksim({ seed: 1 });
    try {
      const target = { ...(await eksim.drillTarget()), backend: "kind" };
      const result = await runDrill(drill, { ...target, foresee: async (acts) => foresight.foresee(SCOPE, acts) });
      expect(result.verdict).toBe("error");
      expect(result.why).toMatch(
        /^it cannot be played here, and nothing of it has been done: step 2 \(a wrong clock\): .*clock.*; clean-up step 1 \(shift shop away from us-east-1a\): /,
      );
      expect([result.steps, result.faults, await eksim.eks("GET", "/clusters")]).toEqual([[], [], { clusters: [] }]);
    } finally {
      await eksim.stop();
    }
  });
});
