import { QuantityError, quantityToMilli, quantityToNumber } from "../registry/quantity.js";
import type { Container, PodSpec } from "../schema/generated/types.js";

/** What a pod asks for and a node offers, in plain numbers, so that fitting costs a few comparisons. */
export interface Resources {
  milliCpu: number;
  /** Bytes. */
  memory: number;
  /** Bytes. */
  ephemeralStorage: number;
  /** Extended resources and huge pages by name, whole units; absent when there are none. */
  scalars?: Record<string, number>;
}

export const noResources = (): Resources => ({ milliCpu: 0, memory: 0, ephemeralStorage: 0 });

/** What is no quantity counts as nothing: validation refuses it in pods, but a Node's status is its reporter's own affair. */
export function amount(parse: (text: string) => number, text: string): number {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof QuantityError) return 0;
    throw error;
  }
}

/** `cpu`, `memory`, ... -> the fields of Resources; `pods` is counted apart. */
export function parseResources(list: Readonly<Record<string, string>> | undefined): Resources {
  const resources = noResources();
  for (const name in list) {
    const text = list[name] as string;
    if (name === "cpu") resources.milliCpu = amount(quantityToMilli, text);
    else if (name === "memory") resources.memory = amount(quantityToNumber, text);
    else if (name === "ephemeral-storage") resources.ephemeralStorage = amount(quantityToNumber, text);
    else if (name !== "pods") {
      resources.scalars ??= {};
      resources.scalars[name] = amount(quantityToNumber, text);
    }
  }
  return resources;
}

/** `target` += `sign` * `amount`. */
export function addResources(target: Resources, amount: Resources, sign: 1 | -1 = 1): void {
  target.milliCpu += sign * amount.milliCpu;
  target.memory += sign * amount.memory;
  target.ephemeralStorage += sign * amount.ephemeralStorage;
  if (!amount.scalars) return;
  target.scalars ??= {};
  for (const name in amount.scalars)
    target.scalars[name] = (target.scalars[name] ?? 0) + sign * (amount.scalars[name] as number);
}

/** `target` = the greater of both, resource by resource. */
export function raiseTo(target: Resources, other: Resources): void {
  target.milliCpu = Math.max(target.milliCpu, other.milliCpu);
  target.memory = Math.max(target.memory, other.memory);
  target.ephemeralStorage = Math.max(target.ephemeralStorage, other.ephemeralStorage);
  if (!other.scalars) return;
  target.scalars ??= {};
  for (const name in other.scalars)
    target.scalars[name] = Math.max(target.scalars[name] ?? 0, other.scalars[name] as number);
}

export type RequestsOf = (container: Container) => Resources;

/** An init container with restartPolicy Always: a sidecar, which stays beside the app containers. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === "Always";

/**
 * Total of a pod: the app containers and sidecars together, or the hungriest moment of the start (each init container runs beside the sidecars
 * started before it), whichever is greater. Rule: "Resource sharing within containers" of the sidecar documentation.
 */
function total(spec: PodSpec, requestsOf: RequestsOf): Resources {
  const sum = noResources();
  for (const container of spec.containers) addResources(sum, requestsOf(container));
  if (!spec.initContainers?.length) return sum;
  const sidecars = noResources();
  const peak = noResources();
  for (const container of spec.initContainers) {
    const moment = { ...requestsOf(container) };
    if (isSidecar(container)) {
      addResources(sum, moment);
      addResources(sidecars, moment);
      raiseTo(peak, sidecars);
    } else {
      if (moment.scalars) moment.scalars = { ...moment.scalars };
      addResources(moment, sidecars);
      raiseTo(peak, moment);
    }
  }
  raiseTo(sum, peak);
  return sum;
}

const requestsOf: RequestsOf = (container) => parseResources(container.resources?.requests);

/** What scoring assumes of a container that requests nothing, so that such pods still spread (DefaultMilliCPURequest, DefaultMemoryRequest). */
const ASSUMED_MILLI_CPU = 100;
const ASSUMED_MEMORY = 200 * 1024 * 1024;

const assumedRequestsOf: RequestsOf = (container) => {
  const requests = container.resources?.requests;
  const resources = parseResources(requests);
  if (requests?.cpu === undefined) resources.milliCpu = ASSUMED_MILLI_CPU;
  if (requests?.memory === undefined) resources.memory = ASSUMED_MEMORY;
  return resources;
};

function withPodLevel(spec: PodSpec, resources: Resources): Resources {
  // Pod-level requests stand above those of the containers (PodLevelResources).
  const level = spec.resources?.requests;
  if (level?.cpu !== undefined) resources.milliCpu = amount(quantityToMilli, level.cpu);
  if (level?.memory !== undefined) resources.memory = amount(quantityToNumber, level.memory);
  if (spec.overhead) addResources(resources, parseResources(spec.overhead));
  return resources;
}

const asTheyAre = (of: RequestsOf): RequestsOf => of;

/** What must be free on a node for the pod to fit. `seen`: what containers are taken to request, if not what their specs say. */
export const podRequests = (spec: PodSpec, seen = asTheyAre): Resources =>
  withPodLevel(spec, total(spec, seen(requestsOf)));

/** The same with an assumed minimum for containers without requests; for scoring only. */
export const podAssumedRequests = (spec: PodSpec, seen = asTheyAre): Resources =>
  withPodLevel(spec, total(spec, seen(assumedRequestsOf)));
