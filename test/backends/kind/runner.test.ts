import { getEventListeners } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { createRunner } from "../../../src/backends/kind/runner.js";
import { createClock } from "../../../src/clock/create-clock.js";

const clock = createClock({ kind: "real" }, { seed: 1 });
afterAll(() => clock.stop());

const lines: Record<string, unknown>[] = [];
const log = { debug: (fields: Record<string, unknown>) => void lines.push(fields) };
const environment = { PATH: process.env.PATH ?? "", ONLY: "this" };
const runner = createRunner({ clock, log, environment });
const node = (script: string, ...args: string[]): string[] => ["-e", script, ...args];

describe("running a tool", () => {
  it("gives what it printed, and hands on its input", async () => {
    const script = "process.stdin.on('data', (text) => process.stdout.write(String(text).toUpperCase()))";
    expect(await runner.run("node", node(script), { input: "hello" })).toEqual({
      stdout: "HELLO",
      stderr: "",
      exitCode: 0,
    });
  });

  it("takes arguments as they are: nothing is a shell's", async () => {
    const { stdout } = await runner.run("node", node("console.log(process.argv[1])", "$(id); `id` > /tmp/x"));
    expect(stdout).toBe("$(id); `id` > /tmp/x");
  });

  it("shows it the variables that it is allowed, and no others", async () => {
    const { stdout } = await runner.run("node", node("console.log(Object.keys(process.env).sort().join())"));
    expect(stdout.split(",")).toEqual(expect.arrayContaining(["ONLY", "PATH"]));
    expect(stdout).not.toContain("HOME");
  });

  it("fails with the tool's own last words, without stack traces", async () => {
    const words = [
      "ERROR: failed to create cluster: the reason",
      ...Array.from({ length: 20 }, (_, index) => `detail ${index}`),
      "k8s.io/kubernetes/cmd/kubeadm/app.Run",
      "k8s.io/kubernetes/cmd/kubeadm/kubeadm.go:48",
      "runtime.goexit",
    ].join("\n");
    const failing = runner.run("node", node(`console.error(${JSON.stringify(words)}); process.exit(3)`));
    await expect(failing).rejects.toMatchObject({ code: "failed" });
    const { message } = (await failing.catch((error: unknown) => error)) as Error;
    expect(message).toMatch(
      /^node .*failed with exit code 3: ERROR: failed to create cluster: the reason\ndetail 12\n/s,
    );
    expect(message).toMatch(/detail 19$/);
  });

  it("takes a failure for an answer where that is wanted", async () => {
    const script = "console.error('no'); process.exit(1)";
    expect(await runner.run("node", node(script), { anyExitCode: true })).toEqual({
      stdout: "",
      stderr: "no",
      exitCode: 1,
    });
  });

  it("says that a tool is not installed", async () => {
    await expect(runner.run("no-such-tool-anywhere", [])).rejects.toMatchObject({
      code: "failed",
      message: "no-such-tool-anywhere is not installed, or not in the PATH that eksim was started with",
    });
  });

  it("ends one that hangs, and says for how long it was given", async () => {
    const hanging = runner.run("node", node("console.error('waiting for Godot'); setInterval(() => {}, 1000)"), {
      timeoutMs: 1_500,
    });
    await expect(hanging).rejects.toMatchObject({ code: "timeout", message: expect.stringMatching(/within 1\.5 s/) });
  });

  it("ends one that stands still, whatever it has begun goes on, and repeats what it said before", async () => {
    const dir = mkdtempSync(join(tmpdir(), "eksim-tools-"));
    const stillThere = join(dir, "child");
    try {
      // Takes no notice of being told to end, and what it has begun keeps its output open.
      const script = `#!/bin/sh\necho " • Preparing nodes" >&2\nsleep 600 &\necho $! > ${stillThere}\nkill -STOP $$\n`;
      writeFileSync(join(dir, "kind"), script, { mode: 0o755 });
      const own = createRunner({ clock, log, environment: { PATH: `${dir}:${environment.PATH}` }, killAfterMs: 100 });
      await expect(own.run("kind", ["create", "cluster"], { timeoutMs: 500 })).rejects.toMatchObject({
        code: "timeout",
        message: "kind create cluster did not end within 0.5 s: • Preparing nodes",
      });
    } finally {
      process.kill(Number(readFileSync(stillThere, "utf8")), "SIGKILL");
      rmSync(dir, { recursive: true });
    }
  }, 60_000);

  it("ends one that nobody waits for any longer", async () => {
    const controller = new AbortController();
    const running = runner.run("node", node("setInterval(() => {}, 1000)"), { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: "unavailable" });
  });

  it("ends one that stands still at once when it is called off", async () => {
    const controller = new AbortController();
    const own = createRunner({ clock, log, environment, killAfterMs: 600_000 });
    const running = own.run("sh", ["-c", "echo $$ >&2; kill -STOP $$"], {
      signal: controller.signal,
      onStderrLine: (pid) => {
        told.push(Number(pid));
        controller.abort();
      },
    });
    const told: number[] = [];
    await expect(running).rejects.toMatchObject({ code: "unavailable" });
    expect(() => process.kill(told[0] ?? 0, 0)).toThrow("ESRCH");
  });

  it("leaves no listener on what may call off many", async () => {
    const { signal } = new AbortController();
    for (let turn = 0; turn < 3; turn++) await runner.run("true", [], { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("has nothing left to do for one that has ended when everything is called off", async () => {
    const controller = new AbortController();
    await runner.run("true", [], { signal: controller.signal });
    const timers = vi.spyOn(clock, "timer");
    controller.abort();
    expect(timers).not.toHaveBeenCalled();
    timers.mockRestore();
  });

  it("keeps secrets out of its log and of errors", async () => {
    const failing = runner.run("node", node("console.error(process.argv[1]); process.exit(1)", "hush-hush"), {
      secrets: ["hush-hush"],
    });
    await expect(failing).rejects.toMatchObject({ message: expect.not.stringContaining("hush-hush") });
    expect(JSON.stringify(lines)).not.toContain("hush-hush");
    expect(JSON.stringify(lines)).toContain("***");
  });

  it("tells lines of stderr as they come", async () => {
    const told: string[] = [];
    await runner.run("node", node("process.stderr.write('one\\ntw'); process.stderr.write('o\\n')"), {
      onStderrLine: (line) => told.push(line),
    });
    expect(told).toEqual(["one", "two"]);
  });

  it("follows a tool that goes on by itself until it is stopped or ends", async () => {
    const told: string[] = [];
    await new Promise<void>((ended) => {
      runner.follow("node", node("console.log('event'); console.log('another')"), {
        onLine: (line) => told.push(line),
        onEnd: ended,
      });
    });
    expect(told).toEqual(["event", "another"]);
  });
});
