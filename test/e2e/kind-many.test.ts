/**
 * Kind clusters in an emulator whose others are simulated: chosen by a tag, of one name in several accounts and regions, more of them at once than may be made at
 * once. Takes minutes and gigabytes: only who asks for it with EKSIM_TEST_KIND=1 has it.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { docker, whyNoKind } from "../backends/kind/live.js";

const why = await whyNoKind();
const LIMIT_MS = 20 * 60_000;

/** Whoever asks: an account by its access key, and a region. */
interface Caller {
  accessKeyId: string;
  accountId: string;
  region: string;
}
const CALLERS: readonly Caller[] = [
  { accessKeyId: "test", accountId: "000000000000", region: "us-east-1" },
  { accessKeyId: "test", accountId: "000000000000", region: "us-west-2" },
  { accessKeyId: "222222222222", accountId: "222222222222", region: "us-east-1" },
];

describe.skipIf(why !== undefined)(`kind clusters by a tag${why === undefined ? "" : ` (${why})`}`, () => {
  const dataDir = mkdtempSync(join(tmpdir(), "eksim-kind-many-"));
  let eksim: Eksim;
  const call = async (
    { accessKeyId, region }: Caller,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: { cluster?: { status: string; endpoint?: string } } }> => {
    const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/${region}/eks/aws4_request, SignedHeaders=host, Signature=0`;
    const answer = await fetch(eksim.endpoint + path, {
      method,
      headers: { authorization },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as { cluster?: { status: string } } };
  };
  const statusOf = async (caller: Caller, name: string): Promise<string> => {
    const { status, body } = await call(caller, "GET", `/clusters/${name}`);
    return body.cluster?.status ?? String(status);
  };
  const make = (caller: Caller, name: string, tags: Record<string, string>) =>
    call(caller, "POST", "/clusters", {
      name,
      roleArn: `arn:aws:iam::${caller.accountId}:role/eks`,
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
      tags,
    });
  /** Names of kind clusters of this emulator, by their containers. */
  const kindClusters = async (): Promise<string[]> => {
    const owner = join(dataDir, "kind", "owner");
    // Written with the first of them.
    if (!existsSync(owner)) return [];
    const mark = readFileSync(owner, "utf8").trim();
    const all = await docker("ps", "--all", "--format", '{{.Label "io.x-k8s.kind.cluster"}}');
    return [...new Set(all.split("\n").filter((name) => name.startsWith(`eksim-${mark}-`)))];
  };
  const until = async (done: () => Promise<boolean>): Promise<void> => {
    for (const endMs = performance.now() + LIMIT_MS / 2; !(await done()); await pause(1000))
      if (performance.now() > endMs) throw new Error("it has not come about");
  };

  beforeAll(async () => {
    eksim = await startEksim({ clock: "real", dataDir });
  });
  afterAll(async () => {
    await eksim.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }, LIMIT_MS);

  it(
    "stand beside simulated ones, and two are made at once while a third waits",
    async () => {
      const [here] = CALLERS as [Caller];
      expect((await make(here, "plain", { team: "web" })).status).toBe(200);
      for (const caller of CALLERS) expect((await make(caller, "demo", { "eksim:backend": "kind" })).status).toBe(200);
      let most = 0;
      await until(async () => {
        // Asked for in this order: what is made in between only makes the difference smaller.
        const begun = (await kindClusters()).length;
        const all = await Promise.all(CALLERS.map((caller) => statusOf(caller, "demo")));
        const made = all.filter((status) => status === "ACTIVE").length;
        most = Math.max(most, begun - made);
        return made === CALLERS.length;
      });
      expect(await statusOf(here, "plain")).toBe("ACTIVE");
      expect([most, (await kindClusters()).length]).toEqual([2, 3]);
      const endpoints = await Promise.all(
        CALLERS.map(async (caller) => (await call(caller, "GET", "/clusters/demo")).body.cluster?.endpoint),
      );
      expect(new Set(endpoints).size).toBe(3);
    },
    LIMIT_MS,
  );

  it(
    "leave nothing when they are deleted, and the simulated ones alone",
    async () => {
      const [here] = CALLERS as [Caller];
      for (const caller of CALLERS) await call(caller, "DELETE", "/clusters/demo");
      await until(async () => {
        const all = await Promise.all(CALLERS.map((caller) => statusOf(caller, "demo")));
        return all.every((status) => status === "404");
      });
      expect([await kindClusters(), readdirSync(join(dataDir, "kind"))]).toEqual([[], ["owner"]]);
      expect(await statusOf(here, "plain")).toBe("ACTIVE");
    },
    LIMIT_MS,
  );
});
