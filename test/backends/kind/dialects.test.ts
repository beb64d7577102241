/** Podman as it was seen to answer, and nerdctl as its source says that it does: what the backend does with Docker it does with them. */
import { describe, expect, it } from "vitest";
import type { KindContext } from "../../../src/backends/kind/cluster.js";
import { createEngine, type Engine, type Provider } from "../../../src/backends/kind/engine.js";
import { type Machine, runArguments, runMachine } from "../../../src/backends/kind/join.js";
import { ipv6Range } from "../../../src/backends/kind/kinds-network.js";
import { isExecution } from "../../../src/backends/kind/watch-machines.js";
import { PODMAN_EVENTS, PODMAN_SAYS, podmanContainer, podmanNetwork } from "./podman.js";
import { type Recorded, type RecordedRunner, recordedRunner } from "./recorded.js";

const MARK = { "eksim.dev/owner": "abc123" };

function engineOf(provider: Provider, ...recorded: Recorded[]): { engine: Engine; runner: RecordedRunner } {
  const runner = recordedRunner();
  runner.expect(...recorded.map((one) => ({ ...one, command: [provider, ...one.command] })));
  return { engine: createEngine(runner, provider), runner };
}

const json = (...values: unknown[]): string => JSON.stringify(values);
const machine: Machine = {
  container: "c-i-1",
  hostname: "ip-10-0-0-10.ec2.internal",
  kindName: "c",
  role: "worker",
  image: "kindest/node:v1.36.2",
  labels: {},
};

describe("ranges of kind's network", () => {
  it("are those of kind itself, in its order", () => {
    expect([0, 1].map(ipv6Range)).toEqual(["fc00:f853:ccd:e793::/64", "fc00:8866:27d0:bd7e::/64"]);
  });

  it.each([
    ["podman", PODMAN_SAYS.rangeTaken],
    ["docker", "Error response from daemon: invalid pool request: Pool overlaps with other one on this address space"],
  ] as const)("are changed where another engine of the machine has them: %s", async (provider, stderr) => {
    const options =
      provider === "docker"
        ? ["-o", "com.docker.network.bridge.enable_ip_masquerade=true", "-o", "com.docker.network.driver.mtu=1500"]
        : [];
    const create = (range: string) => [
      ...["network", "create", "-d=bridge", ...options, "--label", "eksim.dev/owner=abc123"],
      ...["--ipv6", "--subnet", range, "kind"],
    ];
    const { engine, runner } = engineOf(
      provider,
      { command: ["network", "inspect", "kind"], stdout: "[]", stderr: PODMAN_SAYS.noNetwork4, exitCode: 125 },
      { command: create("fc00:f853:ccd:e793::/64"), stderr, exitCode: 125 },
      { command: create("fc00:8866:27d0:bd7e::/64"), stdout: "kind\n" },
      { command: ["network", "inspect", "kind"], stdout: json(podmanNetwork(5)) },
    );
    expect(await engine.network(MARK)).toEqual({
      gateways: ["10.89.0.1", "fc00:f853:ccd:e7aa::1"],
      subnet: "10.89.0.0/24",
      holders: {},
    });
    expect(runner.left()).toEqual([]);
  });

  it("are of IPv4 alone where the machine has no IPv6, and what else is wrong is told", async () => {
    const begin = ["network", "create", "-d=bridge", "--label", "eksim.dev/owner=abc123"];
    const first = { command: [...begin, "--ipv6", "--subnet", "fc00:f853:ccd:e793::/64", "kind"], exitCode: 125 };
    const none = { command: ["network", "inspect", "kind"], stderr: PODMAN_SAYS.noNetwork, exitCode: 125 };
    const { engine, runner } = engineOf(
      "podman",
      none,
      { ...first, stderr: "Error: ip6tables: command failed" },
      { command: [...begin, "kind"] },
      { command: ["network", "inspect", "kind"], stdout: json(podmanNetwork(5)) },
    );
    await engine.network(MARK);
    expect(runner.left()).toEqual([]);
    const { engine: other } = engineOf("podman", none, { ...first, stderr: "Error: no space left on device" });
    await expect(other.network(MARK)).rejects.toMatchObject({
      message: "podman network create failed: Error: no space left on device",
    });
  });
});

describe("Podman", () => {
  it.each([
    ["running", "running", "10.89.0.77"],
    ["paused", "paused", "10.89.0.77"],
    ["stopped", "stopped", "10.89.0.77"],
    ["exited", "stopped", ""],
  ] as const)("has containers that are %s", async (status, state, address) => {
    const labels = { "io.x-k8s.kind.role": "control-plane" };
    const { engine } = engineOf("podman", {
      command: ["container", "inspect", "k3a"],
      stdout: json(podmanContainer("k3a", status, { address, labels })),
    });
    expect(await engine.inspect(["k3a"])).toMatchObject([
      { name: "k3a", role: "control-plane", state, address, ports: { "6443/tcp": 46525 }, onHostNetwork: false },
    ]);
  });

  it("tells who is in a network, in version 4 container by container", async () => {
    const { engine } = engineOf("podman", {
      command: ["network", "inspect", "kind"],
      stdout: json(podmanNetwork(5, { k3a: "10.89.0.77", k3b: "10.89.0.2" })),
    });
    expect((await engine.network(MARK)).holders).toEqual({ "10.89.0.77": "k3a", "10.89.0.2": "k3b" });
    const { engine: old } = engineOf(
      "podman",
      { command: ["network", "inspect", "kind"], stdout: json(podmanNetwork(4)) },
      { command: ["ps", "--all", "--filter", "network=kind", "--format", "{{.Names}}"], stdout: "k3a\nk3b\n" },
      {
        command: ["container", "inspect", "k3a", "k3b"],
        stdout: json(podmanContainer("k3a", "running", { address: "10.89.0.77" }), podmanContainer("k3b", "exited")),
      },
    );
    expect((await old.network(MARK)).holders).toEqual({ "10.89.0.77": "k3a" });
  });

  it("is asked for the values of a label container by container: no version formats them as the others do", async () => {
    const { engine } = engineOf(
      "podman",
      { command: ["ps", "--all", "--filter", "label=l", "--format", "{{.Names}}"], stdout: "one\ntwo\nthree\n" },
      {
        command: ["container", "inspect", "one", "two", "three"],
        stdout: json(
          ...["a", "b", "a"].map((value, index) => podmanContainer(`${index}`, "running", { labels: { l: value } })),
        ),
      },
    );
    expect(await engine.labelValues("l")).toEqual(["a", "b"]);
  });

  it("takes for done what was so already, and says what is not there", async () => {
    const { engine } = engineOf(
      "podman",
      { command: ["pause", "one"], stderr: PODMAN_SAYS.isPaused, exitCode: 125 },
      { command: ["container", "inspect", "one"], stdout: json(podmanContainer("one", "paused")) },
      { command: ["kill", "two"], stderr: PODMAN_SAYS.noContainer, exitCode: 125 },
      {
        command: ["container", "inspect", "two"],
        stdout: "[]\n",
        stderr: PODMAN_SAYS.noContainerToInspect,
        exitCode: 125,
      },
    );
    await engine.pause("one");
    await expect(engine.kill("two")).rejects.toMatchObject({ code: "missing" });
  });

  it("gives nodes a volume with the options that they need, and removes it with them, at once and one by one", async () => {
    const volumes = (name: string) => ["volume", "ls", "--filter", `label=${name}`, "--quiet"];
    const remove = (name: string) => ["rm", "--force", "--volumes", "--time", "0", name];
    const { engine, runner } = engineOf(
      "podman",
      { command: volumes("c-i-1") },
      { command: ["volume", "create", "--label", "c-i-1=true", "c-i-1"] },
      { command: remove("c-i-1"), stdout: "c-i-1\n" },
      { command: remove("two"), stderr: PODMAN_SAYS.noContainer, exitCode: 1 },
      { command: volumes("c-i-1"), stdout: "c-i-1\n" },
      { command: ["volume", "rm", "--force", "c-i-1"] },
      { command: volumes("two") },
    );
    expect(await engine.volume("c-i-1", "/var")).toBe("c-i-1:/var:suid,exec,dev");
    await engine.remove(["c-i-1", "two"]);
    expect(runner.left()).toEqual([]);
  });

  it("runs a machine as kind runs its own there, and anew when somebody has its address", async () => {
    const ran: string[][] = [];
    const { engine } = engineOf("podman");
    const network = { gateways: ["10.89.0.1"], subnet: "10.89.0.0/24", holders: {} };
    const context = {
      engine: {
        ...engine,
        network: async () => network,
        volume: async (name: string, path: string) => `${name}:${path}:suid,exec,dev`,
        remove: async () => {},
        run: async (args: readonly string[]) => {
          ran.push([...args]);
          const { BackendError } = await import("../../../src/backends/backend.js");
          if (ran.length === 1) throw new BackendError("failed", `podman run failed: ${PODMAN_SAYS.addressTaken}`);
          return { stdout: "", stderr: "", exitCode: 0 };
        },
      },
      files: { owner: async () => "abc123" },
    } as unknown as KindContext;
    await runMachine(context, machine);
    expect(ran).toHaveLength(2);
    expect(ran[1]?.join(" ")).toMatch(
      /--volume c-i-1:\/var:suid,exec,dev --volume \/lib\/modules:\/lib\/modules:ro .*-e container=podman .*--net kind --ip 10\.89\.0\.\d+ /,
    );
    expect(runArguments(machine).join(" ")).not.toContain("container=podman");
  });

  it("tells commands in containers apart from what happens to containers", () => {
    expect(Object.entries(PODMAN_EVENTS).map(([name, line]) => [name, isExecution(line)])).toEqual([
      ["died", false],
      ["exec", true],
      ["execDied", true],
    ]);
  });
});

describe("nerdctl", () => {
  it("names networks after devices, and prints nothing when one of several containers is not there", async () => {
    const container = {
      Name: "one",
      State: { Status: "running", Running: true },
      NetworkSettings: { Networks: { "unknown-eth0": { IPAddress: "10.4.1.5" } } },
    };
    const gone = { stderr: 'time="2026-11-22T17:00:00Z" level=fatal msg="no such container: two"', exitCode: 1 };
    const { engine } = engineOf(
      "nerdctl",
      { command: ["container", "inspect", "one", "two"], ...gone },
      { command: ["container", "inspect", "one"], stdout: json(container) },
      { command: ["container", "inspect", "two"], ...gone },
    );
    expect(await engine.inspect(["one", "two"])).toMatchObject([
      { name: "one", state: "running", address: "10.4.1.5" },
    ]);
  });

  it("does not start again what was killed or removed", async () => {
    const { engine, runner } = engineOf(
      "nerdctl",
      { command: ["update", "--restart=no", "one"] },
      { command: ["kill", "one"] },
      { command: ["update", "--restart=no", "one"] },
      { command: ["rm", "--force", "--volumes", "one"] },
    );
    await engine.kill("one");
    await engine.remove(["one"]);
    expect(runner.left()).toEqual([]);
  });

  it("is asked for events by their label alone, since it knows no types", () => {
    const { engine, runner } = engineOf("nerdctl", {
      command: ["events", "--filter", "label=a=b", "--format", "{{json .}}"],
    });
    engine.events("a=b", { onLine: () => {}, onEnd: () => {} })();
    expect(runner.left()).toEqual([]);
    expect(isExecution('{"Namespace":"default","Topic":"/tasks/exec-added","Status":"unknown","Event":"{}"}')).toBe(
      true,
    );
    expect(isExecution('{"Namespace":"default","Topic":"/tasks/exit","Status":"unknown","Event":"{}"}')).toBe(false);
  });

  it("has no network that is not there, however it says so", async () => {
    const { engine } = engineOf("nerdctl", {
      command: ["network", "inspect", "kind"],
      stderr: 'level=fatal msg="unable to find any network matching the provided request"',
      exitCode: 1,
    });
    expect(await engine.removeNetwork(MARK)).toBe(true);
  });
});
