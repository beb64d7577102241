import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { eksCall } from "../../src/testkit/http.js";
import { PROGRAM, type RunningEksim, runCommand, runEksim, temporaryDirectory } from "./process.js";

const oneLine = (text: string): string[] => text.trim().split("\n");

describe("eksim start", () => {
  const running: RunningEksim[] = [];
  afterEach(async () => {
    for (const eksim of running.splice(0)) await eksim.end("SIGKILL");
  });
  const start = async (...args: string[]): Promise<RunningEksim> => {
    const eksim = await runEksim(args);
    running.push(eksim);
    return eksim;
  };

  it("picks a free port, says so in one JSON line and answers on /_eksim/health", async () => {
    const eksim = await start("--data-dir", temporaryDirectory());
    const health = (await (await fetch(`${eksim.endpoint}/_eksim/health`)).json()) as Record<string, unknown>;
    expect(health).toMatchObject({ status: "ok", backend: "embedded", clusters: 0 });
  });

  it.each(["SIGINT", "SIGTERM"] as const)("ends cleanly within a second on %s", async (signal) => {
    // A start takes a good half of a second of work: on a machine that is busy at that moment, it says how long a second is.
    let [tookMs, secondMs] = [Number.POSITIVE_INFINITY, 1000];
    for (let tries = 0; tries < 5 && tookMs >= secondMs; tries++) {
      const beginMs = performance.now();
      const eksim = await start("--data-dir", temporaryDirectory());
      const startedMs = performance.now();
      expect(await eksim.end(signal)).toBe(0);
      tookMs = performance.now() - startedMs;
      secondMs = Math.max(1000, startedMs - beginMs);
    }
    expect(tookMs).toBeLessThan(secondMs);
  });

  it("refuses a second emulator on one data directory", async () => {
    const dataDir = temporaryDirectory();
    await start("--data-dir", dataDir);
    const second = await runCommand(["start", "--port", "0", "--data-dir", dataDir]);
    expect(second.code).toBe(2);
    expect(oneLine(second.stderr)).toHaveLength(1);
    expect(second.stderr).toContain(dataDir);
  });

  it("refuses a port in use, and names it, before it touches the data directory", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const dataDir = temporaryDirectory();
    const refused = await runCommand(["start", "--port", String(port), "--data-dir", dataDir]);
    server.close();
    expect(readdirSync(dataDir)).toEqual([]);
    expect(refused.code).toBe(2);
    expect(oneLine(refused.stderr)).toHaveLength(1);
    expect(refused.stderr).toContain(String(port));
  });

  it("refuses a data directory that it cannot write to", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "not a directory");
    const refused = await runCommand(["start", "--port", "0", "--data-dir", file]);
    expect(refused.code).toBe(2);
    expect(oneLine(refused.stderr)).toHaveLength(1);
    expect(refused.stderr).toContain(file);
  });

  it.skipIf(process.getuid?.() === 0)("refuses a read-only data directory", async () => {
    const dir = temporaryDirectory();
    mkdirSync(join(dir, "state"));
    chmodSync(dir, 0o500);
    expect((await runCommand(["start", "--port", "0", "--data-dir", join(dir, "x")])).code).toBe(2);
  });

  it("refuses a state file of a newer version and leaves it alone", async () => {
    const dataDir = temporaryDirectory();
    const first = await start("--data-dir", dataDir);
    await first.end("SIGTERM");
    const { default: Database } = await import("better-sqlite3");
    const { readdirSync } = await import("node:fs");
    const file = readdirSync(dataDir).find((name) => /state.*\.(db|sqlite)$/.test(name)) ?? "";
    const database = new Database(join(dataDir, file));
    database.pragma("user_version = 9999");
    database.close();
    const refused = await runCommand(["start", "--port", "0", "--data-dir", dataDir]);
    expect(refused.code).toBe(2);
    expect(oneLine(refused.stderr)).toHaveLength(1);
    expect(refused.stderr).toMatch(/newer/);
  });

  it.each([
    [["start", "--colour"], /--colour/],
    [["start", "--port", "http"], /--port.*whole number/],
    [["start", "--clock", "sundial"], /--clock.*scaled/],
    [["start", "--backend", "kind", "--clock", "stepped"], /--backend kind: real containers keep real time/],
    [["start", "--backend", "kind", "--clock", "scaled:60"], /--backend kind: .*scaled:10 at most/],
    [["start", "--backend", "kind", "--data-dir", ":memory:"], /--backend kind: .*--data-dir/],
    [["start", "--kind-node-image", "newest"], /--kind-node-image.*1\.36=kindest\/node/],
    [["nonsense"], /unknown command 'nonsense'/],
  ])("refuses %j in one line, with exit code 2", async (args, text) => {
    const refused = await runCommand(args);
    expect(refused.code).toBe(2);
    expect(oneLine(refused.stderr)).toHaveLength(1);
    expect(refused.stderr).toMatch(text);
    expect(refused.stdout).toBe("");
  });

  it("lists every option with its environment variable in --help", async () => {
    const { code, stdout } = await runCommand(["start", "--help"]);
    expect(code).toBe(0);
    for (const flag of [
      "--port",
      "--host",
      "--data-dir",
      "--backend",
      "--clock",
      "--profile",
      "--seed",
      "--strict",
      "--verify-signatures",
      "--log-level",
      "--log-format",
    ]) {
      expect(stdout).toContain(flag);
      expect(stdout).toContain(`EKSIM_${flag.slice(2).toUpperCase().replaceAll("-", "_")}`);
    }
  });

  it("says what to do when no emulator answers", async () => {
    const refused = await runCommand(["zones", "--endpoint", "http://127.0.0.1:9"]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/no eksim answers at http:\/\/127\.0\.0\.1:9/);
  });

  it("is an executable script", () => {
    expect(PROGRAM).toMatch(/eksim\.js$/);
  });

  it("moves a stepped clock, and only a stepped one", async () => {
    const eksim = await start("--data-dir", ":memory:", "--clock", "stepped", "--clock-start", "2026-11-01T00:00:00Z");
    const advanced = await runCommand(["clock", "advance", "1h30m", "--endpoint", eksim.endpoint]);
    expect(advanced.stdout).toContain("2026-11-01T01:30:00Z");
    expect((await runCommand(["clock", "--endpoint", eksim.endpoint])).stdout).toContain(
      "2026-11-01T01:30:00Z  (stepped)",
    );
    expect(await runCommand(["clock", "advance", "soon", "--endpoint", eksim.endpoint])).toMatchObject({ code: 2 });
    const real = await start("--data-dir", ":memory:");
    const refused = await runCommand(["clock", "advance", "1s", "--endpoint", real.endpoint]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/stepped/);
  });

  it("explains access in a person's words, and says by its exit code whether it is given", async () => {
    const eksim = await start("--data-dir", ":memory:", "--clock", "stepped");
    const explain = (principal: string, ...more: string[]) =>
      runCommand(
        ["explain-access", "--cluster", "demo", "--principal", `arn:aws:iam::000000000000:${principal}`, ...more],
        { AWS_ENDPOINT_URL: eksim.endpoint },
      );
    const unknown = await explain("root");
    expect(unknown).toMatchObject({ code: 2, stderr: "eksim: No cluster found for name: demo.\n" });
    const caller = {
      endpoint: eksim.endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      wallNow: Date.now,
    };
    await eksCall(caller, "POST", "/clusters", {
      name: "demo",
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    });
    await runCommand(["clock", "advance", "1s", "--endpoint", eksim.endpoint]);
    const creator = await explain("user/test", "--verb", "delete", "--resource", "node");
    expect(creator).toMatchObject({ code: 0, stderr: "" });
    expect(creator.stdout).toContain("May delete nodes: member of system:masters");
    const other = await explain("user/other", "--json");
    expect(other.code).toBe(1);
    expect(JSON.parse(other.stdout)).toMatchObject({ authentication: { outcome: "refused" } });
  });

  it("breaks no zone when two are named, of which it could break one", async () => {
    const zones = ["--zone", "us-east-1a", "--zone", "us-east-1b"];
    expect(await runCommand(["fault", "start", "zone-power-loss", ...zones])).toMatchObject({
      code: 2,
      stderr: "eksim: --zone is given more than once; start a fault for each\n",
    });
  });

  it("says of what is to be linted that it is neither a drill nor a cluster", async () => {
    const eksim = await start("--data-dir", ":memory:");
    expect(await runCommand(["drill", "lint", "shpo", "--endpoint", eksim.endpoint])).toMatchObject({
      code: 2,
      stderr: "eksim: shpo is neither a drill nor a cluster that can be looked at: No cluster found for name: shpo.\n",
    });
  });

  it("names the zones there are when one is misspelt", async () => {
    const eksim = await start("--data-dir", ":memory:");
    const refused = await runCommand(["zone", "fail", "us-east-1z", "--endpoint", eksim.endpoint]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/us-east-1a/);
  });
});
