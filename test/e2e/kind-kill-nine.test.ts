/**
 * An emulator with kind clusters that is killed at the worst of moments, and Docker's containers that are killed and started in any order: the next one heals
 * what was half done, and leaves nothing that it does not know. Takes minutes: only who asks for it with EKSIM_TEST_KIND=1 has it.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { createRandom } from "../../src/clock/random.js";
import { docker, whyNoKind } from "../backends/kind/live.js";
import { type RunningEksim, runEksim, temporaryDirectory } from "./process.js";

const why = await whyNoKind();

/** Real machines at work, and other work beside them. Milliseconds. */
const LIMIT_MS = 15 * 60_000;

const AUTHORIZATION =
  "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/eks/aws4_request, SignedHeaders=host, Signature=0";

interface Zones {
  zones: { name: string; nodes: number; readyNodes: number; members: number; membersUp: number }[];
}

describe.skipIf(why !== undefined)(
  `a kind cluster whose emulator is killed${why === undefined ? "" : ` (${why})`}`,
  () => {
    const dataDir = temporaryDirectory();
    let eksim: RunningEksim;
    const start = async (): Promise<void> => {
      eksim = await runEksim([
        "--data-dir",
        dataDir,
        "--backend",
        "kind",
        "--clock",
        "scaled:4",
        "--log-level",
        "warn",
      ]);
    };
    const kill = (): Promise<unknown> => eksim.end("SIGKILL");

    const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const own = path.startsWith("/_eksim/");
      const answer = await fetch(eksim.endpoint + path, {
        method,
        headers: {
          ...(own ? {} : { authorization: AUTHORIZATION }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    };
    const until = async (what: string, done: () => Promise<boolean>): Promise<void> => {
      for (const endMs = performance.now() + LIMIT_MS; !(await done().catch(() => false)); await pause(500))
        if (performance.now() > endMs) throw new Error(`it has not come about that ${what}`);
    };
    const zones = async (): Promise<Zones["zones"]> => (await call<Zones>("GET", "/_eksim/zones")).zones;
    const zone = async (name: string) => (await zones()).find((one) => one.name === name);
    const isWhole = async (): Promise<boolean> => {
      const all = (await zones()).filter(({ members }) => members > 0);
      return (
        all.length === 3 &&
        all.every((one) => one.members === 1 && one.membersUp === 1 && one.nodes === 1 && one.readyNodes === 1)
      );
    };
    const status = async (path: string, member: string): Promise<string> =>
      (await call<Record<string, { status: string }>>("GET", path))[member]?.status ?? "";
    /** Names of this emulator's containers. */
    const containers = async (): Promise<string[]> => {
      const mark = readFileSync(join(dataDir, "kind", "owner"), "utf8").trim();
      const all = await docker("ps", "--all", "--format", "{{.Names}}");
      return all.split("\n").filter((name) => name.startsWith(`eksim-${mark}-`));
    };
    const nothingUnknown = async (): Promise<void> => {
      const { orphans } = await call<{ orphans: { kind: string }[] }>("GET", "/_eksim/garbage");
      expect(orphans.filter(({ kind }) => kind !== "foreign")).toEqual([]);
    };

    afterAll(async () => {
      await kill();
      const left = await containers();
      if (left.length > 0) await docker("rm", "--force", "--volumes", ...left);
      rmSync(dataDir, { recursive: true, force: true });
    }, LIMIT_MS);

    it(
      "is made all the same when that was in the middle of its making",
      async () => {
        await start();
        await call("POST", "/clusters", {
          name: "demo",
          roleArn: "arn:aws:iam::000000000000:role/eks",
          resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
        });
        await until("there are masters", async () => (await containers()).length >= 3);
        await pause(5_000);
        await kill();
        await start();
        await until("it is ACTIVE", async () => (await status("/clusters/demo", "cluster")) === "ACTIVE");
        expect(await containers()).toHaveLength(4);
      },
      LIMIT_MS,
    );

    it(
      "gets its nodes when that was while they joined",
      async () => {
        await call("POST", "/clusters/demo/node-groups", {
          nodegroupName: "workers",
          nodeRole: "arn:aws:iam::000000000000:role/node",
          subnets: ["subnet-a", "subnet-b", "subnet-c"],
          scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 },
        });
        await until("a machine is there", async () => (await containers()).length > 4);
        await kill();
        await start();
        const path = "/clusters/demo/node-groups/workers";
        await until("they are ACTIVE", async () => (await status(path, "nodegroup")) === "ACTIVE");
        await until("it is whole", isWhole);
        expect(await containers()).toHaveLength(7);
        await nothingUnknown();
      },
      LIMIT_MS,
    );

    it(
      "is cut off still when that was in a fault, and whole once the time of the fault is over",
      async () => {
        await call("POST", "/_eksim/faults", {
          fault: "zone-isolation",
          target: { zone: "us-east-1b" },
          duration: "8m",
        });
        await until("the zone is not heard of", async () => (await zone("us-east-1b"))?.readyNodes === 0);
        await kill();
        await start();
        await until("it is ACTIVE", async () => (await status("/clusters/demo", "cluster")) === "ACTIVE");
        const faults = async () => (await call<{ faults: unknown[] }>("GET", "/_eksim/faults")).faults;
        expect(await faults()).toHaveLength(1);
        await until("the zone is not heard of again", async () => (await zone("us-east-1b"))?.readyNodes === 0);
        await kill();
        await start();
        // A hurried clock stands still while nobody runs it.
        await until("its time is over", async () => (await faults()).length === 0);
        await until("it is whole", isWhole);
      },
      LIMIT_MS,
    );

    it(
      "has three masters again when that was while one was replaced",
      async () => {
        const lost = (await containers()).find((name) => name.endsWith("-control-plane2")) ?? "";
        await docker("kill", lost);
        await until("it is taken away", async () => !(await containers()).includes(lost));
        await pause(3_000);
        await kill();
        await start();
        await until("it is whole", isWhole);
        expect(await containers()).toHaveLength(7);
        await nothingUnknown();
      },
      LIMIT_MS,
    );

    it(
      "comes back when all of its containers were started again in any order",
      async () => {
        await kill();
        const all = await containers();
        await docker("kill", ...all);
        for (const name of createRandom(1, "order").shuffle(all)) await docker("start", name);
        await start();
        await until("it is whole", isWhole);
        await nothingUnknown();
      },
      LIMIT_MS,
    );

    it(
      "is told of and collected as garbage when the state that knew it is gone",
      async () => {
        await kill();
        for (const name of readdirSync(dataDir).filter((one) => one.startsWith("state.db")))
          rmSync(join(dataDir, name));
        await start();
        const { orphans } = await call<{ orphans: { kind: string; removed: boolean }[] }>("GET", "/_eksim/garbage");
        expect(orphans.filter(({ kind }) => kind === "cluster")).toMatchObject([{ removed: false }]);
        await call("DELETE", "/_eksim/garbage");
        expect([await containers(), readdirSync(join(dataDir, "kind"))]).toEqual([[], ["owner"]]);
      },
      LIMIT_MS,
    );
  },
);
