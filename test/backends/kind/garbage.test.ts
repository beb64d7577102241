/** What nobody knows any more in Docker is found, and only what this data directory has made is removed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KnownCluster } from "../../../src/backends/backend.js";
import type { KindContext } from "../../../src/backends/kind/cluster.js";
import { createEngine } from "../../../src/backends/kind/engine.js";
import { createFiles } from "../../../src/backends/kind/files.js";
import { collectGarbage } from "../../../src/backends/kind/garbage.js";
import { createLocks } from "../../../src/backends/kind/lock.js";
import { createWhereabouts } from "../../../src/backends/kind/whereabouts.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { ENDPOINT_PORTS } from "../../../src/domain/endpoint-ports.js";
import { type RecordedRunner, recordedRunner, silentLog } from "./recorded.js";

const ID = "AAAABBBBCCCCDDDD";

describe("garbage in the container engine", () => {
  let dir: string;
  let runner: RecordedRunner;
  let context: KindContext;
  let owner: string;
  let kindName: string;

  const container = (name: string, labels: Record<string, string>) => ({
    name,
    labels: { "io.x-k8s.kind.role": "worker", ...labels },
  });
  const known = (...instanceIds: string[]): KnownCluster[] => [{ clusterId: ID, instanceIds, memberIds: ["master-1"] }];
  const collect = (rows: () => KnownCluster[], remove = false) =>
    collectGarbage(context, () => undefined, rows, remove);

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "eksim-garbage-"));
    runner = recordedRunner();
    const files = createFiles(dir);
    const engine = createEngine(runner, "docker");
    context = {
      clock: createClock({ kind: "real" }, { seed: 1 }),
      speed: 1,
      ending: new AbortController().signal,
      log: silentLog,
      runner,
      engine,
      files,
      whereabouts: createWhereabouts({ engine, files, mounts: async () => "" }),
      locks: createLocks(1),
      nodeImages: new Map(),
      endpointPorts: ENDPOINT_PORTS,
      tools: () => Promise.reject(new Error("not asked for")),
      metadata: {
        admit: () => Promise.reject(new Error("not asked for")),
        forget: () => Promise.reject(new Error("not asked for")),
        close: () => {},
      },
      pass: "",
      webhookFiles: () => Promise.reject(new Error("not asked for")),
    };
    owner = await files.owner();
    kindName = `eksim-${owner}-demo-aaaabbbbcccc`;
    await files.write({
      form: 1,
      kindName,
      spec: {
        clusterId: ID,
        name: "demo",
        accountId: "000000000000",
        region: "us-east-1",
        version: "1.36",
        serviceCidr: "10.100.0.0/16",
        oidcIssuer: "https://oidc.example",
      },
      masters: [{ id: "master-1", zone: "us-east-1a", container: `${kindName}-control-plane`, address: "172.18.0.3" }],
    });
    runner.containers = [
      container(`${kindName}-control-plane`, {
        "io.x-k8s.kind.cluster": kindName,
        "io.x-k8s.kind.role": "control-plane",
      }),
      container(`${kindName}-i-1`, { "io.x-k8s.kind.cluster": kindName, "eksim.dev/instance": "i-1" }),
      container(`${kindName}-i-2`, { "io.x-k8s.kind.cluster": kindName, "eksim.dev/instance": "i-2" }),
      container("mine-control-plane", { "io.x-k8s.kind.cluster": "mine" }),
    ];
  });
  afterEach(async () => {
    context.clock.stop();
    await rm(dir, { recursive: true });
  });

  it("is what no instance stands behind, and nothing that a person has made", async () => {
    expect(await collect(() => known("i-1", "i-2"))).toEqual([]);
    expect(await collect(() => known("i-1"))).toEqual([
      {
        kind: "machine",
        name: `${kindName}-i-2`,
        cluster: "demo",
        why: "no instance stands behind it",
        removed: false,
      },
    ]);
    expect(runner.ran.filter(([, verb]) => verb !== "ps" && verb !== "container")).toEqual([]);
  });

  it("is removed when that is asked for", async () => {
    runner.expect({ command: ["docker", "rm", "--force", "--volumes", `${kindName}-i-2`] });
    expect(await collect(() => known("i-1"), true)).toMatchObject([{ name: `${kindName}-i-2`, removed: true }]);
    expect(runner.left()).toEqual([]);
  });

  it("is no machine that was launched while it was looked for", async () => {
    let asked = 0;
    expect(await collect(() => (asked++ === 0 ? known("i-1") : known("i-1", "i-2")), true)).toEqual([]);
  });

  it("is a cluster that no EKS cluster stands behind; those of other data directories are told and left alone", async () => {
    const other = `eksim-${owner === "000000" ? "111111" : "000000"}-x-0123456789ab`;
    runner.containers.push(container(`${other}-control-plane`, { "io.x-k8s.kind.cluster": other }));
    expect(await collect(() => [])).toMatchObject([
      { kind: "cluster", name: kindName, removed: false },
      { kind: "foreign", name: other, removed: false },
    ]);
  });
});
