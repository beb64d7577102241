import type { KubeApi } from "../api.js";
import type { ClusterOptions, OutsideAnswer, OutsideRequest } from "../cluster.js";
import { AT_ONCE, type Exchange } from "../network/zone-network.js";
import type { Node, Pod, Service } from "../schema/generated/types.js";
import { createClusterNames, LOOPBACK, slicesOf } from "./cluster-names.js";
import { type DirectoryNode, directory, file, type TreeNode } from "./machine/file-nodes.js";
import type { Listener } from "./machine/listeners.js";
import type { HttpRequest, HttpResponse, Lookup, Network, Reached, Taken } from "./machine/network.js";
import { createNameServer } from "./name-server.js";
import { heard, outsideAnswer, outsideRequest } from "./outside.js";

/** What lies between pods: names, addresses, services, and storage that outlives them. One for the cluster; nothing of it costs anything until it is used. */
export interface ClusterWorld {
  networkOf(pod: Pod, podIP: () => string | undefined): Network;
  /** A PersistentVolume's files. Kept while this process lives. */
  persistent(volume: string): DirectoryNode;
  /** A directory of a node, or a file where the volume says so. */
  host(node: string, path: string, type: string | undefined): TreeNode;
  services(namespace: string | undefined): readonly Service[];
  dnsServer(): string;
}

/** What lies between pods, and between them and the API server. Without it everybody reaches everybody at once. */
export interface WorldNetwork {
  /** What it takes to get from a pod to another and back; undefined: nothing gets there and back. */
  crossing(from: Pod, to: Pod): Exchange | undefined;
  /** One packet each way: simulated ms; undefined: one of them is lost. */
  echo(from: Pod, to: Pod): number | undefined;
  /** Nothing is wrong with the network as far as the pod can see, nor with the names that are asked for there. */
  isWell(pod: Pod): boolean;
  /** Nobody answers questions for names in the pod's zone, and no name server there does. */
  hasNoDns(pod: Pod): boolean;
  apiServer?: ApiServerDoor | undefined;
}

/** The API server as pods reach it, by its Service. */
export interface ApiServerDoor {
  isAt(pod: Pod, host: string, port: number): boolean;
  reach(pod: Pod): Exchange | undefined;
  /** Undefined: it cannot be asked this in this way. `waitMs`: simulated time for which the answer is held back. */
  ask(request: OutsideRequest): { answer: Promise<OutsideAnswer>; waitMs: number } | undefined;
}

export interface WorldOptions {
  api: KubeApi;
  network?: WorldNetwork;
  /** What listens on a port of a running pod; undefined: nothing. */
  listener: (pod: Pod, port: number, protocol: "TCP" | "UDP") => Listener | undefined;
  pick: <T>(items: readonly T[]) => T | undefined;
  /** Simulated time, in ms. */
  now: () => number;
  /** As ClusterOptions.outside. */
  outside?: ClusterOptions["outside"];
}

/** A port of the host that is to be had on every address. */
const ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Files that every node has. */
const HOST_FILES: Readonly<Record<string, string>> = {
  "/etc/hosts": "127.0.0.1   localhost localhost.localdomain\n::1         localhost6 localhost6.localdomain6\n",
  "/etc/resolv.conf": "search ec2.internal\nnameserver 10.0.0.2\n",
  "/etc/machine-id": "ec2e9c1f5d7a4b3c8d6e5f4a3b2c1d0e\n",
};

const isFile = (path: string, type: string | undefined): boolean =>
  type === "File" || type === "FileOrCreate" || type === "Socket" || path in HOST_FILES;

type Endpoint = { pod: Pod; port: number };
type Target = Endpoint | "refused" | "outside";
type Found = Required<Taken> &
  ({ target: Endpoint | "outside" } | { problem: "refused" | "unreachable" | "noSuchHost" | "silentNames" });
type Protocol = "TCP" | "UDP";

/** Who connects, and by which protocol. */
interface Caller {
  address: string;
  protocol: Protocol;
}

/** Clients of services with session affinity that are remembered; the one that came first is forgotten first. */
const MAX_SESSIONS = 10_000;
/** Kubernetes' default for `sessionAffinityConfig.clientIP.timeoutSeconds`. */
const AFFINITY_SECONDS = 10_800;

export function createClusterWorld({ api, listener, pick, now, outside, network }: WorldOptions): ClusterWorld {
  const sessions = new Map<string, { endpoint: string; lastMs: number }>();
  const volumes = new Map<string, DirectoryNode>();
  const hosts = new Map<string, TreeNode>();
  const kept = (map: Map<string, DirectoryNode>, key: string): DirectoryNode => {
    let found = map.get(key);
    if (!found) {
      found = directory(0o777);
      map.set(key, found);
    }
    return found;
  };

  const names = createClusterNames(api);
  const askForNames = createNameServer({
    api,
    isWell: (pod) => network?.isWell(pod) ?? true,
    isSilent: (pod) => network?.hasNoDns(pod) ?? false,
    crossing: (from, to) => (network ? network.crossing(from, to) : AT_ONCE),
    pick,
  });
  const podAt = (address: string): Pod | undefined =>
    api
      .list<Pod>("pods")
      .find(({ status, spec }) => status?.podIP === address && !spec?.hostNetwork && status.phase === "Running");

  /** One of the endpoints: for a service with session affinity the one that the client had last, as long as it is there. */
  const choose = (found: Service, port: string, candidates: readonly Endpoint[], caller: Caller): Target => {
    const nameOf = ({ pod, port }: Endpoint): string => `${pod.metadata.uid}:${port}`;
    const { sessionAffinity, sessionAffinityConfig } = found.spec ?? {};
    if (sessionAffinity !== "ClientIP") return pick(candidates) ?? "refused";
    const key = `${found.metadata.uid} ${port} ${caller.address}`;
    const limitMs = (sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS) * 1000;
    const session = sessions.get(key);
    const same =
      session && now() - session.lastMs < limitMs
        ? candidates.find((candidate) => nameOf(candidate) === session.endpoint)
        : undefined;
    const chosen = same ?? pick(candidates);
    sessions.delete(key);
    if (!chosen) return "refused";
    sessions.set(key, { endpoint: nameOf(chosen), lastMs: now() });
    const [oldest] = sessions.keys();
    if (sessions.size > MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest);
    return chosen;
  };

  const endpointOf = (found: Service, port: number, caller: Caller): Target => {
    const servicePort = found.spec?.ports?.find(
      (candidate) => candidate.port === port && (candidate.protocol ?? "TCP") === caller.protocol,
    );
    if (!servicePort) return "refused";
    const candidates: Endpoint[] = [];
    let isElsewhere = false;
    for (const { endpoints, ports } of slicesOf(api, found)) {
      const target = ports?.find(({ name }) => (name ?? "") === (servicePort.name ?? ""))?.port;
      if (target === undefined) continue;
      for (const { addresses, conditions, targetRef } of endpoints ?? []) {
        if (conditions?.ready === false) continue;
        // Endpoints that somebody wrote by hand name addresses only. What is no pod lies outside: the API server itself, for one.
        const pod =
          targetRef?.kind === "Pod"
            ? api.get<Pod>("pods", { namespace: targetRef.namespace, name: targetRef.name ?? "" })
            : podAt(addresses[0] ?? "");
        if (pod) candidates.push({ pod, port: target });
        else if (targetRef?.kind !== "Pod") isElsewhere = true;
      }
    }
    if (candidates.length === 0) return isElsewhere ? "outside" : "refused";
    return choose(found, servicePort.name ?? "", candidates, caller);
  };

  /** What a node passes on: ports of the host that pods ask for, and node ports. */
  const onNode = (name: string | undefined, address: string, port: number, caller: Caller): Target | undefined => {
    for (const pod of api.list<Pod>("pods")) {
      if (pod.spec?.nodeName !== name || pod.status?.phase !== "Running") continue;
      for (const { ports } of pod.spec?.containers ?? [])
        for (const { hostPort, hostIP, containerPort, protocol = "TCP" } of ports ?? [])
          if (hostPort === port && protocol === caller.protocol && (!hostIP || ANY.has(hostIP) || hostIP === address))
            return { pod, port: containerPort };
    }
    for (const exposed of api.list<Service>("services")) {
      const at = exposed.spec?.ports?.find(
        (candidate) => candidate.nodePort === port && (candidate.protocol ?? "TCP") === caller.protocol,
      );
      if (at) return endpointOf(exposed, at.port, caller);
    }
    return undefined;
  };

  const targetOf = (
    address: string,
    port: number,
    protocol: Protocol,
    self: Pod,
    podIP: string | undefined,
  ): Target => {
    const caller = { address: podIP ?? self.metadata.uid, protocol };
    if (LOOPBACK.has(address) || address === podIP) {
      const { hostNetwork, nodeName } = self.spec ?? {};
      return (hostNetwork ? onNode(nodeName, address, port, caller) : undefined) ?? { pod: self, port };
    }
    const byCluster = api
      .list<Service>("services")
      .find(
        ({ spec, status }) =>
          spec?.clusterIP === address ||
          spec?.externalIPs?.includes(address) ||
          status?.loadBalancer?.ingress?.some(({ ip }) => ip === address),
      );
    if (byCluster) return endpointOf(byCluster, port, caller);
    const owner = podAt(address);
    if (owner) return { pod: owner, port };
    const node = api
      .list<Node>("nodes")
      .find(({ status }) => status?.addresses?.some((entry) => entry.address === address));
    if (!node) return address.startsWith("10.") ? "refused" : "outside";
    return onNode(node.metadata.name, address, port, caller) ?? "refused";
  };

  return {
    networkOf(pod, podIP) {
      const lookup = (host: string): Lookup => {
        const addresses = names.resolve(host, pod, podIP());
        if (!network || names.isLocal(host, pod)) return { addresses, takenMs: 0 };
        const { takenMs, answered } = askForNames(pod);
        return answered ? { addresses, takenMs } : { addresses: [], takenMs, isSilent: true };
      };
      const find = (host: string, port: number, protocol: Protocol): Found => {
        const { addresses, takenMs: lookupMs, isSilent } = lookup(host);
        const taken = { lookupMs, connectMs: lookupMs, totalMs: lookupMs };
        const [address] = addresses;
        if (address === undefined) return { ...taken, problem: isSilent ? "silentNames" : "noSuchHost" };
        const target = targetOf(address, port, protocol, pod, podIP());
        if (target === "refused") return { ...taken, problem: "refused" };
        let crossed: Exchange | undefined;
        if (target !== "outside") crossed = network ? network.crossing(pod, target.pod) : AT_ONCE;
        else crossed = network?.apiServer?.isAt(pod, host, port) ? network.apiServer.reach(pod) : AT_ONCE;
        if (!crossed) return { ...taken, problem: "unreachable" };
        return {
          lookupMs,
          connectMs: lookupMs + crossed.connectMs,
          totalMs: lookupMs + crossed.totalMs,
          target,
        };
      };
      const reach = <T>(
        host: string,
        port: number,
        protocol: Protocol,
        use: (listener: Listener) => T | undefined,
        beyond: () => Reached<Awaited<T>>,
      ): Reached<Awaited<T>> => {
        const found = find(host, port, protocol);
        if ("problem" in found) return found;
        const { target, ...taken } = found;
        if (target === "outside") {
          const said = beyond();
          return { ...said, ...taken, totalMs: taken.totalMs + (said.totalMs ?? 0) };
        }
        const server = listener(target.pod, target.port, protocol);
        const answer = server && use(server);
        if (answer === undefined) return { ...taken, totalMs: taken.connectMs, problem: "refused" };
        return { ...taken, answer: answer as Awaited<T> };
      };
      const askOutside = (
        host: string,
        port: number,
        request: Omit<HttpRequest, "remoteAddress">,
      ): Reached<HttpResponse> => {
        const asked = outsideRequest(pod, podIP(), host, port, request);
        const said = network?.apiServer?.isAt(pod, host, port) ? network.apiServer.ask(asked) : undefined;
        return said ? { answer: said.answer.then(heard), totalMs: said.waitMs } : outsideAnswer(outside?.(asked));
      };
      return {
        resolve: (host) => names.resolve(host, pod, podIP()),
        lookup,
        records: (name, type) => names.records(name, type, pod, podIP()),
        probe(host, port, protocol) {
          const found = find(host, port, protocol);
          if ("problem" in found) return { ...found, state: found.problem };
          const { target, ...taken } = found;
          if (target === "outside") return { ...taken, state: "outside" };
          return { ...taken, state: listener(target.pod, target.port, protocol) ? "open" : "refused" };
        },
        ping(address) {
          const target = network && address !== podIP() ? podAt(address) : undefined;
          const ms = target && network ? network.echo(pod, target) : 0;
          return ms === undefined ? undefined : { ms };
        },
        http: (host, port, request) =>
          reach<HttpResponse | Promise<HttpResponse>>(
            host,
            port,
            "TCP",
            ({ http }) => http?.({ ...request, remoteAddress: podIP() ?? "127.0.0.1" } satisfies HttpRequest),
            () => askOutside(host, port, request),
          ),
        exchange: (host, port, protocol, text) =>
          reach<string>(
            host,
            port,
            protocol,
            ({ line }) => line?.(text) ?? "",
            () => ({ answer: "" }),
          ),
      };
    },
    persistent: (volume) => kept(volumes, volume),
    host(node, path, type) {
      const key = `${node} ${path}`;
      const found = hosts.get(key) ?? (isFile(path, type) ? file(HOST_FILES[path] ?? "") : directory(0o755));
      hosts.set(key, found);
      return found;
    },
    services(namespace) {
      const own = namespace === undefined ? [] : api.list<Service>("services", { namespace });
      const master =
        namespace === "default"
          ? undefined
          : api.get<Service>("services", { namespace: "default", name: "kubernetes" });
      return master ? [...own, master] : own;
    },
    dnsServer: () =>
      api.get<Service>("services", { namespace: "kube-system", name: "kube-dns" })?.spec?.clusterIP ?? "10.100.0.10",
  };
}
