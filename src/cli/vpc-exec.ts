/**
 * `eksim vpc-exec`: runs a command as if on a machine inside the cluster's VPC. Its kubeconfig names a port of this process, from which every connection goes
 * on to the cluster's private endpoint, so that any client works, with or without support for proxies.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { processEnvironment, UsageError } from "../config.js";
import { call, type Target, targetOf } from "./client.js";
import { callerOf, describeCluster } from "./eks.js";

interface Options {
  endpoint?: string;
  region?: string;
  cluster: string;
}

/** As shells do it: the command is not there. */
const NOT_FOUND = 127;
/** And: it ended by a signal, whose number is added. */
const SIGNALLED = 128;

/** Ends the process with the command's own exit code. */
export async function vpcExec([command = "", ...args]: readonly string[], options: Options): Promise<void> {
  const target = targetOf(options);
  const { endpointHostName, certificateAuthority } = await find(target, options.cluster);
  const forwarder = await forward(target, `${endpointHostName}:443`);
  const directory = mkdtempSync(join(tmpdir(), "eksim-vpc-"));
  const kubeconfig = join(directory, "kubeconfig");
  const server = `https://127.0.0.1:${(forwarder.address() as AddressInfo).port}`;
  writeFileSync(kubeconfig, kubeconfigFor(target, options.cluster, { server, certificateAuthority }), { mode: 0o600 });
  try {
    process.exitCode = await run(command, args, {
      ...processEnvironment(),
      AWS_ENDPOINT_URL: target.endpoint,
      KUBECONFIG: kubeconfig,
      EKSIM_VPC_ENDPOINT: server,
      EKSIM_VPC_PROXY: target.endpoint,
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
    forwarder.close();
  }
}

/** What the emulator's proxy calls the cluster, and whom its API server is certified by. */
async function find(target: Target, name: string): Promise<{ endpointHostName: string; certificateAuthority: string }> {
  const { clusters } = await call<{ clusters: { endpointHostName: string; endpoint?: string }[] }>(
    target,
    "GET",
    "status",
    { cluster: name },
  );
  const { certificateAuthority } = await describeCluster(callerOf(target), name);
  const [cluster] = clusters;
  if (!cluster?.endpoint || !certificateAuthority?.data) throw new UsageError(`cluster ${name} has no endpoint yet`);
  return { endpointHostName: cluster.endpointHostName, certificateAuthority: certificateAuthority.data };
}

function kubeconfigFor(
  { endpoint, region }: Target,
  cluster: string,
  { server, certificateAuthority }: { server: string; certificateAuthority: string },
): string {
  const program = fileURLToPath(new URL("./eksim.js", import.meta.url));
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1beta1",
    command: process.execPath,
    args: [program, "token", "--cluster", cluster, "--region", region, "--endpoint", endpoint],
    interactiveMode: "Never",
  };
  // JSON is YAML too.
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: cluster, cluster: { server, "certificate-authority-data": certificateAuthority } }],
    users: [{ name: cluster, user: { exec } }],
    contexts: [{ name: cluster, context: { cluster, user: cluster } }],
    "current-context": cluster,
  });
}

/** A port of this machine from which connections lead to `authority` by the proxy. */
async function forward({ endpoint }: Target, authority: string): Promise<Server> {
  let complained = false;
  const complain = (why: string): void => {
    if (!complained) process.stderr.write(`eksim: no way into the VPC: ${why}\n`);
    complained = true;
  };
  const server = createServer((client) => {
    client.on("error", () => client.destroy());
    const asked = request(endpoint, { method: "CONNECT", path: authority, agent: false });
    asked.on("connect", ({ statusCode, statusMessage }, far: Socket) => {
      if (statusCode !== 200) {
        complain(statusMessage ?? `${statusCode}`);
        client.destroy();
        far.destroy();
        return;
      }
      far.on("error", () => far.destroy());
      far.once("close", () => client.destroy());
      client.once("close", () => far.destroy());
      client.pipe(far).pipe(client);
    });
    asked.on("response", ({ statusCode }) => {
      complain(`${endpoint} answers ${statusCode}, and not as eksim does`);
      client.destroy();
    });
    asked.on("error", ({ message }) => {
      complain(message);
      client.destroy();
    });
    asked.end();
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return server;
}

/** Signals that end programs go to the command: it decides when this one ends. */
const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env });
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of PASSED_ON) process.on(signal, pass);
    const ended = (): void => {
      for (const signal of PASSED_ON) process.off(signal, pass);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      ended();
      if (error.code !== "ENOENT") return reject(error);
      process.stderr.write(`eksim: there is no command ${command}\n`);
      return resolve(NOT_FOUND);
    });
    child.on("exit", (code, signal) => {
      ended();
      resolve(code ?? SIGNALLED + (signal ? constants.signals[signal] : 0));
    });
  });
}
