/** Probes as a drill's file writes them: a mapping whose one key says what is asked, and what is meant by it. Adding a probe is adding an entry here. */
import type { Amount, EventPattern, Probe, ProbeName, WorkloadKind } from "../drill.js";
import {
  duration,
  entries,
  type Fields,
  flag,
  integer,
  isMapping,
  isText,
  list,
  object,
  oneOf,
  optional,
  pattern,
  type Read,
  required,
  type Spot,
  shown,
  text,
  texts,
  unknownKey,
  type Values,
  word,
  wrong,
} from "./fields.js";

/** How long a command of a probe or a step may take, of the machine's time. */
export const COMMAND_LIMIT_MS = 60_000;

export interface Naming {
  /** Names of the clusters that the drill is about. A cluster that is not named is the only one. */
  clusters: readonly string[];
}

/** The cluster that is meant; told of when it is none of the drill's, or has to be named. */
export function clusterAt(spot: Spot, named: string | undefined, { clusters }: Naming): string | undefined {
  if (named === undefined) {
    if (clusters.length === 1) return clusters[0];
    if (clusters.length === 0) return wrong(spot, "the drill has no cluster; name one under setup.clusters");
    return wrong(spot, `say with \`cluster\` which one is meant: ${clusters.join(", ")}`);
  }
  if (clusters.includes(named)) return named;
  return wrong(spot, `there is no cluster ${named} under setup.clusters; there is ${clusters.join(", ") || "none"}`);
}

/** `3`, or `60%`. */
export const amount: Read<Amount> = (spot) => {
  const value = word(spot);
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return { count: Number(value) };
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent !== undefined && Number(percent) <= 100
    ? { percent: Number(percent) }
    : wrong(spot, `must be a number of replicas, or a share such as 60%, not ${shown(spot)}`);
};

/** A label selector, as text or as labels that all have to be there. */
export const selector: Read<string> = (spot) => {
  if (isText(spot)) return text(spot);
  const labels = texts(spot);
  return (
    labels &&
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(",")
  );
};

const WORKLOAD_FIELDS = {
  cluster: optional(text),
  namespace: optional(text),
  deployment: optional(text),
  statefulSet: optional(text),
  daemonSet: optional(text),
};

const KIND_OF = { deployment: "Deployment", statefulSet: "StatefulSet", daemonSet: "DaemonSet" } as const;

/** The one workload that the fields name. */
export function workloadAt(
  spot: Spot,
  values: { deployment?: string | undefined; statefulSet?: string | undefined; daemonSet?: string | undefined },
): { kind: WorkloadKind; name: string } | undefined {
  const named = (Object.keys(KIND_OF) as (keyof typeof KIND_OF)[]).flatMap((key) => {
    const name = values[key];
    return name === undefined ? [] : [{ kind: KIND_OF[key], name }];
  });
  return named.length === 1 ? named[0] : wrong(spot, "name one of deployment, statefulSet and daemonSet");
}

const event: Read<EventPattern> = (spot) => {
  if (isText(spot)) {
    const type = text(spot);
    return type === undefined ? undefined : { type };
  }
  const values = object(spot, {
    type: required(text),
    source: optional(text),
    subject: optional(text),
    zone: optional(text),
    message: optional(text),
  });
  return values && present(values);
};

/** Without the members that were left out. */
export function present<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Complains when none of the members is there: the probe would ask for nothing. */
function some(spot: Spot, values: object, names: readonly string[]): true | undefined {
  const given = values as Record<string, unknown>;
  return names.some((name) => given[name] !== undefined) || wrong(spot, `give at least one of ${names.join(", ")}`);
}

/** The fields with the cluster that is meant; nothing when one of them is wrong. */
export function inCluster<F extends Fields>(
  spot: Spot,
  naming: Naming,
  fields: F,
): (Values<F> & { cluster: string }) | undefined {
  const values = object(spot, { cluster: optional(text), ...fields }) as (Values<F> & { cluster?: string }) | undefined;
  const cluster = values && clusterAt(spot, values.cluster, naming);
  return values && cluster ? { ...values, cluster } : undefined;
}

/** The same, of which one of the members named has to be there. */
function withSome<F extends Fields>(spot: Spot, naming: Naming, oneOfThem: readonly (keyof F & string)[], fields: F) {
  const values = inCluster(spot, naming, fields);
  return values && some(spot, values, oneOfThem) ? values : undefined;
}

type ReadProbe = (spot: Spot, naming: Naming) => Probe | undefined;

const PROBES: { readonly [P in ProbeName]: ReadProbe } = {
  rollout: (spot, naming) => {
    const values = object(spot, WORKLOAD_FIELDS);
    const workload = values && workloadAt(spot, values);
    const cluster = values && clusterAt(spot, values.cluster, naming);
    return workload && cluster
      ? { probe: "rollout", cluster, namespace: values.namespace ?? "default", workload }
      : undefined;
  },
  readyReplicas: (spot, naming) => {
    const values = object(spot, { ...WORKLOAD_FIELDS, atLeast: optional(amount), atMost: optional(amount) });
    const workload = values && workloadAt(spot, values);
    const cluster = values && clusterAt(spot, values.cluster, naming);
    if (!workload || !cluster || !some(spot, values, ["atLeast", "atMost"])) return undefined;
    const { atLeast, atMost, namespace = "default" } = values;
    return { probe: "readyReplicas", cluster, namespace, workload, ...present({ atLeast, atMost }) } as Probe;
  },
  pods: (spot, naming) => {
    const values = withSome(spot, naming, ["atLeast", "atMost"], {
      namespace: optional(text),
      selector: optional(selector),
      zone: optional(text),
      phase: optional(oneOf(["Pending", "Running", "Succeeded", "Failed", "Unknown"])),
      ready: optional(flag),
      atLeast: optional(integer(0)),
      atMost: optional(integer(0)),
    });
    if (!values) return undefined;
    const { namespace = "default", ready = values.phase === undefined, ...rest } = values;
    return { probe: "pods", ...present({ ...rest, namespace, ready }) } as Probe;
  },
  nodes: (spot, naming) => {
    const values = withSome(spot, naming, ["atLeast", "atMost", "spread"], {
      nodegroup: optional(text),
      zone: optional(text),
      atLeast: optional(integer(0)),
      atMost: optional(integer(0)),
      spread: optional(integer(0)),
    });
    if (!values) return undefined;
    return { probe: "nodes", ...present(values) } as Probe;
  },
  masters: (spot, naming) => {
    const values = inCluster(spot, naming, {
      zone: optional(text),
      atLeast: required(integer(0, 3)),
    });
    return values && ({ probe: "masters", ...present(values) } as Probe);
  },
  pendingPods: (spot, naming) => {
    const values = withSome(spot, naming, ["atLeast", "atMost"], {
      atLeast: optional(integer(0)),
      atMost: optional(integer(0)),
    });
    if (!values) return undefined;
    return { probe: "pendingPods", ...present(values) } as Probe;
  },
  apiAvailable: (spot, naming) => {
    const values = inCluster(spot, naming, {});
    return values && { probe: "apiAvailable", cluster: values.cluster };
  },
  http: (spot, naming) => {
    const values = inCluster(spot, naming, {
      namespace: optional(text),
      service: required(text),
      port: optional(word),
      path: optional(pattern(/^\//, "a path that begins with /")),
      status: optional(integer(100, 599)),
      contains: optional(text),
    });
    if (!values) return undefined;
    const { namespace = "default", path = "/", status = 200, ...rest } = values;
    return { probe: "http", ...present({ ...rest, namespace, path, status }) } as Probe;
  },
  exec: (spot, naming) => {
    const values = inCluster(spot, naming, {
      namespace: optional(text),
      pod: optional(text),
      selector: optional(selector),
      container: optional(text),
      command: required(list(word, { nonEmpty: true })),
      exitCode: optional(integer(0, 255)),
      contains: optional(text),
    });
    if (!values) return undefined;
    if ((values.pod === undefined) === (values.selector === undefined))
      return wrong(spot, "name either the pod, or a selector of pods");
    const { namespace = "default", exitCode = 0, ...rest } = values;
    return { probe: "exec", ...present({ ...rest, namespace, exitCode }) } as Probe;
  },
  object: (spot, naming) => {
    const values = inCluster(spot, naming, {
      apiVersion: required(text),
      kind: required(text),
      namespace: optional(text),
      name: required(text),
      exists: optional(flag),
    });
    if (!values) return undefined;
    const { cluster, apiVersion, kind, name, namespace, exists = true } = values;
    const metadata = { name, ...(namespace ? { namespace } : {}) };
    return { probe: "object", cluster, object: { apiVersion, kind, metadata }, exists };
  },
  nodegroup: (spot, naming) => {
    const values = withSome(spot, naming, ["status", "healthy", "issue"], {
      name: required(text),
      status: optional(text),
      healthy: optional(flag),
      issue: optional(text),
    });
    if (!values) return undefined;
    const { name: nodegroup, ...rest } = values;
    return { probe: "nodegroup", ...present({ ...rest, nodegroup }) } as Probe;
  },
  cluster: (spot, naming) => {
    const values = object(spot, {
      name: optional(text),
      status: optional(text),
      healthy: optional(flag),
      version: optional(word),
    });
    const cluster = values && clusterAt(spot, values.name, naming);
    if (!cluster || !some(spot, values, ["status", "healthy", "version"])) return undefined;
    const { name: _read, ...rest } = values;
    return { probe: "cluster", ...present({ ...rest, cluster }) } as Probe;
  },
  events: (spot, naming) => {
    if (naming.clusters.length === 1 && !isMapping(spot)) {
      const events = list(event, { nonEmpty: true })(spot);
      return events && { probe: "events", cluster: naming.clusters[0] as string, events };
    }
    const values = object(spot, {
      cluster: optional(text),
      inOrder: required(list(event, { nonEmpty: true })),
    });
    const cluster = values && clusterAt(spot, values.cluster, naming);
    return cluster ? { probe: "events", cluster, events: values.inOrder } : undefined;
  },
  command: (spot) => {
    const values = object(spot, COMMAND_FIELDS);
    if (!values) return undefined;
    const { run, exitCode = 0, timeout = COMMAND_LIMIT_MS, contains } = values;
    return { probe: "command", command: run, exitCode, timeoutMs: timeout, ...(contains ? { contains } : {}) };
  },
  not: (spot, naming) => {
    const of = probe(spot, naming);
    return of && { probe: "not", of };
  },
};

/** An argument array: what is in it never goes through a shell. */
export const COMMAND_FIELDS = {
  run: required(list(word, { nonEmpty: true })),
  exitCode: optional(integer(0, 255)),
  timeout: optional(duration),
  contains: optional(text),
};

const PROBE_NAMES = Object.keys(PROBES) as readonly ProbeName[];

/** The probe that a mapping's only key names; `others` may stand beside it. */
export function probe(spot: Spot, naming: Naming, others: readonly string[] = []): Probe | undefined {
  const all = entries(spot);
  if (!all) return undefined;
  for (const { key, value } of all) {
    if (!others.includes(key) && !Object.hasOwn(PROBES, key))
      return wrong({ ...value, node: undefined, path: spot.path }, unknownKey(key, [...PROBE_NAMES, ...others]));
  }
  const named = all.filter(({ key }) => Object.hasOwn(PROBES, key));
  const [only, second] = named;
  if (!only) return wrong(spot, `has no probe; give one of ${PROBE_NAMES.join(", ")}`);
  if (second)
    return wrong(
      { ...second.value, node: undefined, path: spot.path },
      `has two probes, ${only.key} and ${second.key}; give one`,
    );
  return PROBES[only.key as ProbeName](only.value, naming);
}
