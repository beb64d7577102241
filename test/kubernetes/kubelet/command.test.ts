import { describe, expect, it } from "vitest";
import { outcomeOf } from "../../../src/kubernetes/kubelet/command.js";

const shell = (script: string) => outcomeOf({ image: "busybox:1", command: ["sh", "-c", script] });

describe("what a command would do", () => {
  it.each<[string, number | undefined, number, string[]]>([
    ["true", 0, 0, []],
    ["false", 0, 1, []],
    ["exit 3", 0, 3, []],
    ["exit 256", 0, 0, []],
    ["exit abc", 0, 2, []],
    ["sleep 5", 5_000, 0, []],
    ["sleep 1m 2s; exit 1", 62_000, 1, []],
    ["sleep infinity", Number.POSITIVE_INFINITY, 0, []],
    ["echo one; echo 'two; three' && sleep 0.5", 500, 0, ["one", "two; three"]],
    ["false && echo never; echo after", 0, 0, ["after"]],
    ["false || echo rescued", 0, 0, ["rescued"]],
    ["true\nfalse\nexit", 0, 1, []],
    ["exec sleep 2", 2_000, 0, []],
    ["echo up; nginx -g 'daemon off;'", undefined, 0, ["up"]],
    ["while true; do date; sleep 1; done", Number.POSITIVE_INFINITY, 0, []],
    ["echo x > /dev/null; echo y >&2; exit 1", 0, 1, ["y"]],
    ["echo x 2>/dev/null", 0, 0, ["x"]],
    ["tail -f /dev/null", Number.POSITIVE_INFINITY, 0, []],
    ["until nslookup db; do sleep 2; done", undefined, 0, []],
    ["yes | head", undefined, 0, []],
    ["perl -Mbignum=bpi -wle 'print bpi(2000)'", 0, 0, []],
    ["python3 -c 'pass'; python3 server.py", undefined, 0, []],
    ["", 0, 0, []],
  ])("%s", (script, runForMs, exitCode, output) => {
    expect(shell(script)).toEqual({ runForMs, exitCode, output });
  });

  it("reads commands without a shell, and takes args for the command of the image", () => {
    expect(outcomeOf({ image: "busybox", command: ["/bin/sleep"], args: ["7"] }).runForMs).toBe(7_000);
    expect(outcomeOf({ image: "busybox", args: ["sleep", "7"] }).runForMs).toBe(7_000);
    expect(outcomeOf({ image: "app", command: ["/app/server", "--port", "80"] }).runForMs).toBeUndefined();
  });

  it("knows images that end at once when nobody is at their terminal", () => {
    expect(outcomeOf({ image: "docker.io/library/busybox:1.37" }).runForMs).toBe(0);
    expect(outcomeOf({ image: "busybox", stdin: true, tty: true }).runForMs).toBeUndefined();
    expect(outcomeOf({ image: "nginx" }).runForMs).toBeUndefined();
  });
});
