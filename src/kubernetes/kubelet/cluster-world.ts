import type { KubeApi } from "../api.js";
import type { EndpointSlice, Node, Pod, Service } from "../schema/generated/types.js";
import { hostnameOf } from "./machine/environment.js";
import { type DirectoryNode, directory, file, type TreeNode } from "./machine/files.js";
import type { Listener } from "./machine/listeners.js";
import type { HttpRequest, HttpResponse, Network, Reached } from "./machine/network.js";

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

export interface WorldOptions {
  api: KubeApi;
  /** What listens on a port of a running pod; undefined: nothing. */
  listener: (pod: Pod, port: number, protocol: "TCP" | "UDP") => Listener | undefined;
  pick: <T>(items: readonly T[]) => T | undefined;
}

const SLICES = "endpointslices.discovery.k8s.io";
const SERVICE_NAME = "kubernetes.io/service-name";
const LOOPBACK = new Set(["localhost", "127.0.0.1", "::1"]);
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$|:/;
/** The name that DNS has for each address of a pod. */
const POD_NAME = /^(\d+-\d+-\d+-\d+)\.[^.]+\.pod(?:\.cluster\.local\.?)?$/;
/** Stands for whatever is outside of the cluster (TEST-NET-3). */
const OUTSIDE = "203.0.113.10";

/** Files that every node has. */
const HOST_FILES: Readonly<Record<string, string>> = {
  "/etc/hosts": "127.0.0.1   localhost localhost.localdomain\n::1         localhost6 localhost6.localdomain6\n",
  "/etc/resolv.conf": "search ec2.internal\nnameserver 10.0.0.2\n",
  "/etc/machine-id": "ec2e9c1f5d7a4b3c8d6e5f4a3b2c1d0e\n",
};

const isFile = (path: string, type: string | undefined): boolean =>
  type === "File" || type === "FileOrCreate" || type === "Socket" || path in HOST_FILES;

type Target = { pod: Pod; port: number } | "refused" | "outside";

export function createClusterWorld({ api, listener, pick }: WorldOptions): ClusterWorld {
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

  const service = (namespace: string | undefined, name: string): Service | undefined =>
    api.get<Service>("services", { namespace, name });
  const slicesOf = ({ metadata }: Service): readonly EndpointSlice[] =>
    api.list<EndpointSlice>(SLICES, {
      namespace: metadata.namespace,
      labelSelector: `${SERVICE_NAME}=${metadata.name}`,
    });

  /** The service that a name means to a pod of `namespace`, and the host before it (pods of headless services). */
  const serviceNamed = (name: string, namespace: string | undefined): { found: Service; host?: string } | undefined => {
    const parts = name
      .replace(/\.$/, "")
      .replace(/\.svc(?:\.cluster(?:\.local)?)?$/, "")
      .split(".");
    const [last = "", before, first] = [...parts].reverse();
    const direct =
      parts.length === 1 ? service(namespace, last) : parts.length === 2 ? service(last, before ?? "") : undefined;
    if (direct) return { found: direct };
    const headless =
      parts.length === 2 ? service(namespace, last) : parts.length === 3 ? service(last, before ?? "") : undefined;
    return headless ? { found: headless, host: parts.length === 2 ? before : first } : undefined;
  };

  const headlessAddresses = (found: Service, host: string | undefined): string[] =>
    slicesOf(found).flatMap(({ endpoints }) =>
      (endpoints ?? [])
        .filter(({ conditions, hostname }) =>
          host === undefined
            ? conditions?.ready !== false
            : hostname === host && (conditions?.ready !== false || found.spec?.publishNotReadyAddresses),
        )
        .flatMap(({ addresses }) => addresses),
    );

  const isClusterName = (host: string): boolean =>
    !host.includes(".") || /\.svc$|\.svc\.|\.cluster\.local\.?$/.test(host);

  const resolve = (host: string, pod: Pod, podIP: string | undefined, depth = 0): readonly string[] => {
    if (ADDRESS.test(host)) return [host];
    if (LOOPBACK.has(host)) return ["127.0.0.1"];
    if (host === hostnameOf(pod)) return podIP ? [podIP] : [];
    const alias = pod.spec?.hostAliases?.find(({ hostnames }) => hostnames?.includes(host));
    if (alias) return [alias.ip];
    const dashed = POD_NAME.exec(host)?.[1];
    if (dashed !== undefined) return [dashed.replaceAll("-", ".")];
    const named = serviceNamed(host, pod.metadata.namespace);
    if (named) {
      const { found } = named;
      if (found.spec?.type === "ExternalName")
        return depth < 5 ? resolve(found.spec.externalName ?? "", pod, podIP, depth + 1) : [];
      if (found.spec?.clusterIP && found.spec.clusterIP !== "None" && named.host === undefined)
        return [found.spec.clusterIP];
      return headlessAddresses(found, named.host);
    }
    if (isClusterName(host)) {
      const node = api.get<Node>("nodes", { name: host });
      const address = node?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
      return address ? [address] : [];
    }
    return [OUTSIDE];
  };

  const endpointOf = (found: Service, port: number): Target => {
    const servicePort = found.spec?.ports?.find((candidate) => candidate.port === port);
    if (!servicePort) return "refused";
    const candidates: { pod: Pod; port: number }[] = [];
    let isElsewhere = false;
    for (const { endpoints, ports } of slicesOf(found)) {
      const target = ports?.find(({ name }) => (name ?? "") === (servicePort.name ?? ""))?.port;
      if (target === undefined) continue;
      for (const { conditions, targetRef } of endpoints ?? []) {
        if (conditions?.ready === false) continue;
        // Endpoints that are no pods lie outside: the API server itself, or what somebody wrote by hand.
        if (targetRef?.kind !== "Pod") {
          isElsewhere = true;
          continue;
        }
        const pod = api.get<Pod>("pods", { namespace: targetRef.namespace, name: targetRef.name ?? "" });
        if (pod) candidates.push({ pod, port: target });
      }
    }
    return pick(candidates) ?? (isElsewhere ? "outside" : "refused");
  };

  const targetOf = (address: string, port: number, self: Pod, podIP: string | undefined): Target => {
    if (LOOPBACK.has(address) || address === podIP) return { pod: self, port };
    const byCluster = api
      .list<Service>("services")
      .find(
        ({ spec, status }) =>
          spec?.clusterIP === address ||
          spec?.externalIPs?.includes(address) ||
          status?.loadBalancer?.ingress?.some(({ ip }) => ip === address),
      );
    if (byCluster) return endpointOf(byCluster, port);
    const pods = api.list<Pod>("pods");
    const owner = pods.find(
      ({ status, spec }) => status?.podIP === address && !spec?.hostNetwork && status.phase === "Running",
    );
    if (owner) return { pod: owner, port };
    const node = api
      .list<Node>("nodes")
      .find(({ status }) => status?.addresses?.some((entry) => entry.address === address));
    if (!node) return address.startsWith("10.") ? "refused" : "outside";
    const onHost = pods.filter(
      ({ spec, status }) => spec?.nodeName === node.metadata.name && status?.phase === "Running",
    );
    for (const pod of onHost)
      for (const { ports } of pod.spec?.containers ?? [])
        for (const { hostPort, containerPort } of ports ?? [])
          if (hostPort === port) return { pod, port: containerPort };
    const byNodePort = api
      .list<Service>("services")
      .find(({ spec }) => spec?.ports?.some(({ nodePort }) => nodePort === port));
    const servicePort = byNodePort?.spec?.ports?.find(({ nodePort }) => nodePort === port)?.port;
    return byNodePort && servicePort !== undefined ? endpointOf(byNodePort, servicePort) : "refused";
  };

  return {
    networkOf(pod, podIP) {
      const find = (host: string, port: number): Target | "noSuchHost" => {
        const [address] = resolve(host, pod, podIP());
        if (address === undefined) return "noSuchHost";
        return targetOf(address, port, pod, podIP());
      };
      const reach = <T>(
        host: string,
        port: number,
        protocol: "TCP" | "UDP",
        use: (listener: Listener) => T | undefined,
        outside: T,
      ): Reached<Awaited<T>> => {
        const target = find(host, port);
        if (target === "outside") return { answer: outside as Awaited<T> };
        if (typeof target === "string") return { problem: target };
        const found = listener(target.pod, target.port, protocol);
        const answer = found && use(found);
        return answer === undefined ? { problem: "refused" } : { answer: answer as Awaited<T> };
      };
      return {
        resolve: (host) => resolve(host, pod, podIP()),
        probe(host, port, protocol) {
          const target = find(host, port);
          if (typeof target === "string") return target;
          return listener(target.pod, target.port, protocol) ? "open" : "refused";
        },
        http: (host, port, request) =>
          reach<HttpResponse | Promise<HttpResponse>>(
            host,
            port,
            "TCP",
            ({ http }) => http?.({ ...request, remoteAddress: podIP() ?? "127.0.0.1" } satisfies HttpRequest),
            { status: 200, body: "" },
          ),
        exchange: (host, port, protocol, text) =>
          reach<string>(host, port, protocol, ({ line }) => line?.(text) ?? "", ""),
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
      const master = namespace === "default" ? undefined : service("default", "kubernetes");
      return master ? [...own, master] : own;
    },
    dnsServer: () => service("kube-system", "kube-dns")?.spec?.clusterIP ?? "10.100.0.10",
  };
}
