/**
 * What the cloud controller of EKS does for nodes: one that is no longer Ready and whose machine is terminated loses its Node object. Source: the node
 * lifecycle controller of Kubernetes' cloud provider library. Machines that are merely off keep it.
 */
import { isReady } from "../../domain/kubernetes-objects.js";
import { BackendError } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import { deleteNode, type Node } from "./drain.js";
import { KubeRefusal, type WatchedObject } from "./kube-client.js";
import { containerOf } from "./nodes.js";
import { WORKERS } from "./observe.js";

/** How often nodes that are not Ready are looked at, in milliseconds; the library's own period. */
const PERIOD_MS = 5_000;

/** Returns how to stop. */
export function runCloudController(context: KindContext, held: Held): () => void {
  const { clock, log } = context;
  const unready = new Set<string>();
  const stopping = new AbortController();
  const stopWatch = held.client.watch<Node & WatchedObject>(
    "/api/v1/nodes",
    ({ type, object }) => {
      const isOurs = object.spec?.providerID?.startsWith("aws:///") === true;
      if (type !== "DELETED" && isOurs && !isReady(object)) unready.add(object.metadata.name);
      else unready.delete(object.metadata.name);
    },
    WORKERS,
  );

  const look = async (name: string): Promise<void> => {
    if (held.joins.has(name) || (await containerOf(context, held, name))) return;
    await deleteNode(held.client, name);
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const name of unready) {
        await look(name).catch((err: unknown) => {
          if (!(err instanceof BackendError || err instanceof KubeRefusal)) throw err;
          log.debug({ err, node: name }, "a node whose machine may be gone cannot be judged now");
        });
      }
      await clock.sleep(PERIOD_MS, stopping.signal).catch(() => {});
    }
  };
  void loop().catch((err) => log.warn({ err, cluster: held.file.spec.name }, "the cloud controller has ended"));
  return () => {
    stopping.abort();
    stopWatch();
  };
}
