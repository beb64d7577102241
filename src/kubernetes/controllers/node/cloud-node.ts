import { formatSeconds } from "../../../clock/clock.js";
import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { TAINT } from "../../runtime/taints.js";
import type { Node, Taint } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { readyCondition } from "./node-health.js";

/**
 * The two node loops of a cloud controller manager. Cloud node: takes the `uninitialized` taint off new nodes. Cloud node lifecycle: deletes the Node of a
 * machine that no longer exists and taints the Node of one that is stopped; it looks at nodes that are not ready only, every five seconds. So a node that has fallen silent is
 * seen unready, and its pods out of service, before it goes.
 */
const PERIOD_MS = 5_000;

export const cloudNodeController = (): Controller =>
  defineController({ name: "cloud-node-controller" }, ({ api, events }) => {
    const isNew = (node: Node): boolean => (node.spec?.taints ?? []).some((taint) => taint.key === TAINT.uninitialized);
    return {
      async reconcile(name) {
        const node = api.get<Node>("nodes", { name });
        if (!node || !isNew(node)) return;
        await writeTaints(
          (changed) => api.update<Node>("nodes", changed),
          node,
          (node.spec?.taints ?? []).filter((taint) => taint.key !== TAINT.uninitialized),
        );
        events.event(node, "Normal", "Synced", "Node synced successfully");
      },
      watches: [
        on<Node>("nodes", ({ type, object }) =>
          type !== "DELETED" && isNew(object) ? object.metadata.name : undefined,
        ),
      ],
    };
  });

export const cloudNodeLifecycleController = (): Controller =>
  defineController({ name: "cloud-node-lifecycle-controller" }, ({ api, clock, cloud, events, queue }) => {
    const isReady = (node: Node): boolean => readyCondition(node)?.status === "True";
    const isShutDown = (taint: Taint): boolean => taint.key === TAINT.shutdown;

    const remove = async (node: Node): Promise<void> => {
      const { name, uid } = node.metadata;
      const message = `Deleting node ${name} because it does not exist in the cloud provider`;
      events.event(node, "Normal", "DeletingNode", message);
      try {
        await api.delete("nodes", { name }, { preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    return {
      async reconcile(name) {
        const node = api.get<Node>("nodes", { name });
        if (!node) return queue.forget(name);
        const write = (changed: Node): Promise<Node> => api.update<Node>("nodes", changed);
        const taints = node.spec?.taints ?? [];
        if (isReady(node)) {
          queue.forget(name);
          if (taints.some(isShutDown))
            await writeTaints(
              write,
              node,
              taints.filter((taint) => !isShutDown(taint)),
            );
          return;
        }
        // Machines that the cloud does not know by id are not its business.
        if (!node.spec?.providerID) return;
        const state = cloud.state(node.spec.providerID);
        if (state === "missing") return remove(node);
        if (state === "stopped" && !taints.some(isShutDown)) {
          const taint = { key: TAINT.shutdown, effect: "NoSchedule", timeAdded: formatSeconds(clock.now()) };
          await writeTaints(write, node, [...taints, taint]);
        }
        queue.addAfter(name, PERIOD_MS);
      },
      watches: [
        on<Node>("nodes", ({ type, object, previous }) => {
          if (type === "DELETED") return undefined;
          if (previous && readyCondition(previous)?.status === readyCondition(object)?.status) return undefined;
          // A kubelet that says it is not ready has spoken: of a silent one's machine the cloud is asked with the next round.
          if (readyCondition(object)?.status !== "Unknown") return object.metadata.name;
          queue.addAfter(object.metadata.name, PERIOD_MS);
          return undefined;
        }),
      ],
    };
  });

async function writeTaints(write: (node: Node) => Promise<Node>, node: Node, taints: Taint[]): Promise<void> {
  const { taints: _, ...spec } = node.spec ?? {};
  await write({ ...node, spec: taints.length ? { ...spec, taints } : spec });
}
