/** What probes and steps are about, in a few words: for those that the file gives no name. */
import { durationText } from "../../domain/faults/index.js";
import type { FaultRequest } from "../../domain/faults/request.js";
import type { Amount, Probe, Step } from "./drill.js";

const amountText = (amount: Amount): string => ("count" in amount ? String(amount.count) : `${amount.percent} %`);

const bounds = (atLeast: string | number | undefined, atMost: string | number | undefined): string => {
  if (atLeast === undefined) return `at most ${atMost}`;
  if (atMost === undefined) return `at least ${atLeast}`;
  return atLeast === atMost ? `${atLeast}` : `${atLeast} to ${atMost}`;
};

const workloadName = ({ workload }: { workload: { kind: string; name: string } }): string =>
  `${workload.kind.toLowerCase()}/${workload.name}`;

const inZone = (zone: string | undefined): string => (zone === undefined ? "" : ` in ${zone}`);

const TITLES: { readonly [P in Probe["probe"]]: (probe: Extract<Probe, { probe: P }>) => string } = {
  rollout: (probe) => `${workloadName(probe)} is rolled out`,
  readyReplicas: (probe) => {
    const [least, most] = [probe.atLeast && amountText(probe.atLeast), probe.atMost && amountText(probe.atMost)];
    return `${bounds(least, most)} ready replicas of ${workloadName(probe)}`;
  },
  pods: ({ selector = "all", zone, phase, ready, atLeast, atMost }) =>
    `${bounds(atLeast, atMost)} ${phase ?? ""}${ready ? "Ready" : ""} pods of ${selector}${inZone(zone)}`,
  nodes: ({ nodegroup, zone, atLeast, atMost, spread }) => {
    const counted = atLeast === undefined && atMost === undefined ? "" : `${bounds(atLeast, atMost)} ready nodes`;
    const level = spread === undefined ? "" : `nodes a zone differ by at most ${spread}`;
    return `${[counted, level].filter(Boolean).join(", ")}${nodegroup ? ` of ${nodegroup}` : ""}${inZone(zone)}`;
  },
  masters: ({ zone, atLeast }) => `at least ${atLeast} masters up${inZone(zone)}`,
  pendingPods: ({ atLeast, atMost }) => `${bounds(atLeast, atMost)} pending pods`,
  apiAvailable: ({ cluster }) => `the API server of ${cluster} answers`,
  http: ({ service, path, status }) => `GET ${path} of service ${service} answers ${status}`,
  exec: ({ command, exitCode }) => `\`${command.join(" ")}\` in a pod exits with ${exitCode}`,
  object: ({ object, exists }) => `${namesOf([object])} is ${exists ? "" : "not "}there`,
  nodegroup: ({ nodegroup, status, healthy, issue }) => {
    const health = healthy === undefined ? [] : [healthy ? "healthy" : "unhealthy"];
    return `node group ${nodegroup} is ${[...(status ? [status] : []), ...health, ...(issue ? [`in trouble: ${issue}`] : [])].join(", ")}`;
  },
  cluster: ({ cluster, status, healthy, version }) => {
    const health = healthy === undefined ? [] : [healthy ? "healthy" : "unhealthy"];
    return `cluster ${cluster} is ${[...(status ? [status] : []), ...health, ...(version ? [`at ${version}`] : [])].join(", ")}`;
  },
  events: ({ events }) => `${events.map(({ type }) => type).join(", then ")}`,
  command: ({ command, exitCode }) => `\`${command.join(" ")}\` exits with ${exitCode}`,
  not: ({ of }) => `not: ${probeTitle(of)}`,
};

export function probeTitle(probe: Probe): string {
  return (TITLES[probe.probe] as (one: Probe) => string)(probe);
}

/** A fault with what it is aimed at, as it was asked for. */
export function faultTitle({ fault, target = {}, duration }: FaultRequest): string {
  const aims = Object.entries(target).map(([name, value]) => `${name} ${shownAim(value)}`);
  return `${[fault, aims.join(", ")].filter(Boolean).join(" of ")}${duration ? ` for ${duration}` : ""}`;
}

function shownAim(value: unknown): string {
  if (Array.isArray(value)) return value.join(" and ");
  if (typeof value === "object" && value !== null)
    return Object.entries(value)
      .map(([key, text]) => `${key}=${text}`)
      .join(",");
  return String(value);
}

/** A duration in whole seconds; one of less than a second in milliseconds. */
export const roundedDuration = (ms: number): string =>
  durationText(Math.abs(ms) < 1000 ? ms : Math.round(ms / 1000) * 1000);

type Untitled = Step extends infer S ? (S extends Step ? Omit<S, "title"> : never) : never;

const STEP_TITLES: { readonly [S in Step["step"]]: (step: Extract<Untitled, { step: S }>) => string } = {
  fault: ({ fault }) => faultTitle(fault),
  stopFault: ({ of }) => (of === undefined ? "end all faults" : `end fault ${of}`),
  wait: ({ ms }) => `wait ${roundedDuration(ms)}`,
  waitUntil: ({ probe, withinMs }) => `wait until ${probeTitle(probe)}, at most ${roundedDuration(withinMs)}`,
  eks: ({ method, path }) => `${method} ${path}`,
  kubernetes: ({ cluster, method, path }) => `${method} ${path} of ${cluster}`,
  apply: ({ manifests }) => `apply ${namesOf(manifests)}`,
  delete: ({ objects }) => `delete ${namesOf(objects)}`,
  scale: ({ workload, replicas }) => `scale ${workloadName({ workload })} to ${replicas}`,
  scaleNodegroup: ({ nodegroup, scalingConfig }) =>
    `scale node group ${nodegroup} to ${Object.entries(scalingConfig)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}`,
  upgradeCluster: ({ cluster, version }) => `upgrade cluster ${cluster} to ${version}`,
  upgradeNodegroup: ({ nodegroup, input }) =>
    `upgrade node group ${nodegroup}${input.version === undefined ? "" : ` to ${input.version}`}`,
  zonalShift: ({ cluster, awayFrom }) => `shift ${cluster} away from ${awayFrom}`,
  cancelZonalShift: ({ of }) => `cancel zonal shift ${of}`,
  command: ({ command }) => `run \`${command.join(" ")}\``,
};

export function stepTitle(step: Untitled): string {
  return (STEP_TITLES[step.step] as (one: Untitled) => string)(step);
}

function namesOf(objects: readonly { kind: string; metadata: { name: string } }[]): string {
  return objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`).join(", ");
}
