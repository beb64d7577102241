import { isStatusError } from "../../errors.js";
import type { KubeObject } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { controllerReference } from "../../runtime/owners.js";
import type { EndpointSlice } from "../../schema/generated/types.js";
import { type Environment, on } from "../define-controller.js";
import { isNamespaceTerminating } from "../pod-control.js";
import type { SlicePlan } from "./endpoint-slice-plan.js";

/** The EndpointSlices that one controller looks after, by the key of their Service, and how a plan for them is carried out. */
const RESOURCE = "endpointslices.discovery.k8s.io";
export const SERVICE_NAME = "kubernetes.io/service-name";
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";

export interface SliceChange {
  /** The Service or Endpoints that the slices belong to, and are named after. */
  owner: KubeObject;
  /** What the slices are to have; annotations stay as they are where none are given. */
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> | undefined };
  addressType: string;
  present: readonly EndpointSlice[];
  plan: SlicePlan;
}

export function createOwnSlices({ api }: Pick<Environment, "api">, manager: string) {
  const slicesOf = new Map<string, Map<string, EndpointSlice>>();

  /** Removes a slice; one that has gone already is no failure. */
  const remove = async ({ metadata: { namespace, name, uid } }: EndpointSlice): Promise<void> => {
    try {
      await api.delete(RESOURCE, { namespace, name }, { preconditions: { uid } });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  };

  return {
    of: (key: string): EndpointSlice[] => [...(slicesOf.get(key)?.values() ?? [])],
    has: (key: string): boolean => slicesOf.has(key),
    keys: (): string[] => [...slicesOf.keys()],
    remove,
    async carryOut({ owner, metadata, addressType, present, plan }: SliceChange): Promise<void> {
      const updates = new Map(plan.update.map((slice) => [slice.metadata.name, slice] as const));
      for (const slice of present) {
        if (plan.remove.includes(slice)) continue;
        const changed = updates.get(slice.metadata.name) ?? slice;
        const wanted = { ...slice.metadata, ...metadata };
        if (
          changed === slice &&
          isEqual(wanted.labels, slice.metadata.labels) &&
          isEqual(wanted.annotations, slice.metadata.annotations)
        )
          continue;
        await api.update<EndpointSlice>(RESOURCE, { ...changed, metadata: wanted });
      }
      const { labels, annotations } = metadata;
      try {
        for (const { ports, endpoints } of plan.create) {
          await api.create<EndpointSlice>(RESOURCE, {
            metadata: {
              generateName: `${owner.metadata.name}-`,
              namespace: owner.metadata.namespace,
              labels,
              ...(annotations ? { annotations } : {}),
              ownerReferences: [controllerReference(owner)],
            },
            addressType,
            endpoints,
            ...(ports ? { ports } : {}),
          });
        }
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
      for (const slice of plan.remove) await remove(slice);
    },
    watch: on<EndpointSlice>(RESOURCE, ({ type, object }) => {
      const { labels, namespace, name } = object.metadata;
      if (labels?.[MANAGED_BY] !== manager || labels[SERVICE_NAME] === undefined) return undefined;
      const key = `${namespace}/${labels[SERVICE_NAME]}`;
      const slices = slicesOf.get(key) ?? new Map<string, EndpointSlice>();
      slicesOf.set(key, slices);
      if (type !== "DELETED") slices.set(name, object);
      else if (slices.delete(name) && slices.size === 0) slicesOf.delete(key);
      return key;
    }),
  };
}
