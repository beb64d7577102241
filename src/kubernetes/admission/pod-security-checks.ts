/**
 * The Pod Security Standards as a table of checks (upstream: pod-security-admission/policy). A check says nothing, or what the pod does wrong in the words of the
 * refusal.
 */
import type { Container, PodSpec, Volume } from "../schema/generated/types.js";

export type SecurityLevel = "privileged" | "baseline" | "restricted";

interface Violation {
  reason: string;
  detail: string;
}

type Check = (spec: PodSpec) => Violation | undefined;

const DEFAULT_CAPABILITIES = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);
const SAFE_SYSCTLS = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);
const RESTRICTED_VOLUMES = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);
const SELINUX_TYPES = new Set(["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"]);

const containersOf = (spec: PodSpec): Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...(spec.ephemeralContainers ?? []),
];
const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");
const listed = (noun: string, names: readonly string[]): string =>
  `${noun}${names.length === 1 ? "" : "s"} ${quoted(names)}`;
const volumeType = (volume: Volume): string =>
  Object.keys(volume).find((key) => key !== "name" && volume[key as keyof Volume]) ?? "emptyDir";

/** A violation by all containers that `offends` holds for. */
function byContainers(reason: string, offends: (container: Container) => boolean, detail: string): Check {
  return (spec) => {
    const names = containersOf(spec)
      .filter(offends)
      .map(({ name }) => name);
    return names.length > 0 ? { reason, detail: `${listed("container", names)} ${detail}` } : undefined;
  };
}

const BASELINE: readonly Check[] = [
  (spec) => {
    const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field]);
    return shared.length > 0
      ? { reason: "host namespaces", detail: shared.map((field) => `${field}=true`).join(", ") }
      : undefined;
  },
  (spec) => {
    const ports = containersOf(spec).flatMap(({ name, ports = [] }) =>
      ports.filter(({ hostPort }) => hostPort).map(({ hostPort }) => ({ name, hostPort })),
    );
    if (ports.length === 0) return undefined;
    const names = [...new Set(ports.map(({ name }) => name))];
    return {
      reason: "hostPort",
      detail: `${listed("container", names)} ${names.length === 1 ? "uses" : "use"} hostPort${ports.length === 1 ? "" : "s"} ${ports.map(({ hostPort }) => hostPort).join(", ")}`,
    };
  },
  byContainers(
    "privileged",
    ({ securityContext }) => securityContext?.privileged === true,
    "must not set securityContext.privileged=true",
  ),
  byContainers(
    "procMount",
    ({ securityContext }) => Boolean(securityContext?.procMount && securityContext.procMount !== "Default"),
    "must not set securityContext.procMount",
  ),
  (spec) => {
    const types = [spec.securityContext, ...containersOf(spec).map(({ securityContext }) => securityContext)].map(
      (context) => context?.seLinuxOptions,
    );
    const wrong = types.some(
      (options) => options && (!SELINUX_TYPES.has(options.type ?? "") || options.user || options.role),
    );
    return wrong
      ? { reason: "seLinuxOptions", detail: "pod or containers set forbidden securityContext.seLinuxOptions" }
      : undefined;
  },
  (spec) => {
    const wrong = (spec.securityContext?.sysctls ?? [])
      .map(({ name }) => name)
      .filter((name) => !SAFE_SYSCTLS.has(name));
    return wrong.length > 0 ? { reason: "forbidden sysctls", detail: wrong.join(", ") } : undefined;
  },
];

/** Checks of baseline that restricted replaces with stricter ones. */
const BASELINE_ONLY: readonly Check[] = [
  (spec) => {
    const offenders = containersOf(spec)
      .map(({ name, securityContext }) => ({
        name,
        wrong: (securityContext?.capabilities?.add ?? []).filter((capability) => !DEFAULT_CAPABILITIES.has(capability)),
      }))
      .filter(({ wrong }) => wrong.length > 0);
    if (offenders.length === 0) return undefined;
    const capabilities = [...new Set(offenders.flatMap(({ wrong }) => wrong))].sort();
    return {
      reason: "non-default capabilities",
      detail: `${listed(
        "container",
        offenders.map(({ name }) => name),
      )} must not include ${quoted(capabilities)} in securityContext.capabilities.add`,
    };
  },
  (spec) => {
    const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
    return names.length > 0 ? { reason: "hostPath volumes", detail: listed("volume", names) } : undefined;
  },
  (spec) => {
    if (spec.securityContext?.seccompProfile?.type === "Unconfined") {
      return {
        reason: "seccompProfile",
        detail: 'pod must not set securityContext.seccompProfile.type to "Unconfined"',
      };
    }
    return byContainers(
      "seccompProfile",
      ({ securityContext }) => securityContext?.seccompProfile?.type === "Unconfined",
      'must not set securityContext.seccompProfile.type to "Unconfined"',
    )(spec);
  },
];

const RESTRICTED: readonly Check[] = [
  byContainers(
    "allowPrivilegeEscalation != false",
    ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
    "must set securityContext.allowPrivilegeEscalation=false",
  ),
  (spec) => {
    const undropped = containersOf(spec)
      .filter(({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"))
      .map(({ name }) => name);
    const adding = containersOf(spec).filter(({ securityContext }) =>
      securityContext?.capabilities?.add?.some((capability) => capability !== "NET_BIND_SERVICE"),
    );
    const details = [
      ...(undropped.length > 0
        ? [`${listed("container", undropped)} must set securityContext.capabilities.drop=["ALL"]`]
        : []),
      ...(adding.length > 0
        ? [
            `${listed(
              "container",
              adding.map(({ name }) => name),
            )} must not include ${quoted([...new Set(adding.flatMap(({ securityContext }) => securityContext?.capabilities?.add ?? []))].filter((capability) => capability !== "NET_BIND_SERVICE").sort())} in securityContext.capabilities.add`,
          ]
        : []),
    ];
    return details.length > 0 ? { reason: "unrestricted capabilities", detail: details.join("; ") } : undefined;
  },
  (spec) => {
    const wrong = (spec.volumes ?? []).filter((volume) => !RESTRICTED_VOLUMES.has(volumeType(volume)));
    if (wrong.length === 0) return undefined;
    const types = [...new Set(wrong.map(volumeType))].sort();
    return {
      reason: "restricted volume types",
      detail: `${listed(
        "volume",
        wrong.map(({ name }) => name),
      )} ${wrong.length === 1 ? "uses" : "use"} restricted volume type${types.length === 1 ? "" : "s"} ${quoted(types)}`,
    };
  },
  (spec) => {
    const byPod = spec.securityContext?.runAsNonRoot;
    const offenders = containersOf(spec).filter(
      ({ securityContext }) =>
        securityContext?.runAsNonRoot === false || (securityContext?.runAsNonRoot === undefined && byPod !== true),
    );
    if (byPod === false)
      return { reason: "runAsNonRoot != true", detail: "pod must not set securityContext.runAsNonRoot=false" };
    if (offenders.length === 0) return undefined;
    return {
      reason: "runAsNonRoot != true",
      detail: `pod or ${listed(
        "container",
        offenders.map(({ name }) => name),
      )} must set securityContext.runAsNonRoot=true`,
    };
  },
  (spec) => {
    const names = containersOf(spec)
      .filter(({ securityContext }) => securityContext?.runAsUser === 0)
      .map(({ name }) => name);
    const holders = [
      ...(spec.securityContext?.runAsUser === 0 ? ["pod"] : []),
      ...(names.length > 0 ? [listed("container", names)] : []),
    ];
    return holders.length > 0
      ? { reason: "runAsUser=0", detail: `${holders.join(" and ")} must not set runAsUser=0` }
      : undefined;
  },
  (spec) => {
    const right = (type: string | undefined) => type === "RuntimeDefault" || type === "Localhost";
    const byPod = right(spec.securityContext?.seccompProfile?.type);
    const offenders = containersOf(spec).filter(({ securityContext }) =>
      securityContext?.seccompProfile ? !right(securityContext.seccompProfile.type) : !byPod,
    );
    if (offenders.length === 0) return undefined;
    return {
      reason: "seccompProfile",
      detail: `pod or ${listed(
        "container",
        offenders.map(({ name }) => name),
      )} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
    };
  },
];

const CHECKS: Readonly<Record<SecurityLevel, readonly Check[]>> = {
  privileged: [],
  baseline: [...BASELINE, ...BASELINE_ONLY],
  restricted: [...BASELINE, ...RESTRICTED],
};

export const isSecurityLevel = (text: string): text is SecurityLevel => text in CHECKS;

/** Everything a pod does that a level forbids, as `reason (detail), reason (detail)`; empty when it complies. */
export function violations(level: SecurityLevel, spec: PodSpec): string {
  return CHECKS[level]
    .map((check) => check(spec))
    .filter((violation) => violation !== undefined)
    .map(({ reason, detail }) => `${reason} (${detail})`)
    .join(", ");
}
