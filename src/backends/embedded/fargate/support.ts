/** What Fargate cannot run, in the words of its scheduler. Source: its messages as quoted in public issues, and the user guide's list of what is missing. */
import { allContainers } from "../../../kubernetes/admission/pod-object.js";
import type { KubeApi } from "../../../kubernetes/api.js";
import type {
  Container,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  Volume,
} from "../../../kubernetes/schema/generated/types.js";

/** Kinds of volumes that need no machine of one's own. Claims must be bound already: nobody makes volumes for Fargate. */
const VOLUME_KINDS: readonly string[] = ["emptyDir", "secret", "configMap", "downwardAPI", "projected", "nfs", "csi"];

const HOST_FIELDS = [
  ["HostNetwork", (spec: PodSpec) => spec.hostNetwork],
  ["HostPID", (spec: PodSpec) => spec.hostPID],
  ["HostIPC", (spec: PodSpec) => spec.hostIPC],
] as const;

const RESOURCES: readonly string[] = ["cpu", "memory", "ephemeral-storage"];

/** Capabilities that containers may add: those that containerd gives anyway, and the one for tracing. With the prefix `CAP_` they are not known. */
const ADDABLE: readonly string[] = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
  "SYS_PTRACE",
];

/** Why Fargate cannot run the pod; undefined when it can. */
export function unsupported(api: KubeApi, pod: Pod & { spec: PodSpec }): string | undefined {
  const { spec } = pod;
  const containers = allContainers(spec);
  const fields = HOST_FIELDS.filter(([, isSet]) => isSet(spec)).map(([name]) => name);
  const security = securityFields(containers);
  const volumes = (spec.volumes ?? []).flatMap((volume) => volumeProblem(api, pod, volume) ?? []);
  const extended = containers.flatMap(({ resources }) =>
    Object.keys({ ...resources?.requests, ...resources?.limits }).filter((name) => !RESOURCES.includes(name)),
  );
  const reasons = [
    fields.length > 0 && `fields not supported: ${fields.join(", ")}`,
    security.length > 0 && `invalid SecurityContext fields: ${security.join(", ")}`,
    containers.some(({ ports }) => ports?.some(({ hostIP, hostPort }) => hostIP || hostPort)) &&
      "port contains HostIP or HostPort",
    extended.length > 0 && `invalid resource requests: ${[...new Set(extended)].join(", ")}`,
    volumes.length > 0 && `volumes not supported: ${volumes.join(", ")}`,
  ].filter((reason) => reason !== false);
  return reasons.length > 0 ? `Pod not supported on Fargate: ${reasons.join(", ")}` : undefined;
}

function securityFields(containers: readonly Container[]): string[] {
  const added = containers.flatMap(({ securityContext }) => securityContext?.capabilities?.add ?? []);
  const refused = [...new Set(added)].filter((name) => !ADDABLE.includes(name));
  return [
    ...(containers.some(({ securityContext }) => securityContext?.privileged) ? ["Privileged"] : []),
    ...(refused.length > 0 ? [`Capabilities added: ${refused.join(", ")}`] : []),
  ];
}

function volumeProblem(api: KubeApi, pod: Pod, volume: Volume): string | undefined {
  const { name, persistentVolumeClaim: claim } = volume;
  if (claim) {
    const found = api.get<PersistentVolumeClaim>("persistentvolumeclaims", {
      namespace: pod.metadata.namespace,
      name: claim.claimName,
    });
    if (found?.status?.phase === "Bound") return undefined;
    return `${name} not supported because: PVC ${claim.claimName} not bound`;
  }
  if (VOLUME_KINDS.some((kind) => kind in volume)) return undefined;
  return `${name} is of an unsupported volume Type`;
}
