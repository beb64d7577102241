/**
 * The image of the Dockerfile, as it was built (docker compose build, or docker build -t eksim .): only who asks for it with EKSIM_TEST_IMAGE=<image> has it
 * tested; with EKSIM_TEST_KIND=1 as well, it makes a kind cluster from within a container.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Caller, eksCall, kubernetesAnswer } from "../../src/testkit/http.js";
import { docker, dockerHas, whyNoKind } from "../backends/kind/live.js";

/** Containers that start beside others at work. Milliseconds. */
const LIMIT_MS = 15 * 60_000;
/** Docker waits for as long before it kills, by default. */
const STOP_MS = 10_000;

const wanted = process.env.EKSIM_TEST_IMAGE ?? "";
const image = wanted === "1" ? "eksim" : wanted;

/** Why there is nothing to test, or undefined. */
async function whyNoImage(): Promise<string | undefined> {
  if (image === "") return "set EKSIM_TEST_IMAGE=eksim to test the image that docker compose build has made";
  try {
    await docker("image", "inspect", image);
    return undefined;
  } catch (error) {
    return `docker image inspect ${image} failed: ${(error as Error).message.split("\n")[0]}`;
  }
}

const why = await whyNoImage();
const whyNot = why ?? (await whyNoKind());
const name = `eksim-image-${process.pid}`;

const until = async (done: () => Promise<boolean>): Promise<void> => {
  for (const endMs = Date.now() + LIMIT_MS; !(await done().catch(() => false)); )
    if (Date.now() > endMs) throw new Error(`not reached in time; the container says: ${await docker("logs", name)}`);
    else await new Promise((resolve) => setTimeout(resolve, 500));
};
const healthy = (): Promise<void> =>
  until(async () => (await docker("inspect", "--format", "{{.State.Health.Status}}", name)) === "healthy");
const TESTER: Omit<Caller, "endpoint"> = {
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  wallNow: () => Date.now(),
};
const callerOf = async (): Promise<Caller> => ({
  ...TESTER,
  endpoint: `http://${(await docker("port", name, "4566/tcp")).split("\n")[0]}`,
});
const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

interface Cluster {
  cluster: { status: string; endpoint: string; certificateAuthority: { data: string } };
}
const create = (caller: Caller): Promise<Cluster> =>
  eksCall(caller, "POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
  });
const active = (caller: Caller): Promise<void> =>
  until(async () => (await eksCall<Cluster>(caller, "GET", "/clusters/demo")).cluster.status === "ACTIVE");

afterEach(async () => {
  await docker("rm", "--force", "--volumes", name).catch(() => {});
});

describe.skipIf(why !== undefined)(`the image${why === undefined ? "" : ` (${why})`}`, () => {
  const volume = `${name}-data`;
  afterAll(async () => {
    if (why === undefined) await docker("volume", "rm", "--force", volume);
  });

  it(
    "has the tools and what eksim needs to run, and nothing that only its development needs",
    async () => {
      const inside = (...command: string[]): Promise<string> =>
        docker("run", "--rm", "--entrypoint", command[0] ?? "", image, ...command.slice(1));
      expect(await inside("kind", "version")).toMatch(/^kind v0\.\d+/);
      expect(await inside("docker", "--version")).toMatch(/^Docker version/);
      expect(await inside("kubectl", "version", "--client")).toMatch(/^Client Version: v1\./);
      expect(await inside("eksim", "--version")).toMatch(/^\d+\.\d+\.\d+/);
      expect(await inside("id", "-un")).toBe("node");
      expect((await inside("ls", "/app")).split("\n")).toEqual([
        ...["LICENSE", "NOTICE", "dist", "drills", "node_modules", "package.json"],
      ]);
      const modules = (await inside("ls", "/app/node_modules")).split("\n");
      expect(modules).toEqual(expect.arrayContaining(["fastify", "better-sqlite3"]));
      for (const unwanted of ["typescript", "vitest", "@biomejs", "@aws-sdk"]) expect(modules).not.toContain(unwanted);
    },
    LIMIT_MS,
  );

  it(
    "is an emulator that becomes healthy, ends when it is told to, and keeps its state on the volume",
    async () => {
      await docker(
        ...["run", "--detach", "--name", name, "--publish", "127.0.0.1:0:4566", "--volume", `${volume}:/var/lib/eksim`],
        ...["--health-interval", "1s", image],
      );
      await healthy();
      await create(await callerOf());
      await active(await callerOf());
      const stoppedMs = Date.now();
      await docker("stop", "--timeout", String(LIMIT_MS / 1000), name);
      // A process that hears no signals is killed after the quarter of an hour alone.
      expect(Date.now() - stoppedMs).toBeLessThan(LIMIT_MS - STOP_MS);
      expect(await docker("inspect", "--format", "{{.State.ExitCode}}", name)).toBe("0");
      await docker("start", name);
      await healthy();
      await active(await callerOf());
    },
    2 * LIMIT_MS,
  );
});

describe.skipIf(whyNot !== undefined)(
  `a kind cluster made from within a container${whyNot === undefined ? "" : ` (${whyNot})`}`,
  () => {
    const dataDir = mkdtempSync(join(tmpdir(), "eksim-image-"));
    afterAll(async () => {
      // What is in it belongs to the container's root.
      if (whyNot === undefined)
        await docker(
          ...["run", "--rm", "--user", "0:0", "--volume", `${dataDir}:${dataDir}`, "--entrypoint", "find", image],
          ...[dataDir, "-mindepth", "1", "-delete"],
        );
      rmSync(dataDir, { recursive: true, force: true });
    }, LIMIT_MS);

    it.each(["host", "bridge"])(
      "with the network %s is reached from the machine, takes EKS tokens, outlives the container, and leaves nothing",
      async (network) => {
        const port = String(await freePort());
        const reached =
          network === "host" ? ["--env", "EKSIM_HOST=127.0.0.1"] : ["--publish", `127.0.0.1:${port}:${port}`];
        await docker(
          ...["run", "--detach", "--name", name, "--user", "0:0", "--network", network, ...reached],
          ...["--volume", "/var/run/docker.sock:/var/run/docker.sock", "--volume", `${dataDir}:${dataDir}`],
          ...["--env", `EKSIM_DATA_DIR=${dataDir}`, "--env", `EKSIM_PORT=${port}`],
          ...["--health-interval", "1s", image, "start", "--backend", "kind"],
        );
        // A published port takes connections that nobody answers yet.
        await healthy();
        const caller: Caller = { ...TESTER, endpoint: `http://127.0.0.1:${port}` };
        const described = async (): Promise<Cluster["cluster"]> =>
          (await eksCall<Cluster>(caller, "GET", "/clusters/demo")).cluster;
        const answers = async (): Promise<boolean> => {
          const { endpoint, certificateAuthority } = await described();
          const caPem = Buffer.from(certificateAuthority.data, "base64").toString();
          const call = { method: "GET", path: "/api/v1/nodes" };
          return (await kubernetesAnswer(caller, { endpoint, caPem, clusterName: "demo" }, call)).status === 200;
        };
        await create(caller);
        await active(caller);
        await until(answers);
        const published = `publish=${new URL((await described()).endpoint).port}`;
        const kindName = await docker("ps", "--filter", published, "--format", '{{.Label "io.x-k8s.kind.cluster"}}');
        const machines = (): Promise<string> =>
          docker("ps", "--all", "--quiet", "--filter", `label=io.x-k8s.kind.cluster=${kindName}`);
        const masters = (await machines()).split("\n");
        expect(masters).toHaveLength(4);
        const volumes = await docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", ...masters);
        await docker("restart", name);
        await healthy();
        await until(answers);
        await eksCall(caller, "DELETE", "/clusters/demo");
        await until(async () => (await machines()) === "");
        await until(() =>
          described().then(
            () => false,
            ({ status }) => status === 404,
          ),
        );
        const left = (await dockerHas()).volumes;
        expect(volumes.split(/\s+/).filter((volume) => volume !== "" && left.includes(volume))).toEqual([]);
      },
      4 * LIMIT_MS,
    );
  },
);
