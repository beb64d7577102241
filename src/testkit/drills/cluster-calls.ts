/** Many calls of clusters' API servers by one caller: connections and tokens are used again, as kubectl's and client libraries' are. */
import { Agent } from "node:https";
import type { Answer, HttpCall } from "../../faults/drills/target.js";
import { type Caller, eksToken, type KubernetesEndpoint, kubernetesAnswer } from "../http.js";

export interface ClusterCalls {
  kubernetes(cluster: KubernetesEndpoint, call: HttpCall, signal?: AbortSignal): Promise<Answer>;
  /** Ends the connections. */
  close(): void;
}

/** A token is good for 15 minutes of the machine's time; it is used for a third of them. */
const TOKEN_LIFE_MS = 300_000;

export function clusterCalls(caller: Caller): ClusterCalls {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const tokens = new Map<string, { token: string; madeAtMs: number }>();

  const tokenFor = (clusterName: string): string => {
    const known = tokens.get(clusterName);
    const nowMs = caller.wallNow();
    if (known && nowMs - known.madeAtMs < TOKEN_LIFE_MS) return known.token;
    const token = eksToken(caller, clusterName);
    tokens.set(clusterName, { token, madeAtMs: nowMs });
    return token;
  };

  return {
    kubernetes: (cluster, call, signal) =>
      kubernetesAnswer(caller, cluster, {
        ...call,
        agent,
        token: tokenFor(cluster.clusterName),
        ...(signal ? { signal } : {}),
      }),
    close: () => agent.destroy(),
  };
}
