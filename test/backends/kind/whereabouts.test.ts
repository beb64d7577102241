/** eksim on the engine's machine, and eksim in a container of that engine. */
import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/backends/kind/engine.js";
import type { Files } from "../../../src/backends/kind/files.js";
import { containerIn, createWhereabouts } from "../../../src/backends/kind/whereabouts.js";
import {
  inspected,
  KIND_NETWORK,
  networkWith,
  type Recorded,
  type RecordedContainer,
  recordedRunner,
} from "./recorded.js";

const ID = "0123456789abcdef".repeat(4);
/** Lines of /proc/self/mountinfo as they were seen, with other ids. */
const MOUNTS = {
  docker: `901 889 254:1 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw,discard\n`,
  podman: `620 598 0:53 /containers/storage/overlay-containers/${ID}/userdata/hostname /etc/hostname rw,nosuid - tmpfs tmpfs rw\n`,
  none: "25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n",
};
const FILES = { owner: async () => "abc123" } as unknown as Files;
const INSPECT = ["docker", "container", "inspect"];
const NETWORK = { command: ["docker", "network", "inspect", "kind"], stdout: KIND_NETWORK, always: true };
const OURS = KIND_NETWORK.replace('"Labels":{}', '"Labels":{"eksim.dev/owner":"abc123"}');
const CLUSTER = { kindName: "c", masters: 3 };
const PUBLISHED = "https://127.0.0.1:20123";

function standing(mounts: string, ...recorded: Recorded[]) {
  const runner = recordedRunner();
  runner.expect(...recorded);
  const engine = createEngine(runner, "docker");
  return { runner, whereabouts: createWhereabouts({ engine, files: FILES, mounts: async () => mounts }) };
}

const own = (hostNetwork = false) => {
  const [container] = JSON.parse(inspected([{ name: "eksim", labels: {}, address: "172.18.0.9" }])) as {
    HostConfig: object;
  }[];
  return JSON.stringify([{ ...container, HostConfig: { NetworkMode: hostNetwork ? "host" : "eksim_default" } }]);
};

describe("where eksim runs", () => {
  it("is told by what is mounted: Docker's and Podman's containers have their ids in it", () => {
    expect(containerIn(MOUNTS.none + MOUNTS.docker)).toBe(ID);
    expect(containerIn(MOUNTS.none + MOUNTS.podman)).toBe(ID);
    expect(containerIn(MOUNTS.none)).toBeUndefined();
    expect(containerIn("")).toBeUndefined();
  });

  it.each([
    ["on the machine itself", MOUNTS.none, []],
    [
      "in a container of another engine",
      MOUNTS.docker,
      [{ command: [...INSPECT, ID], exitCode: 1, stderr: "No such container" }],
    ],
    [
      "in a container with the machine's own network",
      MOUNTS.docker,
      [{ command: [...INSPECT, ID], stdout: own(true) }],
    ],
  ])("%s: at the gateway, and the API servers at their published ports", async (_where, mounts, recorded) => {
    const { whereabouts } = standing(mounts, NETWORK, ...recorded);
    expect(await whereabouts.addresses()).toEqual(["172.18.0.1", "fc00:f853:ccd:e793::1"]);
    expect(await whereabouts.server(CLUSTER, PUBLISHED)).toBe(PUBLISHED);
  });

  it("in a container with a network of its own: at its own address in kind's, and the API servers behind their load balancer", async () => {
    let inIt: RecordedContainer[] = [];
    const { whereabouts, runner } = standing(
      MOUNTS.docker,
      { ...NETWORK, stdout: () => networkWith(inIt) },
      { command: [...INSPECT, ID], stdout: own() },
      { command: [...INSPECT, "eksim"], stdout: own(), always: true },
    );
    const joined: string[] = [];
    const { run } = runner;
    runner.run = async (tool, args, options) => {
      if (args[1] !== "connect") return run(tool, args, options);
      joined.push([tool, ...args].join(" "));
      inIt = [{ name: "eksim", labels: {}, address: "172.18.0.9" }];
      return { stdout: "", stderr: "", exitCode: 0 };
    };
    // Asked again it is there already: also after a restart.
    for (let time = 0; time < 2; time++)
      expect(await whereabouts.addresses()).toEqual(["172.18.0.9", "fc00:f853:ccd:e793::9"]);
    // From the half of the network where the engine does not come.
    expect(joined).toEqual([
      expect.stringMatching(/^docker network connect --ip 172\.18\.(12[89]|1[3-9]\d|2\d\d)\.\d+ kind eksim$/),
    ]);
    expect(await whereabouts.server(CLUSTER, PUBLISHED)).toBe("https://c-external-load-balancer:6443");
    expect(await whereabouts.server({ kindName: "c", masters: 1 }, PUBLISHED)).toBe("https://c-control-plane:6443");
    expect(runner.left()).toEqual([]);
  });

  it("lets the network go when nobody but eksim's own container is in it", async () => {
    const inIt = ["docker", "ps", "--all", "--filter", "network=kind", "--format", "{{.Names}}"];
    const begin = [
      { ...NETWORK, stdout: OURS },
      { command: [...INSPECT, ID], stdout: own() },
    ];
    const { whereabouts, runner } = standing(
      MOUNTS.docker,
      ...begin,
      { command: inIt, stdout: "eksim\n" },
      { command: ["docker", "network", "disconnect", "kind", "eksim"] },
      { command: ["docker", "network", "rm", "kind"] },
    );
    expect(await whereabouts.leave()).toBe(true);
    expect(runner.left()).toEqual([]);
    const { whereabouts: busy } = standing(MOUNTS.docker, ...begin, { command: inIt, stdout: "eksim\nc-worker\n" });
    expect(await busy.leave()).toBe(false);
  });
});
