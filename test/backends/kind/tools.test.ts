import { describe, expect, it } from "vitest";
import { checkTools, compareVersions } from "../../../src/backends/kind/tools.js";
import { type Recorded, recordedRunner } from "./recorded.js";

const DOCKER = ["docker", "info", "--format", "{{.ServerVersion}} cgroup {{.CgroupVersion}} {{.SecurityOptions}}"];
const KIND = ["kind", "version", "--quiet"];
const KUBECTL = ["kubectl", "version", "--client"];
const fine: Recorded[] = [
  { command: DOCKER, stdout: "28.5.2 cgroup 1\n" },
  { command: KIND, stdout: "0.33.0\n" },
  { command: KUBECTL, stdout: "Client Version: v1.36.2\nKustomize Version: v5.7.1\n" },
];
const check = (changed: Recorded) => {
  const runner = recordedRunner();
  runner.expect(...fine.map((one) => (one.command === changed.command ? changed : one)));
  return checkTools(runner, "docker");
};

describe("the tools that kind clusters need", () => {
  it("are known by their versions, and the machine by its cgroups", async () => {
    const runner = recordedRunner();
    runner.expect(...fine);
    expect(await checkTools(runner, "docker")).toEqual({
      engine: "28.5.2",
      cgroups: 1,
      kind: "0.33.0",
      kubectl: "1.36.2",
    });
    expect(runner.left()).toEqual([]);
  });

  it("are not kubectl: only its user misses it", async () => {
    expect(await check({ command: KUBECTL, exitCode: 127, stderr: "not found" })).not.toHaveProperty("kubectl");
  });

  it.each([
    [
      { command: DOCKER, stdout: "20.10.24 cgroup 2\n" },
      /^docker 20\.10\.24 is too old: --backend kind needs 24\.0 or newer; install Docker Engine/,
    ],
    [
      { command: KIND, stdout: "0.20.0\n" },
      /^kind 0\.20\.0 is too old: --backend kind needs 0\.27 or newer; install kind: go install/,
    ],
    [
      // As the client of Docker 28 says it, with the exit code of a success where the format asks only for what it has.
      {
        command: DOCKER,
        stdout: " cgroup \n",
        stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        exitCode: 1,
      },
      /^docker does not answer \(Cannot connect to the Docker daemon.*systemctl start docker/,
    ],
    [{ command: KIND, exitCode: 127, stderr: "not there" }, /needs kind 0\.27 or newer: install kind/],
  ])("are refused in words that say what was found, what is needed and what helps: %o", async (changed, message) => {
    await expect(check(changed)).rejects.toMatchObject({ code: "failed", message: expect.stringMatching(message) });
  });

  it.each([
    ["0.33.0", "0.27", 1],
    ["24.0", "24.0.0", 0],
    ["9.1", "10.0", -1],
    ["1.9.9", "1.10", -1],
  ])("are compared by numbers: %s and %s", (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });

  it.each([
    [
      "podman",
      [
        {
          command: [
            "podman",
            "info",
            "--format",
            "{{.Version.Version}} cgroup {{.Host.CgroupsVersion}} rootless={{.Host.Security.Rootless}}",
          ],
          stdout: "5.8.6 cgroup v1 rootless=false\n",
          stderr: 'time="2026-11-22T17:48:56Z" level=warning msg="Using cgroups-v1 which is deprecated"\n',
        },
      ],
      { engine: "5.8.6", cgroups: 1 },
    ],
    [
      "nerdctl",
      [
        {
          command: ["nerdctl", "info", "--format", "cgroup {{.CgroupVersion}} {{.SecurityOptions}}"],
          stdout: "cgroup 2 [name=cgroupns]\n",
        },
        { command: ["nerdctl", "--version"], stdout: "nerdctl version 2.3.5\n" },
      ],
      { engine: "2.3.5", cgroups: 2 },
    ],
  ] as const)("may be %s instead of Docker", async (provider, recorded, found) => {
    const runner = recordedRunner();
    runner.expect(...recorded, ...fine.slice(1));
    expect(await checkTools(runner, provider)).toMatchObject(found);
    expect(runner.left()).toEqual([]);
  });

  it.each([
    ["docker", DOCKER, "28.5.2 cgroup 2 [name=seccomp,profile=builtin name=rootless name=cgroupns]\n"],
    [
      "podman",
      [
        "podman",
        "info",
        "--format",
        "{{.Version.Version}} cgroup {{.Host.CgroupsVersion}} rootless={{.Host.Security.Rootless}}",
      ],
      "5.8.6 cgroup v2 rootless=true\n",
    ],
  ] as const)(
    "are refused when %s is not root's: its networks are not this machine's",
    async (provider, command, stdout) => {
      const runner = recordedRunner();
      runner.expect({ command: [...command], stdout }, ...fine.slice(1));
      await expect(checkTools(runner, provider)).rejects.toMatchObject({
        code: "failed",
        message: expect.stringMatching(/runs rootless.*needs \w+ as root: /),
      });
    },
  );
});
