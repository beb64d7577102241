import { parseKey } from "../object.js";
import { ATTACHMENTS, attachmentName, DRIVERS, needsAttachment } from "../runtime/volumes.js";
import type { PodInfo } from "../scheduler/pod-info.js";
import type {
  CSIDriver,
  Node,
  PersistentVolume,
  Pod,
  RuntimeClass,
  VolumeAttachment,
} from "../schema/generated/types.js";
import { crashing } from "./behaviour.js";
import { isMeant } from "./image-registry.js";
import { imageOf, noAnswerText, noSpaceText } from "./images.js";
import type { PodPlacement } from "./machine/field-values.js";
import type { Listener } from "./machine/listeners.js";
import type { Network } from "./machine/network.js";
import { createPodMachine, type PodMachine } from "./machine/pod-machine.js";
import { createPodVolumes } from "./machine/pod-volumes.js";
import type { LifecycleEnvironment } from "./pod-lifecycle.js";
import { createPodOperations, type PodOperations } from "./pod-operations.js";
import type { ReferenceLookups, Referred } from "./pod-references.js";
import type { PodRuntime } from "./pod-runtime.js";
import { listenerOf } from "./pod-servers.js";
import { tokenProblem } from "./pod-tokens.js";
import type { PodWorkersOptions } from "./pod-workers.js";
import { drawTiming, type Timing } from "./timings.js";

/** Runtimes that containerd has on the AMIs of EKS; nvidia's is there on those for GPUs. */
const HANDLERS: ReadonlySet<string> = new Set(["runc", "nvidia"]);
/** Of a Node: names of further handlers, with commas between them. */
const HANDLERS_ANNOTATION = "eksim.dev/runtime-handlers";

/** A pod of a node, and what it has there: its place, its machine, what can be done to its containers, what it refers to. */
export interface Worker {
  uid: string;
  info: PodInfo;
  runtime: PodRuntime;
  podIP: string | undefined;
  machine?: PodMachine;
  operations?: PodOperations;
  listeners?: Set<() => void>;
}

export function createPodEquipment(options: PodWorkersOptions) {
  const { api, clock, events, random, nodeName, hostIP } = options;
  /** When an image is complete on this node, epoch ms. */
  const images = new Map<string, number>();
  const draw = (timing: Timing): number => drawTiming(random, timing);
  const allocatable = (): Readonly<Record<string, string>> =>
    api.get<Node>("nodes", { name: nodeName })?.status?.allocatable ?? {};
  const placementOf = (worker: Worker): PodPlacement => ({
    podIP: worker.podIP,
    hostIP,
    get allocatable() {
      return allocatable();
    },
  });
  const referencesOf = (namespace: string | undefined): ReferenceLookups => ({
    find: (resource, name) => api.get<Referred>(resource, { namespace, name }),
    isAttached,
    runtimeOf(name) {
      const found = api.get<RuntimeClass>("runtimeclasses.node.k8s.io", { name });
      return found && { handler: found.handler, isConfigured: hasHandler(found.handler) };
    },
  });
  const hasHandler = (handler: string): boolean =>
    HANDLERS.has(handler) ||
    (api.get<Node>("nodes", { name: nodeName })?.metadata.annotations?.[HANDLERS_ANNOTATION] ?? "")
      .split(",")
      .some((name) => name.trim() === handler);
  const presentPod = (key: string, worker: Worker): Pod => {
    const pod = api.get<Pod>("pods", parseKey(key));
    return pod?.metadata.uid === worker.uid ? pod : worker.info.pod;
  };
  const listenerIn = (pod: Pod, worker: Worker, port: number, protocol: "TCP" | "UDP"): Listener | undefined =>
    listenerOf(pod, port, protocol, {
      runtime: worker.runtime,
      machine: worker.machine,
      behaviourOf: options.behaviourOf,
      nowMs: clock.now(),
    });

  /** The machine of a pod is made when its first program runs, or when somebody looks into it. */
  const machineOf = (key: string, worker: Worker): PodMachine => {
    if (worker.machine) return worker.machine;
    const { namespace } = worker.info.pod.metadata;
    const references = referencesOf(namespace);
    const pod = (): Pod => presentPod(key, worker);
    const placement = placementOf(worker);
    const { nodeInfo } = api.get<Node>("nodes", { name: nodeName })?.status ?? {};
    worker.machine = createPodMachine({
      clock,
      random,
      pod,
      environment: () => ({ pod: pod(), placement, references, services: options.world.services(namespace) }),
      volumes: createPodVolumes({
        pod,
        placement,
        references,
        now: () => clock.now(),
        persistent: options.world.persistent,
        host: (path, type) => options.world.host(nodeName, path, type),
        token: (audience, seconds) => options.token(pod(), audience, seconds),
        rootCa: options.rootCa(),
      }),
      network: networkOf(pod(), worker),
      kernelRelease: nodeInfo?.kernelVersion || "6.12.0",
      architecture: nodeInfo?.architecture || "amd64",
      dnsServer: options.world.dnsServer(),
      shown: options.shown,
      diskFull: () => options.trouble().diskFull === true,
      onExit: () => options.wake(key),
      onFault: (error) => events.event(pod(), "Warning", "SimulationFault", String(error)),
    });
    return worker.machine;
  };
  const networkOf = (pod: Pod, worker: Worker): Network => options.world.networkOf(pod, () => worker.podIP);

  const operationsOf = (key: string, worker: Worker): PodOperations => {
    worker.operations ??= createPodOperations({
      clock,
      pod: () => presentPod(key, worker),
      podIP: () => worker.podIP,
      machine: () => machineOf(key, worker),
      machineIfAny: () => worker.machine,
      behaviourOf: options.behaviourOf,
      network: () => networkOf(presentPod(key, worker), worker),
      listener: (port, protocol) => listenerIn(presentPod(key, worker), worker, port, protocol),
      wake: () => options.wake(key),
    });
    return worker.operations;
  };

  const environment = (key: string, namespace: string | undefined, worker: Worker): LifecycleEnvironment => ({
    nowMs: clock.now(),
    actingSinceMs: options.actingSinceMs(),
    references: referencesOf(namespace),
    placement: placementOf(worker),
    behaviourOf: options.podTrouble(key) === "crash-loop" ? crashing(options.behaviourOf) : options.behaviourOf,
    operations: operationsOf(key, worker),
    tokenProblem: () =>
      tokenProblem(
        presentPod(key, worker),
        { token: options.token, behaviourOf: options.behaviourOf, references: referencesOf(namespace) },
        clock.now(),
      ),
    imageReadyMs: (image) => images.get(image),
    imagePulled: (image, readyMs) => images.set(image, readyMs),
    imageLost: (image) => images.delete(image),
    pullProblem,
    diskFull: options.trouble().diskFull === true,
    trouble: options.podTrouble(key),
    draw,
  });
  const pullProblem = (image: string): string | undefined => {
    const { diskFull, unpullable = [] } = options.trouble();
    if (unpullable.some((pattern) => isMeant(pattern, image) || isMeant(pattern, imageOf(image).fullName)))
      return noAnswerText(image);
    return diskFull ? noSpaceText(image) : undefined;
  };
  const isAttached = (volume: string): boolean => {
    const driver = api.get<PersistentVolume>("persistentvolumes", { name: volume })?.spec?.csi?.driver;
    if (!driver || !needsAttachment(api.get<CSIDriver>(DRIVERS, { name: driver }))) return true;
    const attachment = api.get<VolumeAttachment>(ATTACHMENTS, { name: attachmentName(volume, nodeName) });
    return attachment?.status?.attached === true;
  };

  return {
    environment,
    operationsOf,
    machineOf,
    listenerIn,
    draw,
    /** An image that is on the node already. */
    hasImage: (image: string): void => void images.set(image, 0),
    /** Image garbage collection: what no container uses goes. */
    keepImages(used: ReadonlySet<string>): void {
      for (const image of images.keys()) if (!used.has(image)) images.delete(image);
    },
  };
}
