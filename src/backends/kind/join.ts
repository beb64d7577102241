/** Machines that join a running cluster, which kind itself cannot add: its node image run as kind runs it, and kubeadm in it. */

import type { Clock } from "../../clock/clock.js";
import { nodeResources, providerId } from "../../domain/node.js";
import { BackendError, type ClusterSpec, type NodeSpec } from "../backend.js";
import { spareAddress } from "./addresses.js";
import { type KindContext, until } from "./cluster.js";
import { AUTHN_PATH } from "./config-file.js";
import type { Engine } from "./engine.js";
import { NETWORK } from "./kinds-network.js";
import { KIND_LABELS, type KindRole, LABELS } from "./names.js";

export interface Machine {
  container: string;
  /** At most 63 characters. */
  hostname: string;
  kindName: string;
  role: KindRole;
  image: string;
  /** Beside kind's own. */
  labels: Readonly<Record<string, string>>;
  /** Directory of this machine with the webhook's configuration, which masters read. */
  authnDir?: string;
  /** On kind's network; absent: the engine gives one. */
  address?: string;
  /** What `--volume` is given for its /var; absent: the engine makes one that has no name. */
  variable?: string;
}

/** As kind itself runs its nodes. `extra`: what only this engine wants. */
export function runArguments(machine: Machine, extra: readonly string[] = []): string[] {
  const labels = { [KIND_LABELS.cluster]: machine.kindName, [KIND_LABELS.role]: machine.role, ...machine.labels };
  return [
    ...["run", "--name", machine.container, "--hostname", machine.hostname],
    ...Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    ...["--privileged", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
    ...["--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", machine.variable ?? "/var"],
    ...["--volume", "/lib/modules:/lib/modules:ro", "-e", "KIND_EXPERIMENTAL_CONTAINERD_SNAPSHOTTER", ...extra],
    ...(machine.role === "control-plane"
      ? ["-e", "KUBECONFIG=/etc/kubernetes/admin.conf", "--publish", "127.0.0.1::6443/tcp"]
      : []),
    ...(machine.authnDir === undefined ? [] : ["--volume", `${machine.authnDir}:${AUTHN_PATH}:ro`]),
    ...["--detach", "--tty", "--net", NETWORK, ...(machine.address === undefined ? [] : ["--ip", machine.address])],
    ...["--restart=on-failure:1", "--init=false", "--cgroupns=private"],
    machine.image,
  ];
}

/** A second or two on a machine that has nothing else to do. */
const BOOT_LIMIT_MS = 180_000;
/** An image that is not there yet is pulled first. */
const RUN_LIMIT_MS = 10 * 60_000;

/** As Docker says it, and Podman. */
const IS_TAKEN = /address already in use|ip address \S+ is already allocated/i;
/** Addresses that are tried when others are faster. */
const ADDRESSES = 5;

/** Leaves a container that runs, with an address that stays its own. */
export async function runMachine(context: KindContext, machine: Machine): Promise<void> {
  const { engine, files } = context;
  for (let attempt = 1; ; attempt++) {
    const { subnet, holders } = await engine.network({ [LABELS.owner]: await files.owner() });
    const address = subnet === undefined ? undefined : spareAddress(subnet, Object.keys(holders));
    try {
      const variable = await engine.volume(machine.container, "/var");
      const whole = { ...machine, variable, ...(address === undefined ? {} : { address }) };
      await engine.run(runArguments(whole, engine.dialect.launch), { timeoutMs: RUN_LIMIT_MS });
      return;
    } catch (error) {
      // What the engine could not start it leaves behind.
      await engine.remove([machine.container]);
      const taken = error instanceof BackendError && IS_TAKEN.test(error.message);
      if (!taken || attempt === ADDRESSES) throw error;
    }
  }
}

/** Until systemd and containerd are up in it. Gives its address, of the family that the cluster's nodes have. */
export async function boot(
  { engine, clock }: { engine: Engine; clock: Clock },
  container: string,
  { serviceCidr }: Pick<ClusterSpec, "serviceCidr">,
  signal?: AbortSignal,
): Promise<string> {
  const isUp = async (): Promise<boolean> => {
    const quick = { anyExitCode: true, timeoutMs: 10_000, signal };
    const { stdout } = await engine.exec(container, ["systemctl", "is-system-running"], quick);
    if (!["running", "degraded"].includes(stdout.trim())) return false;
    return (await engine.exec(container, ["ctr", "version"], quick)).exitCode === 0;
  };
  await until(clock, isUp, { limitMs: BOOT_LIMIT_MS, what: `${container} had booted`, signal });
  const [found] = await engine.inspect([container]);
  const address = serviceCidr.includes(":") ? found?.address6 : found?.address;
  if (!address) throw new BackendError("failed", `${container} has no address`);
  return address;
}

/** Where the file for kubeadm is in the machine, as kind has it. */
const KUBEADM_FILE = "/kind/kubeadm.conf";

/** There once kubeadm has joined a machine to a cluster. */
const JOINED_FILE = "/etc/kubernetes/kubelet.conf";

export async function hasJoined(engine: Engine, container: string): Promise<boolean> {
  const { exitCode } = await engine.exec(container, ["test", "-f", JOINED_FILE], { anyExitCode: true });
  return exitCode === 0;
}

/** How long a token for joining is good, and after which part of that a new one is made. */
export const TOKEN = { ttl: "30m", usedForMs: 15 * 60_000 } as const;

const JOIN_LIMIT_MS = 180_000;

export async function kubeadmJoin(
  engine: Engine,
  container: string,
  config: unknown,
  signal?: AbortSignal,
): Promise<void> {
  await engine.write(container, KUBEADM_FILE, JSON.stringify(config));
  await engine.exec(container, ["kubeadm", "join", "--config", KUBEADM_FILE], { timeoutMs: JOIN_LIMIT_MS, signal });
}

interface JoinOptions {
  nodeName: string;
  address: string;
  /** `<load balancer>:6443`. */
  endpoint: string;
  token: string;
  kubeletArguments: Readonly<Record<string, string>>;
  controlPlane?: { certificateKey: string };
}

/** kubeadm's own form; JSON, which is YAML too. Versions before 1.31 know only the form before. */
export function joinConfiguration(version: string, options: JoinOptions): unknown {
  const { nodeName, address, endpoint, token, controlPlane } = options;
  const kubelet = Object.entries({ "node-ip": address, ...options.kubeletArguments });
  const isOld = Number(version.split(".")[1]) < 31;
  return {
    apiVersion: `kubeadm.k8s.io/${isOld ? "v1beta3" : "v1beta4"}`,
    kind: "JoinConfiguration",
    nodeRegistration: {
      name: nodeName,
      criSocket: "unix:///run/containerd/containerd.sock",
      kubeletExtraArgs: isOld ? Object.fromEntries(kubelet) : kubelet.map(([name, value]) => ({ name, value })),
    },
    ...(controlPlane
      ? {
          controlPlane: {
            localAPIEndpoint: { advertiseAddress: address, bindPort: 6443 },
            certificateKey: controlPlane.certificateKey,
          },
        }
      : {}),
    discovery: { bootstrapToken: { apiServerEndpoint: endpoint, token, unsafeSkipCAVerification: true } },
    skipPhases: ["preflight"],
  };
}

/** Names of kubernetes.io and k8s.io that a kubelet may give its own node; it refuses to start with others. Source: the kubelet's own list. */
const KUBELET_LABELS: readonly string[] = [
  "kubernetes.io/hostname",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "kubernetes.io/instance-type",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
];
/** What the kubelet itself finds out of the real machine. */
const KUBELETS_OWN: readonly string[] = [
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/os",
];

function mayKubeletSet(label: string): boolean {
  const slash = label.indexOf("/");
  const domain = slash < 0 ? "" : label.slice(0, slash);
  if (!/(^|\.)(kubernetes|k8s)\.io$/.test(domain) || KUBELET_LABELS.includes(label)) return true;
  return /(^|\.)(kubelet|node)\.kubernetes\.io$/.test(domain);
}

/** The labels of a node that it registers with, and those that the cloud puts on it afterwards. */
export function splitLabels(labels: NodeSpec["labels"]): {
  registered: Record<string, string>;
  added: Record<string, string>;
} {
  const kept = Object.entries(labels).filter(([name]) => !KUBELETS_OWN.includes(name));
  return {
    registered: Object.fromEntries(kept.filter(([name]) => mayKubeletSet(name))),
    added: Object.fromEntries(kept.filter(([name]) => !mayKubeletSet(name))),
  };
}

/** A node of EKS to its kubelet: provider id, labels, taints and the number of pods that its instance type has addresses for. */
export function kubeletArguments(node: NodeSpec): Record<string, string> {
  const taints = node.taints.map(({ key, value = "", effect }) => `${key}=${value}:${effect}`);
  return {
    "provider-id": providerId(node.zone, node.instanceId),
    "node-labels": labelList(splitLabels(node.labels).registered),
    "max-pods": nodeResources(node.instanceType, node.diskSizeGiB).capacity.pods ?? "110",
    ...(taints.length > 0 ? { "register-with-taints": taints.join(",") } : {}),
  };
}

export const labelList = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
