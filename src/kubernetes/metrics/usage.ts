import { hash32 } from "../../clock/random.js";
import { isQuantity, quantityToMilli, quantityToNumber } from "../registry/quantity.js";
import type { Container, Pod } from "../schema/generated/types.js";

/**
 * What containers use of CPU and memory: nothing runs, so it is made up. A container uses a steady part of what it requests, with a little movement; the
 * member `usage` of the annotation eksim.dev/behaviour says it exactly: `{"usage": {"cpu": "700m", "memory": "1Gi"}}`, for single containers in
 * `containers.<name>.usage`.
 */
const BEHAVIOUR = "eksim.dev/behaviour";

/** The period over which a sample is taken, and in which it does not change, ms: metrics-server's resolution on EKS. */
export const WINDOW_MS = 15_000;
/** What a container without requests uses. */
const IDLE = { cpuMilli: 2, memoryBytes: 12 * 1024 * 1024 };
/** Parts of the request that are used, by container. */
const LEAST_PART = 0.08;
const SPREAD_PART = 0.3;
/** Movement around that, as a part of it. */
const WOBBLE = 0.06;

export interface ContainerUsage {
  name: string;
  cpuNano: number;
  memoryBytes: number;
}

export interface PodUsage {
  /** End of the period, epoch ms. */
  timestampMs: number;
  containers: readonly ContainerUsage[];
}

interface Programmed {
  cpu?: string;
  memory?: string;
}

interface Program {
  usage?: Programmed;
  containers?: Record<string, { usage?: Programmed }>;
}

const programs = new Map<string, Program>();
const MEMO_LIMIT = 1000;

/** The program in the pod's annotation; what is wrong with it, the kubelet says. */
function programOf(pod: Pod): Program {
  const text = pod.metadata.annotations?.[BEHAVIOUR];
  if (text === undefined) return {};
  const known = programs.get(text);
  if (known) return known;
  let program: Program = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) program = value;
  } catch {
    program = {};
  }
  if (programs.size >= MEMO_LIMIT) programs.clear();
  programs.set(text, program);
  return program;
}

const amount = (text: string | undefined): string | undefined => (isQuantity(text) ? text : undefined);

function usageOfContainer(pod: Pod, { name, resources }: Container, sample: number): ContainerUsage {
  const program = programOf(pod);
  const programmed = { ...program.usage, ...program.containers?.[name]?.usage };
  const seed = `${pod.metadata.uid}/${name}`;
  const part = LEAST_PART + ((hash32(seed) % 1000) / 1000) * SPREAD_PART;
  const moved = (kind: string): number => 1 + WOBBLE * ((hash32(`${seed}/${kind}/${sample}`) % 2001) / 1000 - 1);
  const { requests = {}, limits = {} } = resources ?? {};
  const [cpu, memory] = [amount(programmed.cpu), amount(programmed.memory)];
  const requestedMilli = requests.cpu ? quantityToMilli(requests.cpu) * part : IDLE.cpuMilli;
  const requestedBytes = requests.memory ? quantityToNumber(requests.memory) * (0.3 + part) : IDLE.memoryBytes;
  const cpuMilli = cpu ? quantityToMilli(cpu) : requestedMilli * moved("cpu");
  const bytes = memory ? quantityToNumber(memory) : requestedBytes * moved("memory");
  const most = (limit: string | undefined, read: (text: string) => number): number =>
    limit ? read(limit) : Number.POSITIVE_INFINITY;
  return {
    name,
    cpuNano: Math.round(Math.min(cpuMilli, most(limits.cpu, quantityToMilli)) * 1e6),
    memoryBytes: Math.round(Math.min(bytes, most(limits.memory, quantityToNumber))),
  };
}

/** What the pod used last; undefined while there is nothing to tell of it: it does not run, or has not run for a whole period. */
export function usageOf(pod: Pod, nowMs: number): PodUsage | undefined {
  if (pod.status?.phase !== "Running") return undefined;
  const sample = Math.floor(nowMs / WINDOW_MS);
  const timestampMs = sample * WINDOW_MS;
  const statuses = new Map(
    [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].map((status) => [
      status.name,
      status,
    ]),
  );
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  const containers = [...(pod.spec?.containers ?? []), ...sidecars].filter(({ name }) => {
    const startedAt = statuses.get(name)?.state?.running?.startedAt;
    return startedAt !== undefined && Date.parse(startedAt) <= timestampMs - WINDOW_MS;
  });
  if (containers.length === 0) return undefined;
  return { timestampMs, containers: containers.map((container) => usageOfContainer(pod, container, sample)) };
}

/** What a node's own processes use: kubelet, container runtime and kernel. */
export function systemUsage(nodeName: string, nowMs: number): Omit<ContainerUsage, "name"> {
  const sample = Math.floor(nowMs / WINDOW_MS);
  return {
    cpuNano: (25 + (hash32(`${nodeName}/cpu/${sample}`) % 15)) * 1e6,
    memoryBytes: (380 + (hash32(`${nodeName}/memory/${sample}`) % 20)) * 1024 * 1024,
  };
}
