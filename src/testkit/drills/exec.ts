/** `kubectl exec` without input: a command in a container, over a WebSocket in the protocol v5.channel.k8s.io. */
import { WebSocket } from "ws";
import type { CommandOutcome } from "../../faults/drills/target.js";
import { type Caller, eksToken, type KubernetesEndpoint } from "../http.js";

const CHANNELS = { stdout: 1, stderr: 2, error: 3 } as const;

interface Status {
  status?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

export function execInPod(
  caller: Caller,
  cluster: KubernetesEndpoint,
  where: { namespace: string; pod: string; container?: string },
  command: readonly string[],
  signal?: AbortSignal,
): Promise<CommandOutcome> {
  const query = new URLSearchParams([
    ["stdout", "true"],
    ["stderr", "true"],
    ...(where.container ? [["container", where.container]] : []),
    ...command.map((word) => ["command", word]),
  ] as [string, string][]);
  const path = `/api/v1/namespaces/${encodeURIComponent(where.namespace)}/pods/${encodeURIComponent(where.pod)}/exec`;
  const url = `${cluster.endpoint.replace(/^http/, "ws")}${path}?${query.toString()}`;
  return new Promise((resolve) => {
    let output = "";
    let outcome: CommandOutcome | undefined;
    const socket = new WebSocket(url, ["v5.channel.k8s.io"], {
      ca: cluster.caPem,
      headers: { authorization: `Bearer ${eksToken(caller, cluster.clusterName)}` },
    });
    const abort = (): void => socket.terminate();
    signal?.addEventListener("abort", abort, { once: true });
    socket.on("message", (data: Buffer) => {
      const content = data.subarray(1).toString("utf8");
      if (data[0] === CHANNELS.error) outcome = outcomeOf(content);
      else if (data[0] === CHANNELS.stdout || data[0] === CHANNELS.stderr) output += content;
    });
    socket.on("unexpected-response", (_request, response) => {
      outcome = { output: `the API server answered ${response.statusCode}` };
      socket.terminate();
    });
    // An error is always followed by the end of the connection.
    socket.on("error", () => {});
    socket.on("close", () => {
      signal?.removeEventListener("abort", abort);
      if (outcome?.exitCode === undefined) resolve({ output: outcome?.output ?? "the connection broke" });
      else resolve({ exitCode: outcome.exitCode, output });
    });
  });
}

/** The status that ends a command: with its exit code among the causes when that is not 0. */
function outcomeOf(text: string): CommandOutcome {
  const status = JSON.parse(text) as Status;
  if (status.status === "Success") return { exitCode: 0, output: "" };
  const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  return code === undefined
    ? { output: status.message ?? "the command could not be run" }
    : { exitCode: Number(code), output: "" };
}
