/** The backend without Kubernetes, with pods that are only names, and with everything that the injector says of a cluster written down. It can be made to die. */
import { BackendError, type PodFacts, type PodName } from "../../src/backends/backend.js";
import type { Clock } from "../../src/clock/clock.js";
import { type Impairments, NOTHING_WRONG } from "../../src/domain/impairments.js";
import { createMemoryBackend, type MemoryBackend } from "../reconcile/memory-backend.js";

export interface BreakableBackend extends MemoryBackend {
  /** What is wrong with each cluster, by its id. */
  wrong: Map<string, Impairments>;
  podsOf: Map<string, PodFacts[]>;
  ended: { how: string; pods: readonly PodName[] }[];
  /** Tells whoever watches pods of those there are now. */
  tellPods(): void;
  /** The kinds of things that it cannot bring about. */
  unsupported: (impairments: Impairments) => string | undefined;
  /** Dies at the n-th command from now, before or after carrying it out: neither this command nor any later one ever ends. */
  dieAt(command: number, when: "before" | "after"): Promise<void>;
  revive(): void;
}

export function aPod(name: string, zone: string, changes: Partial<PodFacts> = {}): PodFacts {
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    labels: { app: "web" },
    nodeName: `node-${zone}`,
    zone,
    phase: "Running",
    ready: true,
    terminating: false,
    ...changes,
  };
}

export function createBreakableBackend(clock: Clock): BreakableBackend {
  const memory = createMemoryBackend(clock);
  const wrong = new Map<string, Impairments>();
  const podsOf = new Map<string, PodFacts[]>();
  const ended: BreakableBackend["ended"] = [];
  const watchers = new Set<() => void>();
  let left = Number.POSITIVE_INFINITY;
  let deathComes: "before" | "after" = "before";
  let died: () => void = () => {};

  const never = (): Promise<never> => {
    died();
    return new Promise(() => {});
  };
  const mortal =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      left--;
      if (left < 0 || (left === 0 && deathComes === "before")) return never();
      const result = await call(...args);
      return left === 0 ? never() : result;
    };

  const backend: BreakableBackend = {
    ...memory,
    wrong,
    podsOf,
    ended,
    tellPods: () => {
      for (const tell of watchers) tell();
    },
    unsupported: () => undefined,
    setNodePower: mortal(memory.setNodePower),
    setMember: mortal(memory.setMember),
    impair: mortal(async (clusterId, impairments) => {
      if (!memory.clusters.has(clusterId)) throw new BackendError("missing", `no cluster ${clusterId}`);
      const why = backend.unsupported(impairments);
      if (why !== undefined) throw new BackendError("unsupported", why);
      wrong.set(clusterId, impairments);
    }),
    pods: async (clusterId) => [...(podsOf.get(clusterId) ?? [])],
    watchPods: (clusterId, listener) => {
      const tell = (): void => {
        for (const pod of podsOf.get(clusterId) ?? []) listener({ pod, gone: false });
      };
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    endPods: mortal(async (_, pods, how) => void ended.push({ how, pods })),
    rebootNode: mortal(async () => {}),
    dieAt: (command, when) => {
      left = command;
      deathComes = when;
      return new Promise((resolve) => {
        died = resolve;
      });
    },
    revive: () => {
      left = Number.POSITIVE_INFINITY;
    },
  };
  return backend;
}

/** Those of the cluster that are not as they should be. */
export function broken({ clusters, wrong }: BreakableBackend): string[] {
  return [...clusters].flatMap(([id, { nodes, members }]) => [
    ...[...nodes.values()]
      .filter(({ power }) => power !== "running" && power !== "gone")
      .map(({ spec, power }) => `${spec.name} ${power}`),
    ...[...members].filter(([, { state }]) => state === "down").map(([name]) => `${name} down`),
    ...(JSON.stringify(wrong.get(id) ?? NOTHING_WRONG) === JSON.stringify(NOTHING_WRONG) ? [] : [`${id} impaired`]),
  ]);
}
