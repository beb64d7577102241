// Children that are measured: a server process, its CPU time and its memory.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { signedHeaders } from "../dist/identity/sigv4-signer.js";

const TICKS_A_SECOND = 100;

/** CPU time of a process so far, user and system, in milliseconds. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
}

/** Resident memory of a process, in MB. */
export function rssMb(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** Starts a child that prints one JSON line `{"endpoint": ...}` when it is ready. */
export async function startServer(script, args = []) {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const endpoint = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const entry = JSON.parse(line);
      if (entry.endpoint) resolve(entry.endpoint);
    });
    child.on("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  return { endpoint, pid: child.pid, startedMs, ended, stop: (signal = "SIGKILL") => child.kill(signal) };
}

export const PROGRAM = fileURLToPath(new URL("../dist/cli/eksim.js", import.meta.url));
export const BARE_FASTIFY = fileURLToPath(new URL("./bare-fastify.mjs", import.meta.url));

export const startEksimProcess = (...args) =>
  startServer(PROGRAM, [
    "start",
    "--port",
    "0",
    "--data-dir",
    ":memory:",
    "--log-format",
    "json",
    "--log-level",
    "warn",
    ...args,
  ]);

const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };

/** Headers of a signed EKS request. */
export function headersFor(url, method = "GET", body = "") {
  const { host, ...headers } = signedHeaders({
    method,
    url,
    body,
    service: "eks",
    region: "us-east-1",
    credentials: CREDENTIALS,
    nowMs: Date.now(),
  });
  return headers;
}

/** One EKS call; gives its JSON. */
export async function call(endpoint, method, path, body) {
  const url = new URL(endpoint + path);
  const text = body ? JSON.stringify(body) : "";
  return (await fetch(url, { method, headers: headersFor(url, method, text), ...(text ? { body: text } : {}) })).json();
}

/** What CreateCluster needs at least. */
export const clusterInput = (name) => ({
  name,
  roleArn: "arn:aws:iam::000000000000:role/eks",
  resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
});
