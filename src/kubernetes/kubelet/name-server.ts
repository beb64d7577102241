/**
 * Whether questions for names are answered, and when: the part of the cluster's DNS that can be broken. What names mean is another matter
 * (cluster-names.ts). While nothing is wrong with the network everybody is answered at once, even in a cluster without CoreDNS.
 */
import type { KubeApi } from "../api.js";
import type { Exchange } from "../network/zone-network.js";
import type { Pod, Service } from "../schema/generated/types.js";
import { slicesOf } from "./cluster-names.js";

export interface NameServerReply {
  /** Until the answer is there, or until nobody waits for it any more; simulated ms. */
  takenMs: number;
  answered: boolean;
}

/** What resolvers do unless told otherwise (resolv.conf: `timeout`, `attempts`). */
const TIMEOUT_MS = 5_000;
const ATTEMPTS = 2;
const AT_ONCE: NameServerReply = { takenMs: 0, answered: true };
const DNS_SERVICE = { namespace: "kube-system", name: "kube-dns" };

export interface NameServerOptions {
  api: KubeApi;
  /** Nothing is wrong with names or with the network. */
  isWell: (pod: Pod) => boolean;
  /** Nobody answers questions in the pod's zone, and no name server there does. */
  isSilent: (pod: Pod) => boolean;
  crossing: (from: Pod, to: Pod) => Exchange | undefined;
  pick: <T>(items: readonly T[]) => T | undefined;
}

/** Asks as a pod does: one of the replicas behind the DNS Service, and maybe another one when that does not answer in time. */
export function createNameServer({
  api,
  isWell,
  isSilent,
  crossing,
  pick,
}: NameServerOptions): (pod: Pod) => NameServerReply {
  /** Undefined: there is no such Service. */
  const replicas = (): Pod[] | undefined => {
    const service = api.get<Service>("services", DNS_SERVICE);
    return (
      service &&
      slicesOf(api, service).flatMap(({ endpoints }) =>
        (endpoints ?? []).flatMap(({ conditions, targetRef }) => {
          if (conditions?.ready === false || targetRef?.kind !== "Pod") return [];
          return api.get<Pod>("pods", { namespace: targetRef.namespace, name: targetRef.name ?? "" }) ?? [];
        }),
      )
    );
  };

  /** Pods with a policy of their own ask the resolver of the network that their node stands in, which is in their zone. */
  const asksCluster = ({ spec }: Pod): boolean =>
    spec?.dnsPolicy === undefined ||
    spec.dnsPolicy === "ClusterFirstWithHostNet" ||
    (spec.dnsPolicy === "ClusterFirst" && !spec.hostNetwork);

  return (pod) => {
    if (isWell(pod)) return AT_ONCE;
    if (isSilent(pod)) return { takenMs: TIMEOUT_MS * ATTEMPTS, answered: false };
    const servers = asksCluster(pod) ? replicas() : undefined;
    if (!servers) return AT_ONCE;
    // The Service refuses connections that no endpoint is there for.
    if (servers.length === 0) return { takenMs: 0, answered: false };
    let takenMs = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const server = pick(servers);
      const crossed = server && !isSilent(server) ? crossing(pod, server) : undefined;
      // A question is one packet, and so is its answer: it takes as long as a connection, and is not sent again sooner than by the resolver.
      if (crossed && crossed.connectMs < TIMEOUT_MS) return { takenMs: takenMs + crossed.connectMs, answered: true };
      takenMs += TIMEOUT_MS;
    }
    return { takenMs, answered: false };
  };
}
