/** The real kubectl against a cluster of an emulator in this process: a home of its own, and what it printed. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect } from "vitest";
import { type Eksim, type EksimOptions, startEksim } from "../../src/testkit/index.js";

/** Where the Google Cloud SDK keeps kubectls of many versions beside each other. */
const SDK = "/usr/lib/google-cloud-sdk/bin";

/** The newest kubectl there is, or undefined on machines without any. */
export function newestKubectl(): string | undefined {
  const known = [36, 35, 34, 33, 32].map((minor) => join(SDK, `kubectl.1.${minor}`)).find(existsSync);
  if (known) return known;
  const found = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, "kubectl"));
  return found.find(existsSync);
}

/** Whether a program can be run, such as `diff` or `tar`, which kubectl needs beside itself. */
export function hasProgram(name: string, question = "--version"): boolean {
  try {
    execFileSync(name, [question], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** How long a cluster may take to start on a busy machine. */
export const STARTUP_MS = 120_000;

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

export interface RunOptions {
  input?: unknown;
  env?: Record<string, string>;
  namespace?: string;
}

export interface KubectlCluster {
  eksim: Eksim;
  /** A directory for files of the test. */
  home: string;
  /** Splits at spaces; single quotes hold words together. */
  kubectl(line: string, options?: RunOptions): Promise<Outcome>;
  /** Runs and expects success; gives standard output. */
  run(line: string, options?: RunOptions): Promise<string>;
  /** Runs until it is killed or ends. */
  start(line: string): ChildProcess;
  stop(): Promise<void>;
}

const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];
const ROLE = "arn:aws:iam::000000000000:role/eks";

/** A cluster named demo with three nodes, on a clock that runs twenty times as fast. */
export async function startKubectlCluster(program: string, options: EksimOptions = {}): Promise<KubectlCluster> {
  const eksim = await startEksim({ clock: "scaled:20", seed: 3, profile: "instant", ...options });
  const resourcesVpcConfig = { subnetIds: SUBNETS };
  await eksim.eks("POST", "/clusters", { name: "demo", roleArn: ROLE, resourcesVpcConfig });
  const isActive = async (): Promise<boolean> => {
    const { cluster } = await eksim.eks<{ cluster: { status: string } }>("GET", "/clusters/demo");
    return cluster.status === "ACTIVE";
  };
  while (!(await isActive())) await new Promise((resolve) => setTimeout(resolve, 20));
  await eksim.eks("POST", "/clusters/demo/node-groups", {
    nodegroupName: "workers",
    nodeRole: "arn:aws:iam::000000000000:role/node",
    subnets: SUBNETS,
    scalingConfig: { minSize: 3, maxSize: 3, desiredSize: 3 },
  });
  const home = mkdtempSync(join(tmpdir(), "eksim-kubectl-"));
  mkdirSync(join(home, "files"));
  writeFileSync(join(home, "config"), eksim.kubeconfig("demo"));
  const argumentsOf = (line: string): string[] => ["--kubeconfig", join(home, "config"), ...words(line)];
  const environment = { HOME: home, PATH: process.env.PATH ?? "", KUBECTL_KUBERC: "false" };

  const kubectl = (line: string, { input, env }: RunOptions = {}): Promise<Outcome> =>
    new Promise((resolve) => {
      const settings = { env: { ...environment, ...env }, cwd: join(home, "files"), maxBuffer: 64 * 1024 * 1024 };
      const child = execFile(program, argumentsOf(line), settings, (error, out, err) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
      );
      // What does not read its input ends before all of it is written.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input === undefined ? "" : typeof input === "string" ? input : JSON.stringify(input));
    });
  return {
    eksim,
    home: join(home, "files"),
    kubectl,
    async run(line, runOptions) {
      const { code, out, err } = await kubectl(line, runOptions);
      expect(code, `kubectl ${line}: ${out}${err}`).toBe(0);
      return out;
    },
    start: (line) => spawn(program, argumentsOf(line), { env: environment, cwd: join(home, "files") }),
    async stop() {
      await eksim.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Resolves with what a process has printed as soon as the pattern is in it; rejects when the process ends before. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = "";
    const look = (chunk: Buffer): void => {
      text += chunk.toString();
      const found = pattern.exec(text);
      if (found) resolve(found);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.on("exit", (code) => reject(new Error(`ended with ${code} before it printed ${pattern}: ${text}`)));
  });
}
