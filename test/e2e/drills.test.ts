import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DrillReport } from "../../src/faults/drills/report/json.js";
import { PROGRAM, type RunningEksim, runCommand, runEksim, temporaryDirectory } from "./process.js";

/** Two processes and a cluster each, on a busy machine. */
const PATIENCE_MS = 240_000;

const DRILL = `
apiVersion: eksim.dev/v1
kind: Drill
metadata: { name: short }
setup:
  clusters:
    - name: shop
      nodegroups:
        - name: workers
          input: { scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 } }
      manifests: [{ file: web.yaml }]
steps:
  - { fault: zone-power-loss, target: { zone: us-east-1a }, duration: 5m }
  - { fault: pod-kill, target: { namespace: default, podLabels: { app: web }, percent: 50 } }
  - { fault: pod-not-ready, target: { namespace: default, podLabels: { app: web }, count: 1 }, duration: 2m }
  - wait: EXPECTED
expectations:
  - { name: whole again, within: 10m, rollout: { deployment: web } }
  - { name: UNMET, always: true, readyReplicas: { deployment: web, atLeast: LEAST } }
`;

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 6
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: nginx }] }
`;

let directory = "";
const file = (name: string): string => join(directory, name);

beforeAll(() => {
  directory = temporaryDirectory();
  const write = (name: string, wait: string, least: number): void =>
    writeFileSync(
      file(name),
      DRILL.replace("EXPECTED", wait).replace("LEAST", String(least)).replace("UNMET", "some stay"),
    );
  write("passes.yaml", "15m", 0);
  write("fails.yaml", "15m", 6);
  write("long.yaml", "4000h", 0);
  writeFileSync(file("web.yaml"), WEB);
  writeFileSync(file("wrong.yaml"), `${DRILL}\nstepz: 1\n`);
});

const reportOf = (name: string): DrillReport => JSON.parse(readFileSync(file(name), "utf8")) as DrillReport;

describe("eksim drill run", () => {
  const running: RunningEksim[] = [];
  afterEach(async () => {
    for (const eksim of running.splice(0)) await eksim.end("SIGKILL");
  });

  it(
    "tells the same story byte for byte in two processes, and another with another seed",
    async () => {
      const runs = ["one", "two", "other"].map((name) =>
        runCommand(
          [
            "drill",
            "run",
            file("passes.yaml"),
            "--seed",
            name === "other" ? "8" : "7",
            "--report-dir",
            file(name),
            "-q",
          ],
          { CI: "true" },
        ),
      );
      for (const { code, stdout, stderr } of await Promise.all(runs))
        expect([code, stdout, stderr]).toEqual([0, "short: passed\n", ""]);
      for (const kind of ["json", "html"]) {
        const [one, two, other] = ["one", "two", "other"].map((name) =>
          readFileSync(file(`${name}/short.${kind}`), "utf8"),
        );
        expect(two).toBe(one);
        expect(other).not.toBe(one);
      }
      const compared = await runCommand(["drill", "compare", file("one/short.json"), file("other/short.json")]);
      expect([compared.code, compared.stderr]).toEqual([expect.any(Number), ""]);
      expect(compared.stdout).toContain("zone-power-loss of us-east-1a begins");
      const same = await runCommand(["drill", "compare", file("one/short.json"), file("two/short.json")]);
      expect([same.code, same.stdout]).toEqual([0, expect.stringContaining("in the same order")]);
      expect(reportOf("one/short.json").events.map(({ type }) => type)).toContain("ZoneRestored");
      expect(existsSync(file("one/short.xml"))).toBe(true);
    },
    PATIENCE_MS,
  );

  it(
    "ends with 1 where an expectation is not met, and says which and why",
    async () => {
      const { code, stdout } = await runCommand(["drill", "run", file("fails.yaml"), "--junit", file("fails.xml")], {
        CI: "true",
      });
      expect(code).toBe(1);
      expect(stdout).toContain("FAILED short");
      expect(stdout).toMatch(/✗ some stay: .* ready replicas of deployment\/web, at least 6 wanted/);
      expect(stdout).not.toContain("\u001b");
      expect(readFileSync(file("fails.xml"), "utf8")).toContain("<failure");
    },
    PATIENCE_MS,
  );

  it("ends with 2 where the file is wrong, is not there, or the command is", async () => {
    const wrong = await runCommand(["drill", "run", file("wrong.yaml")]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain(
      'wrong.yaml:16:11: steps[3].wait: must be a duration such as 90s, 6m or 1h30m, not "EXPECTED"',
    );
    expect(wrong.stderr).toContain('unknown key "stepz"');
    const none = await runCommand(["drill", "run", "none"]);
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringContaining("drills that come with eksim: capacity-drought"),
    ]);
    const noReport = await runCommand(["drill", "compare", file("passes.yaml"), file("passes.yaml")]);
    expect([noReport.code, noReport.stderr]).toEqual([2, expect.stringContaining("passes.yaml cannot be read")]);
    const speed = await runCommand(["drill", "run", file("passes.yaml"), "--speed", "0"]);
    expect([speed.code, speed.stderr]).toEqual([2, expect.stringContaining("simulated seconds a second")]);
    const seed = await runCommand(["drill", "run", file("passes.yaml"), "--seed", "x"]);
    expect([seed.code, seed.stderr]).toEqual([2, expect.stringContaining('--seed: "x" is not valid')]);
    const nobody = await runCommand(["drill", "run", file("passes.yaml"), "--endpoint", "http://127.0.0.1:1"]);
    expect([nobody.code, nobody.stderr]).toEqual([
      2,
      expect.stringContaining("no eksim answers at http://127.0.0.1:1"),
    ]);
  });

  it(
    "in an emulator that is there passes, takes away what it made, and ends with 3 where its cluster is there already",
    async () => {
      const eksim = await runEksim(["--data-dir", ":memory:", "--clock", "stepped", "--log-level", "warn"]);
      running.push(eksim);
      const run = (): ReturnType<typeof runCommand> =>
        runCommand(["drill", "run", file("passes.yaml"), "--endpoint", eksim.endpoint, "--json", file("there.json")], {
          CI: "true",
        });
      const { code, stdout } = await run();
      expect([code, stdout]).toEqual([0, expect.stringContaining("PASSED short")]);
      const report = reportOf("there.json");
      const [web] = report.workloads;
      expect(web?.lowestReady).toBeLessThan(6);
      expect(web?.recoveredMs).toBeGreaterThan(0);
      const get = async (path: string): Promise<unknown> => (await fetch(`${eksim.endpoint}/_eksim/${path}`)).json();
      expect(await get("status")).toMatchObject({ clusters: [], faults: [] });

      const body = {
        name: "shop",
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
      };
      const made = await fetch(`${eksim.endpoint}/clusters`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: EKS_AUTHORIZATION },
        body: JSON.stringify(body),
      });
      expect(made.status).toBe(200);
      const again = await run();
      expect(again.code).toBe(3);
      expect(again.stdout).toContain("cluster shop cannot be made: 409");
      expect(await get("status")).toMatchObject({ clusters: [{ name: "shop" }] });
    },
    PATIENCE_MS,
  );

  it.each(["SIGINT", "SIGTERM"] as const)(
    "ends its faults and cleans up on %s, reports, and ends with 130",
    async (signal) => {
      const eksim = await runEksim(["--data-dir", ":memory:", "--clock", "scaled:60", "--log-level", "warn"]);
      running.push(eksim);
      const child = spawn(
        process.execPath,
        [PROGRAM, "drill", "run", file("long.yaml"), "--endpoint", eksim.endpoint, "--json", file(`${signal}.json`)],
        { env: { ...process.env, CI: "true" }, stdio: ["ignore", "pipe", "inherit"] },
      );
      const exited = once(child, "exit") as Promise<[number | null]>;
      let said = "";
      await new Promise<void>((resolve) => {
        child.stdout.on("data", (chunk: Buffer) => {
          said += chunk.toString();
          if (said.includes("step 4 of 4")) resolve();
        });
      });
      child.kill(signal);
      expect((await exited)[0]).toBe(130);
      const report = reportOf(`${signal}.json`);
      expect([report.verdict, report.why]).toEqual(["error", "interrupted"]);
      expect(report.phases.at(-1)).toMatchObject({ name: "clean-up", ok: true });
      const status = (await (await fetch(`${eksim.endpoint}/_eksim/status`)).json()) as object;
      expect(status).toMatchObject({ clusters: [], faults: [] });
    },
    PATIENCE_MS,
  );
});

/** Names the service that the request is for; the emulator does not check the signature. */
const EKS_AUTHORIZATION =
  "AWS4-HMAC-SHA256 Credential=test/20261001/us-east-1/eks/aws4_request, SignedHeaders=host, Signature=0";

describe("eksim drill", () => {
  it("lists the drills that come with it, each with a sentence, and shows them", async () => {
    const { code, stdout } = await runCommand(["drill", "list"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NAME +DRILL\ncapacity-drought +A zone loses power, and/);
    const shown = await runCommand(["drill", "show", "two-zone-loss"]);
    expect(shown.stdout).toContain("kind: Drill\nmetadata:\n  name: two-zone-loss\n");
  });

  it(
    "lints what a drill makes before anything is broken in it",
    async () => {
      const { code, stdout } = await runCommand(["drill", "lint", "one-zone-power-loss", "--json"]);
      expect([0, 1]).toContain(code);
      const report = JSON.parse(stdout) as { cluster: string; predictions: { name: string; says: string }[] };
      expect(report.cluster).toBe("shop");
      expect(report.predictions.filter(({ name }) => name === "web").map(({ says }) => says)).toEqual([
        "survives",
        "survives",
        "survives",
      ]);
    },
    PATIENCE_MS,
  );
});
