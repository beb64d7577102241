/** Whether tests against real Docker run here. They take minutes and gigabytes: only who asks for them with EKSIM_TEST_KIND=1 has them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The image of the version that the tests use, unless EKSIM_KIND_NODE_IMAGE names another. */
export const NODE_IMAGE = "kindest/node:v1.36.2";

/** Half-dead sockets answer never: nobody waits for them for long. Milliseconds. */
const PATIENCE_MS = 15_000;

const run = promisify(execFile);

/** Why they do not, or undefined. */
export async function whyNoKind(): Promise<string | undefined> {
  if (process.env.EKSIM_TEST_KIND !== "1") return "set EKSIM_TEST_KIND=1 to test with real Docker and kind";
  for (const [tool, ...args] of [
    ["docker", "info"],
    ["docker", "image", "inspect", NODE_IMAGE],
    ["kind", "version"],
  ] as const) {
    try {
      await run(tool, args, { timeout: PATIENCE_MS, killSignal: "SIGKILL" });
    } catch (error) {
      const [line = ""] = (error as Error).message.split("\n");
      return `${tool} ${args.join(" ")} failed: ${line}`;
    }
  }
  return undefined;
}

/** What Docker has: names of containers and networks, and volumes. */
export async function dockerHas(): Promise<Record<"containers" | "networks" | "volumes", string[]>> {
  const list = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await run("docker", args, { timeout: PATIENCE_MS });
    return stdout.split("\n").filter(Boolean).sort();
  };
  return {
    containers: await list("ps", "--all", "--format", "{{.Names}}"),
    networks: await list("network", "ls", "--format", "{{.Name}}"),
    volumes: await list("volume", "ls", "--quiet"),
  };
}

export const docker = async (...args: string[]): Promise<string> =>
  (await run("docker", args, { timeout: 60_000 })).stdout.trim();
