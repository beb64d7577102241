import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createRandom, type Random } from "../../src/clock/random.js";
import { ApiError, type Caller, eksCall, type KubernetesEndpoint, kubernetesCall } from "../../src/testkit/http.js";
import { type RunningEksim, runEksim, temporaryDirectory } from "./process.js";

/** Kills over both lanes together; each lane has its own data directory and seed, so that two cores share the work. */
const KILLS_A_LANE = 50;
/** A life ends so many acknowledged writes after its start, and then somewhere in this span: a moment alone would let a slow machine get nowhere. */
const MOST_WRITES_A_LIFE = 4;
const LONGEST_AGONY_MS = 250;
/** How long a life may take for its writes, and what was half done for its end, before that counts as a loss, in milliseconds. */
const PATIENCE_MS = 60_000;
/** Between two looks at something awaited: leaves the processor to the process that is looked at. */
const LOOK_EVERY_MS = 10;
/** Lives between two checks that all that was half done came to its end. */
const CONVERGES_EVERY = 10;

/** What was acknowledged, and what was asked but never answered: after a kill the latter may be either way. */
interface Known<T> {
  sure: T;
  maybe?: T;
}

interface Model {
  cluster: Known<boolean>;
  desired: Known<number | undefined>;
  configMaps: Set<string>;
}

interface ClusterView {
  cluster: { status: string; endpoint?: string; certificateAuthority: { data?: string } };
}

/** A promise that was not kept. */
class Lost extends Error {}

const isGone = (error: unknown): boolean => error instanceof ApiError && error.status === 404;

class Lane {
  readonly #dataDir = temporaryDirectory();
  readonly #random: Random;
  readonly #model: Model = { cluster: { sure: false }, desired: { sure: undefined }, configMaps: new Set() };
  #endpoint: KubernetesEndpoint | undefined;
  #counter = 0;
  /** What broke a promise: empty at the end of a good run. */
  readonly losses: string[] = [];
  readonly done = { writes: 0, interrupted: 0 };

  constructor(seed: number) {
    this.#random = createRandom(seed, "kill-nine");
  }

  async run(kills: number): Promise<void> {
    for (let i = 0; i < kills; i++) {
      const eksim = await this.#start();
      await this.#live(eksim, i);
    }
    const eksim = await this.#start();
    await this.#verify(this.#caller(eksim), kills);
    await this.#converges(this.#caller(eksim));
    expect(await eksim.end("SIGTERM")).toBe(0);
  }

  /** Checks what earlier lives acknowledged, does more, and is killed in the middle of it. */
  async #live(eksim: RunningEksim, round: number): Promise<void> {
    const caller = this.#caller(eksim);
    await this.#verify(caller, round);
    if (round % CONVERGES_EVERY === 0) await this.#converges(caller);
    const writesBefore = this.done.writes + this.#random.integer(0, MOST_WRITES_A_LIFE);
    const agonyMs = this.#random.integer(0, LONGEST_AGONY_MS);
    const exited = once(eksim.process, "exit");
    let alive = true;
    let dying = false;
    const kill = (): void => {
      alive = false;
      eksim.process.kill("SIGKILL");
    };
    const late = setTimeout(() => {
      this.losses.push(`round ${round}: nothing can be written for ${PATIENCE_MS} ms, ${JSON.stringify(this.#model)}`);
      kill();
    }, PATIENCE_MS);
    while (alive) {
      if (!dying && this.done.writes >= writesBefore) {
        dying = true;
        clearTimeout(late);
        setTimeout(kill, agonyMs);
      }
      await this.#step(caller).catch((error: unknown) => this.#interrupted(error, round));
    }
    await exited;
  }

  #start(): Promise<RunningEksim> {
    return runEksim(["--data-dir", this.#dataDir, "--clock", "scaled:20", "--log-level", "error"]);
  }

  #caller(eksim: RunningEksim): Caller {
    return {
      endpoint: eksim.endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      wallNow: () => Date.now(),
    };
  }

  /** A refusal is a finding, because the script asks for nothing that may be refused; a connection that broke is the kill. */
  #interrupted(error: unknown, round: number): void {
    if (error instanceof ApiError)
      this.losses.push(`round ${round}: answered ${error.status} ${error.code}: ${error.message}`);
    else if (error instanceof Lost) this.losses.push(`round ${round}: ${error.message}`);
    this.done.interrupted++;
  }

  /** One random write; what is asked is remembered as possible before, and as sure after the answer. */
  async #step(caller: Caller): Promise<void> {
    const { cluster, desired } = this.#model;
    const choice = this.#random.integer(0, 9);
    this.#counter++;
    if (!cluster.sure) {
      cluster.maybe = true;
      await eksCall(caller, "POST", "/clusters", {
        name: "c",
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
        clientRequestToken: `cluster-${this.#counter}`,
      });
      this.#model.cluster = { sure: true };
    } else if (desired.sure === undefined) {
      const { cluster: view } = await eksCall<ClusterView>(caller, "GET", "/clusters/c");
      if (view.status !== "ACTIVE") return pause(LOOK_EVERY_MS);
      desired.maybe = 3;
      await eksCall(caller, "POST", "/clusters/c/node-groups", {
        nodegroupName: "n",
        nodeRole: "arn:aws:iam::000000000000:role/node",
        subnets: ["subnet-a", "subnet-b", "subnet-c"],
        scalingConfig: { minSize: 0, maxSize: 9, desiredSize: 3 },
        clientRequestToken: `nodegroup-${this.#counter}`,
      });
      this.#model.desired = { sure: 3 };
    } else if (choice < 5) {
      await this.#writeConfigMap(caller);
    } else if (choice < 9) {
      const size = this.#random.integer(0, 6);
      const { nodegroup } = await eksCall<{ nodegroup: { status: string } }>(
        caller,
        "GET",
        "/clusters/c/node-groups/n",
      );
      if (nodegroup.status !== "ACTIVE" || size === desired.sure) return pause(LOOK_EVERY_MS);
      desired.maybe = size;
      await eksCall(caller, "POST", "/clusters/c/node-groups/n/update-config", {
        scalingConfig: { desiredSize: size },
        clientRequestToken: `scale-${this.#counter}`,
      });
      this.#model.desired = { sure: size };
    } else {
      await this.#deleteAll(caller);
    }
    this.done.writes++;
  }

  async #writeConfigMap(caller: Caller): Promise<void> {
    const endpoint = await this.#kubernetes(caller);
    if (!endpoint) return;
    const name = `cm-${this.#counter}`;
    await kubernetesCall(caller, endpoint, "POST", "/api/v1/namespaces/default/configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name },
    });
    this.#model.configMaps.add(name);
  }

  async #deleteAll(caller: Caller): Promise<void> {
    this.#model.desired.maybe = -1;
    await eksCall(caller, "DELETE", "/clusters/c/node-groups/n");
    this.#model.desired = { sure: -1 };
    await this.#waitGone(caller, "/clusters/c/node-groups/n");
    this.#model.desired = { sure: undefined };
    this.#model.cluster.maybe = false;
    await eksCall(caller, "DELETE", "/clusters/c");
    await this.#waitGone(caller, "/clusters/c");
    this.#forget();
  }

  #forget(): void {
    this.#model.cluster = { sure: false };
    this.#model.desired = { sure: undefined };
    this.#model.configMaps.clear();
    this.#endpoint = undefined;
  }

  async #waitGone(caller: Caller, path: string): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS; ; ) {
      if (performance.now() > end) throw new Lost(`the deletion of ${path} does not end`);
      try {
        await eksCall(caller, "GET", path);
      } catch (error) {
        if (isGone(error)) return;
        throw error;
      }
      await pause(LOOK_EVERY_MS);
    }
  }

  /** The cluster's endpoint and CA: as first seen, because a kubeconfig written then must keep working. */
  async #kubernetes(caller: Caller): Promise<KubernetesEndpoint | undefined> {
    if (this.#endpoint) return this.#endpoint;
    const { cluster } = await eksCall<ClusterView>(caller, "GET", "/clusters/c");
    if (cluster.status !== "ACTIVE" || !cluster.endpoint || !cluster.certificateAuthority.data) return undefined;
    this.#endpoint = {
      clusterName: "c",
      endpoint: cluster.endpoint,
      caPem: Buffer.from(cluster.certificateAuthority.data, "base64").toString(),
    };
    return this.#endpoint;
  }

  /** What was acknowledged must be there; what was asked but not answered may be, and is taken as it is found. */
  async #verify(caller: Caller, round: number): Promise<void> {
    const { cluster } = this.#model;
    const found = await this.#exists(caller, "/clusters/c");
    if (cluster.sure && !found && cluster.maybe !== false)
      this.losses.push(`round ${round}: an acknowledged cluster is gone`);
    if (!found) {
      this.#forget();
      return;
    }
    this.#model.cluster = cluster.maybe === false ? { sure: true, maybe: false } : { sure: true };
    if (cluster.maybe === false) {
      // The delete may have been taken: finish it, so that the model is sure again.
      await eksCall(caller, "DELETE", "/clusters/c").catch(() => {});
      await this.#waitGone(caller, "/clusters/c");
      this.#forget();
      return;
    }
    await this.#verifyNodegroup(caller, round);
    const endpoint = this.#endpoint;
    if (!endpoint) return;
    const { items } = await this.#onceServed(() =>
      kubernetesCall<{ items: { metadata: { name: string } }[] }>(
        caller,
        endpoint,
        "GET",
        "/api/v1/namespaces/default/configmaps",
      ),
    );
    const names = new Set(items.map((item) => item.metadata.name));
    for (const name of this.#model.configMaps)
      if (!names.has(name)) this.losses.push(`round ${round}: acknowledged ConfigMap ${name} is gone`);
  }

  /** After a restart a cluster answers a moment later than the EKS API; where and as whom it answers is as before. */
  async #onceServed<T>(read: () => Promise<T>): Promise<T> {
    for (const end = performance.now() + PATIENCE_MS; ; ) {
      try {
        return await read();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED" || performance.now() > end) throw error;
        await pause(LOOK_EVERY_MS);
      }
    }
  }

  async #verifyNodegroup(caller: Caller, round: number): Promise<void> {
    const { desired } = this.#model;
    if (desired.sure === -1 || desired.maybe === -1) {
      if (await this.#exists(caller, "/clusters/c/node-groups/n")) {
        await eksCall(caller, "DELETE", "/clusters/c/node-groups/n").catch(() => {});
        await this.#waitGone(caller, "/clusters/c/node-groups/n");
      }
      this.#model.desired = { sure: undefined };
      return;
    }
    if (desired.sure === undefined && desired.maybe === undefined) return;
    try {
      const size = await this.#settledSize(caller);
      if (size !== desired.sure && size !== desired.maybe)
        this.losses.push(
          `round ${round}: the size is ${size}, acknowledged was ${desired.sure}, asked ${desired.maybe}`,
        );
      this.#model.desired = { sure: size };
    } catch (error) {
      if (!isGone(error)) throw error;
      if (desired.sure !== undefined) this.losses.push(`round ${round}: an acknowledged node group is gone`);
      this.#model.desired = { sure: undefined };
    }
  }

  /** The size once nothing is under way: an update that was taken before the kill is carried out after it, on its own time. */
  async #settledSize(caller: Caller): Promise<number> {
    for (const end = performance.now() + PATIENCE_MS; ; ) {
      const { nodegroup } = await eksCall<{ nodegroup: { status: string; scalingConfig: { desiredSize: number } } }>(
        caller,
        "GET",
        "/clusters/c/node-groups/n",
      );
      if (nodegroup.status === "ACTIVE") return nodegroup.scalingConfig.desiredSize;
      if (performance.now() > end) throw new Lost(`the node group stays ${nodegroup.status}`);
      await pause(LOOK_EVERY_MS);
    }
  }

  async #exists(caller: Caller, path: string): Promise<boolean> {
    try {
      await eksCall(caller, "GET", path);
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }

  /** Everything half-done comes to its end: the cluster is ACTIVE and has as many Ready nodes as it should. */
  async #converges(caller: Caller): Promise<void> {
    if (!this.#model.cluster.sure) return;
    const wanted = this.#model.desired.sure ?? 0;
    const end = performance.now() + PATIENCE_MS;
    let state = "";
    while (performance.now() < end) {
      const endpoint = await this.#kubernetes(caller);
      if (endpoint) {
        const { items } = await this.#onceServed(() =>
          kubernetesCall<{ items: { status: { conditions?: { type: string; status: string }[] } }[] }>(
            caller,
            endpoint,
            "GET",
            "/api/v1/nodes",
          ),
        );
        const readyNodes = items.filter((node) =>
          node.status.conditions?.some((c) => c.type === "Ready" && c.status === "True"),
        ).length;
        if (readyNodes === wanted && items.length === wanted) return;
        state = `${readyNodes} of ${items.length} nodes ready, ${wanted} wanted`;
      }
      await pause(LOOK_EVERY_MS);
    }
    this.losses.push(`does not converge: ${state || "cluster not ACTIVE"}`);
  }
}

describe("kill -9", () => {
  it("at 100 random moments of a create, scale and delete script loses nothing that was acknowledged", async () => {
    const lanes = [new Lane(11), new Lane(23)];
    await Promise.all(lanes.map((lane) => lane.run(KILLS_A_LANE)));
    expect(lanes.flatMap((lane) => lane.losses)).toEqual([]);
    // The script did get somewhere, and the kills did interrupt it.
    for (const lane of lanes) {
      expect(lane.done.writes).toBeGreaterThan(KILLS_A_LANE);
      expect(lane.done.interrupted).toBeGreaterThan(KILLS_A_LANE / 2);
    }
  }, 900_000);
});
