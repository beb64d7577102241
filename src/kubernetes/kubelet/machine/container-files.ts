import { quantityToMilli, quantityToNumber } from "../../registry/quantity.js";
import type { Container, Pod } from "../../schema/generated/types.js";
import type { ImageProgram } from "../image-programs.js";
import { hostnameOf, qualifiedNameOf, subPathOf } from "./environment.js";
import type { PodPlacement } from "./field-values.js";
import { type DirectoryNode, device, directory, type FileNode, file, link, type TreeNode } from "./file-nodes.js";
import { absolutePath, baseName, FileTree, toBytes } from "./files.js";
import type { PodVolumes } from "./pod-volumes.js";

/** The file tree of a container: the image, what the runtime puts there, and the volumes it mounts. */
export interface TreeOptions {
  pod: () => Pod;
  container: Container;
  image: ImageProgram;
  placement: PodPlacement;
  volumes: PodVolumes;
  env: ReadonlyMap<string, string>;
  programs: readonly string[];
  now: () => number;
  isFull: () => boolean;
  /** `10.100.0.10`, or wherever the cluster's DNS is. */
  dnsServer: string;
}

export interface ContainerTree {
  tree: FileTree;
  /** Where the container's last words are read from. */
  terminationMessage: FileNode;
}

const FIXED_DIRECTORIES =
  "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr usr/bin usr/local usr/local/bin usr/sbin usr/share var var/log var/run var/tmp var/lib var/cache".split(
    " ",
  );

/** /etc/hosts as a kubelet keeps it. */
function hostsFile(pod: Pod, placement: PodPlacement): string {
  const network = pod.spec?.hostNetwork ? " (host network)" : "";
  const lines = [
    `# Kubernetes-managed hosts file${network}.`,
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
  ];
  const name = hostnameOf(pod);
  const full = qualifiedNameOf(pod);
  if (!pod.spec?.hostNetwork && placement.podIP)
    lines.push([placement.podIP, ...(full === undefined ? [] : [full]), name].join("\t"));
  if (pod.spec?.hostAliases?.length) {
    lines.push("", "# Entries added by HostAliases.");
    for (const { ip, hostnames } of pod.spec.hostAliases) lines.push([ip, ...(hostnames ?? [])].join("\t"));
  }
  return `${lines.join("\n")}\n`;
}

function resolvFile(pod: Pod, dnsServer: string): string {
  const { dnsPolicy, dnsConfig, hostNetwork } = pod.spec ?? {};
  const inCluster = dnsPolicy === "ClusterFirstWithHostNet" || (dnsPolicy === "ClusterFirst" && !hostNetwork);
  const none = dnsPolicy === "None";
  const domains = ["svc.cluster.local", "cluster.local"];
  const searches = inCluster
    ? [`${pod.metadata.namespace}.svc.cluster.local`, ...domains]
    : none
      ? []
      : ["ec2.internal"];
  const servers = [...(none ? [] : [inCluster ? dnsServer : "10.0.0.2"]), ...(dnsConfig?.nameservers ?? [])];
  const given = (dnsConfig?.options ?? []).map(({ name, value }) => (value ? `${name}:${value}` : (name ?? "")));
  const options = [...(inCluster ? ["ndots:5"] : []), ...given];
  const search = [...searches, ...(dnsConfig?.searches ?? [])];
  return [
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
    "",
  ].join("\n");
}

/** What the container may use, as its cgroup (v2) says it. Follows a resize. */
function cgroup(options: TreeOptions): DirectoryNode {
  const result = directory(0o555);
  result.refresh = () => {
    const spec =
      options.pod().spec?.containers.find(({ name }) => name === options.container.name) ?? options.container;
    const { limits = {}, requests = {} } = spec.resources ?? {};
    const shares = requests.cpu ? Math.max(2, Math.floor((quantityToMilli(requests.cpu) * 1024) / 1000)) : 2;
    const quota = limits.cpu ? `${quantityToMilli(limits.cpu) * 100} 100000` : "max 100000";
    const values = {
      "cpu.max": quota,
      "cpu.weight": String(Math.floor(1 + ((shares - 2) * 9999) / 262_142)),
      "memory.max": limits.memory ? String(quantityToNumber(limits.memory)) : "max",
      "memory.current": "4194304",
      "memory.swap.max": "0",
      "pids.max": "max",
    };
    for (const [name, value] of Object.entries(values)) result.entries.set(name, file(`${value}\n`, 0o444));
  };
  result.refresh();
  return result;
}

function baseTree(options: TreeOptions): DirectoryNode {
  const { container, image, placement, now } = options;
  const pod = options.pod();
  const nowMs = now();
  const root = directory(0o755, { mtimeMs: nowMs });
  const put = (path: string, node: TreeNode): void => place(root, path, node, nowMs);
  for (const path of FIXED_DIRECTORIES)
    put(path, directory(/(?:^|\/)tmp$/.test(path) ? 0o1777 : 0o755, { mtimeMs: nowMs }));
  const binary = file("", 0o755);
  for (const name of options.programs) put(`bin/${name}`, binary);
  for (const name of [
    "env",
    "id",
    "tail",
    "head",
    "wget",
    "awk",
    "find",
    "sort",
    "cut",
    "printf",
    "test",
    "tee",
    "tr",
    "wc",
    "xargs",
  ])
    put(`usr/bin/${name}`, binary);
  for (const name of Object.keys(image.programs ?? {})) put(name, binary);
  for (const name of ["null", "zero", "random", "stdin", "stdout", "stderr", "tty"] as const)
    put(`dev/${name}`, device(name));
  put("dev/urandom", device("random"));
  put("dev/shm", Object.assign(directory(0o1777), { mount: { readOnly: false, type: "tmpfs" } }));
  const text = (path: string, content: string): void => put(path, file(toBytes(content), 0o644, { mtimeMs: nowMs }));
  text("etc/hosts", hostsFile(pod, placement));
  text("etc/hostname", `${hostnameOf(pod)}\n`);
  text("etc/resolv.conf", resolvFile(pod, options.dnsServer));
  text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n");
  text("etc/group", "root:x:0:\nnobody:x:65534:\n");
  text("etc/os-release", 'NAME="Simulated"\nID=simulated\n');
  put("etc/mtab", link("/proc/mounts"));
  text("proc/cpuinfo", "processor\t: 0\nprocessor\t: 1\n");
  text("proc/meminfo", "MemTotal:        8023428 kB\nMemFree:         5120348 kB\nMemAvailable:    6572004 kB\n");
  text("proc/loadavg", "0.08 0.03 0.01 1/123 42\n");
  text("proc/uptime", "86400.00 160000.00\n");
  text("proc/mounts", "overlay / overlay rw,relatime 0 0\n");
  text("proc/1/cgroup", "0::/\n");
  text("proc/sys/kernel/shm_rmid_forced", "0\n");
  text("proc/sys/kernel/hostname", `${hostnameOf(pod)}\n`);
  text("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
  for (const { name, value } of pod.spec?.securityContext?.sysctls ?? [])
    text(`proc/sys/${name.replaceAll(".", "/")}`, `${value}\n`);
  put("sys/fs/cgroup", cgroup(options));
  for (const [path, content] of Object.entries(image.files ?? {})) text(path, content);
  if (container.workingDir) put(absolutePath(container.workingDir), directory(0o755, { mtimeMs: nowMs }));
  return root;
}

/** Throws EnvironmentProblem when a sub-path cannot be. */
export function containerTree(options: TreeOptions): ContainerTree {
  const { container, volumes, now, isFull } = options;
  const root = baseTree(options);
  root.mount = { readOnly: container.securityContext?.readOnlyRootFilesystem === true, type: "overlay" };
  // The outer mounts first, so that the inner ones land in them.
  const mounts = [...(container.volumeMounts ?? [])].sort((a, b) => a.mountPath.length - b.mountPath.length);
  for (const mount of mounts) {
    const node = volumes.mounted(mount.name, subPathOf(mount, options.env));
    if (!node) continue;
    const path = absolutePath(mount.mountPath);
    const shown = mountedView(node, {
      readOnly: mount.readOnly === true || isProjected(options.pod(), mount.name),
      type: volumes.typeOf(mount.name),
    });
    place(root, path, shown, now());
  }
  const tree = new FileTree(root, now, isFull);
  const terminationMessage = file("", 0o666, { mtimeMs: now() });
  const path = absolutePath(container.terminationMessagePath ?? "/dev/termination-log");
  place(root, path, terminationMessage, now());
  return { tree, terminationMessage };
}

/** Volumes of API objects are always mounted read-only. */
function isProjected(pod: Pod, name: string): boolean {
  const volume = pod.spec?.volumes?.find((candidate) => candidate.name === name);
  return Boolean(volume && (volume.configMap || volume.secret || volume.projected || volume.downwardAPI));
}

/** The same entries as the volume's, under this mount's own rules. */
function mountedView(node: TreeNode, mount: NonNullable<DirectoryNode["mount"]>): TreeNode {
  if (node.is !== "directory") return node;
  return {
    ...node,
    entries: node.entries,
    mount,
    // The attributes are the volume's, whichever container changes them.
    get mode() {
      return node.mode;
    },
    set mode(mode) {
      node.mode = mode;
    },
    refresh: node.refresh,
  };
}

/** Puts a node into the tree, with the directories above it that are missing. */
function place(root: DirectoryNode, path: string, node: TreeNode, nowMs: number): void {
  let at = root;
  const parts = path.split("/").filter(Boolean);
  for (const part of parts.slice(0, -1)) {
    let next = at.entries.get(part);
    if (next?.is !== "directory") {
      next = directory(0o755, { mtimeMs: nowMs });
      at.entries.set(part, next);
    }
    at = next;
  }
  at.entries.set(baseName(path), node);
}
