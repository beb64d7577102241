import { keyOf, parseKey } from "../object.js";
import type { Node, Pod } from "../schema/generated/types.js";
import type { Breakdown, Pressure } from "../trouble.js";
import { brokenDown } from "./container-stop.js";
import type { Worker } from "./pod-equipment.js";
import { thawed } from "./pod-lifecycle.js";
import { type ContainerRuntime, isLasting, specOf } from "./pod-runtime.js";
import type { PodWorkersOptions } from "./pod-workers.js";
import { EVICTED, evictionMessage, nextVictim } from "./pressure.js";

/** What befalls the pods of one node beside their ordinary life: their machine stands still or runs short, and their containers break down. */
export interface PodMishaps {
  /** The machine stands still, and goes on as if nothing had been. */
  freeze(): void;
  thaw(frozenMs: number): void;
  /** The node is short of something: chooses a pod to go for it. False: there is none that may be evicted. */
  evictOne(pressure: Pressure): boolean;
  /** Deletes images that no container uses. */
  collectImages(): void;
  /** The running containers of a pod end by themselves. */
  breakDown(key: string, how: Breakdown): void;
}

export interface MishapOptions
  extends Pick<PodWorkersOptions, "api" | "clock" | "events" | "random" | "nodeName" | "wake"> {
  workers: ReadonlyMap<string, Worker>;
  keepImages: (used: ReadonlySet<string>) => void;
}

/** Of the share of a threshold that is still there when it is met, in thousandths. */
const LEFT = { min: 300, max: 980 };
const PIDS = { min: 2_000, max: 30_000 };

export function createPodMishaps(options: MishapOptions): PodMishaps {
  const { api, clock, events, random, nodeName, workers, wake } = options;

  const podOf = (key: string, { uid }: Worker): Pod | undefined => {
    const pod = api.get<Pod>("pods", parseKey(key));
    return pod?.metadata.uid === uid ? pod : undefined;
  };

  /** The kernel ends a container within its own limit quietly; one that has none is ended for the sake of the whole machine (kubelet's oomWatcher). */
  const tellOfSystemOom = (pod: Pod, container: ContainerRuntime): void => {
    const spec = specOf(pod, container);
    if (!spec || spec.resources?.limits?.memory !== undefined) return;
    const victim = `victim process: ${container.name}, pid: ${random.integer(PIDS.min, PIDS.max)}`;
    const about = { apiVersion: "v1", kind: "Node", name: nodeName, uid: nodeName };
    events.event(about, "Warning", "SystemOOM", `System OOM encountered, ${victim}`);
  };

  return {
    freeze() {
      for (const { machine } of workers.values()) machine?.kernel.freeze();
    },
    thaw(frozenMs) {
      for (const worker of workers.values()) {
        worker.runtime = thawed(worker.runtime, frozenMs, clock.now());
        worker.machine?.kernel.thaw();
      }
    },
    evictOne(pressure) {
      const candidates = new Map<Pod, Worker>();
      for (const [key, worker] of workers) {
        const pod = podOf(key, worker);
        const isLeaving = worker.runtime.stopping !== undefined || worker.runtime.eviction !== undefined;
        if (pod && !isLeaving && !pod.metadata.deletionTimestamp) candidates.set(pod, worker);
      }
      const pod = nextVictim([...candidates.keys()], pressure, clock.now());
      const worker = pod && candidates.get(pod);
      if (!pod || !worker) return false;
      const node = api.get<Node>("nodes", { name: nodeName });
      const left = random.integer(LEFT.min, LEFT.max) / 1000;
      const message = evictionMessage(pod, { pressure, node, left }, clock.now());
      events.event(pod, "Warning", EVICTED, message);
      worker.runtime = { ...worker.runtime, eviction: message };
      wake(keyOf(pod));
      return true;
    },
    collectImages() {
      const used = new Set<string>();
      for (const { runtime } of workers.values()) for (const { image } of runtime.containers) used.add(image);
      options.keepImages(used);
    },
    breakDown(key, how) {
      const worker = workers.get(key);
      const pod = worker && podOf(key, worker);
      if (!worker || !pod) return;
      const containers = worker.runtime.containers.map((container) => {
        if (!isLasting(container.role) || container.state.is !== "running") return container;
        if (how === "oom") tellOfSystemOom(pod, container);
        return { ...container, state: brokenDown(container.state, how, clock.now()) };
      });
      worker.runtime = { ...worker.runtime, containers };
      wake(key);
    },
  };
}
