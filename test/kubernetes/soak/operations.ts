import type { Random } from "../../../src/clock/random.js";
import { isStatusError } from "../../../src/kubernetes/errors.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { isPodReady } from "../../../src/kubernetes/runtime/pods.js";
import type {
  DaemonSet,
  Deployment,
  Node,
  Pod,
  PodDisruptionBudget,
  StatefulSet,
} from "../../../src/kubernetes/schema/generated/types.js";
import type { NodeTrouble } from "../../../src/kubernetes/trouble.js";
import { nodeSpec } from "../simulated-cluster.js";
import type { SoakCluster } from "./cluster.js";

/** What a busy day brings: each operation does one thing to one random object, and answers what it did. */
export const NAMESPACES = ["shop", "lab"];

const CONTAINER = { name: "c", resources: { requests: { cpu: "50m", memory: "32Mi" } } };

const template = (app: string, image: string, extra: object = {}, annotations?: Record<string, string>) => ({
  metadata: { labels: { app }, ...(annotations ? { annotations } : {}) },
  spec: { containers: [{ ...CONTAINER, image }], terminationGracePeriodSeconds: 5, ...extra },
});

type Operation = (soak: SoakCluster, random: Random) => Promise<string | undefined>;

const name = (random: Random, kind: string): string => `${kind}-${random.integer(1, 4)}`;

async function create(soak: SoakCluster, resource: string, object: object): Promise<string> {
  await soak.cluster.api.create(resource, object as KubeObject);
  const { metadata } = object as KubeObject;
  return `create ${resource} ${metadata.namespace}/${metadata.name}`;
}

async function change<T extends KubeObject>(
  soak: SoakCluster,
  random: Random,
  resource: string,
  edit: (object: T) => T,
): Promise<string | undefined> {
  const object = random.pick(soak.cluster.api.list<T>(resource).filter(isOurs));
  if (!object || object.metadata.deletionTimestamp) return undefined;
  await soak.cluster.api.update(resource, edit(object));
  return `change ${resource} ${object.metadata.namespace}/${object.metadata.name}`;
}

const isOurs = ({ metadata }: KubeObject): boolean => NAMESPACES.includes(metadata.namespace ?? "");

const WORKLOADS = [
  "deployments.apps",
  "statefulsets.apps",
  "daemonsets.apps",
  "jobs.batch",
  "cronjobs.batch",
  "replicationcontrollers",
];

const scaled = <T extends KubeObject>(replicas: number) =>
  ((object: T) => ({ ...object, spec: { ...(object.spec as object), replicas } })) as (object: T) => T;

const withImage = <T extends KubeObject>(image: string) =>
  ((object: T) => {
    const spec = object.spec as Deployment["spec"] & object;
    const containers = [{ ...CONTAINER, image }];
    return {
      ...object,
      spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } },
    };
  }) as (object: T) => T;

const OPERATIONS: readonly { weight: number; run: Operation }[] = [
  {
    weight: 8,
    run: (soak, random) => {
      const [namespace, app] = [random.pick(NAMESPACES), name(random, "web")];
      return create(soak, "deployments.apps", {
        metadata: { name: app, namespace },
        spec: {
          replicas: random.integer(0, 6),
          selector: { matchLabels: { app } },
          template: template(app, "web:1"),
          revisionHistoryLimit: 2,
          ...(random.integer(0, 4) === 0 ? { strategy: { type: "Recreate" } } : {}),
        },
      });
    },
  },
  {
    weight: 4,
    run: (soak, random) => {
      const [namespace, app] = [random.pick(NAMESPACES), name(random, "db")];
      return create(soak, "statefulsets.apps", {
        metadata: { name: app, namespace },
        spec: {
          replicas: random.integer(1, 4),
          serviceName: app,
          selector: { matchLabels: { app } },
          podManagementPolicy: random.pick(["OrderedReady", "Parallel"]),
          template: template(app, "db:1"),
        },
      });
    },
  },
  {
    weight: 2,
    run: (soak, random) => {
      const [namespace, app] = [random.pick(NAMESPACES), name(random, "agent")];
      return create(soak, "daemonsets.apps", {
        metadata: { name: app, namespace },
        spec: { selector: { matchLabels: { app } }, template: template(app, "agent:1") },
      });
    },
  },
  {
    weight: 6,
    run: (soak, random) => {
      const namespace = random.pick(NAMESPACES);
      const runForSeconds = random.integer(1, 120);
      const exitCode = random.integer(0, 3) === 0 ? 1 : 0;
      const annotations = { "eksim.dev/behaviour": JSON.stringify({ runForSeconds, exitCode }) };
      const indexed = random.integer(0, 1) === 0 ? { completionMode: "Indexed" } : {};
      return create(soak, "jobs.batch", {
        metadata: { name: `job-${random.integer(1, 1_000_000)}`, namespace },
        spec: {
          completions: random.integer(1, 4),
          parallelism: random.integer(1, 3),
          backoffLimit: 1,
          ttlSecondsAfterFinished: 1200,
          template: template("job", "busybox", { restartPolicy: "Never" }, annotations),
          ...indexed,
        },
      });
    },
  },
  {
    weight: 3,
    run: (soak, random) => {
      const app = random.pick([name(random, "web"), name(random, "db")]);
      return create(soak, "services", {
        metadata: { name: app, namespace: random.pick(NAMESPACES) },
        spec: { selector: { app }, ports: [{ port: 80 }] },
      });
    },
  },
  {
    weight: 2,
    run: (soak, random) => {
      const app = name(random, "web");
      return create(soak, "poddisruptionbudgets.policy", {
        metadata: { name: app, namespace: random.pick(NAMESPACES) },
        spec: { selector: { matchLabels: { app } }, minAvailable: random.integer(0, 2) },
      });
    },
  },
  { weight: 8, run: (soak, random) => change(soak, random, "deployments.apps", scaled(random.integer(0, 7))) },
  { weight: 4, run: (soak, random) => change(soak, random, "statefulsets.apps", scaled(random.integer(0, 4))) },
  {
    weight: 5,
    run: (soak, random) =>
      change<Deployment>(soak, random, "deployments.apps", withImage(`web:${random.integer(1, 5)}`)),
  },
  {
    weight: 3,
    run: (soak, random) =>
      change<StatefulSet>(soak, random, "statefulsets.apps", withImage(`db:${random.integer(1, 5)}`)),
  },
  {
    weight: 1,
    run: (soak, random) =>
      change<DaemonSet>(soak, random, "daemonsets.apps", withImage(`agent:${random.integer(1, 5)}`)),
  },
  { weight: 6, run: (soak, random) => remove(soak, random, random.pick(WORKLOADS) ?? "") },
  {
    weight: 3,
    run: (soak, random) => remove(soak, random, random.pick(["services", "poddisruptionbudgets.policy"]) ?? ""),
  },
  { weight: 8, run: (soak, random) => remove(soak, random, "pods") },
  { weight: 8, run: evict },
  {
    weight: 3,
    run: async (soak, random) => {
      const node = random.pick(soak.cluster.api.list<Node>("nodes"));
      if (!node) return undefined;
      const unschedulable = !node.spec?.unschedulable;
      await soak.cluster.api.update<Node>("nodes", { ...node, spec: { ...node.spec, unschedulable } });
      return `${unschedulable ? "cordon" : "uncordon"} ${node.metadata.name}`;
    },
  },
  {
    weight: 3,
    run: async (soak, random) => {
      const index = random.pick([...soak.nodes]) ?? 0;
      const power = random.pick(["stopped", "frozen", "isolated", "running", "running"] as const) ?? "running";
      soak.cluster.setNodePower(nodeSpec(index).name, power);
      return `${power} ${nodeSpec(index).name}`;
    },
  },
  {
    weight: 4,
    run: async (soak, random) => {
      const { name: called } = nodeSpec(random.pick([...soak.nodes]) ?? 0);
      const trouble = random.pick(NODE_TROUBLES) ?? {};
      soak.cluster.setNodeTroubles({ [called]: trouble });
      return `${JSON.stringify(trouble)} ${called}`;
    },
  },
  {
    weight: 4,
    run: async (soak, random) => {
      const pod = random.pick(soak.cluster.api.list<Pod>("pods").filter(isOurs));
      if (!pod) return undefined;
      const { namespace, name: called } = pod.metadata;
      const how = random.pick(["crash", "oom", "crash-loop", "not-ready"] as const) ?? "crash";
      if (how === "crash" || how === "oom") soak.cluster.breakDown({ namespace, name: called }, how);
      else soak.cluster.setPodTroubles({ [`${namespace}/${called}`]: how });
      return `${how} ${namespace}/${called}`;
    },
  },
  {
    weight: 2,
    run: async (soak, random) => {
      const index = random.pick([...soak.nodes]) ?? 0;
      const graceful = random.integer(0, 1) === 0;
      await soak.replaceNode(index, { graceful });
      return `replace ${nodeSpec(index).name} ${graceful ? "in order" : "at once"}`;
    },
  },
  {
    weight: 2,
    run: (soak, random) => {
      const [namespace, app] = [random.pick(NAMESPACES), name(random, "old")];
      return create(soak, "replicationcontrollers", {
        metadata: { name: app, namespace },
        spec: { replicas: random.integer(0, 3), selector: { app }, template: template(app, "old:1") },
      });
    },
  },
  {
    weight: 1,
    run: (soak, random) => {
      const annotations = { "eksim.dev/behaviour": JSON.stringify({ runForSeconds: 200, exitCode: 0 }) };
      return create(soak, "cronjobs.batch", {
        metadata: { name: name(random, "cron"), namespace: random.pick(NAMESPACES) },
        spec: {
          schedule: "*/2 * * * *",
          concurrencyPolicy: random.pick(["Allow", "Forbid", "Replace"]),
          jobTemplate: {
            spec: { backoffLimit: 0, template: template("cron", "busybox", { restartPolicy: "Never" }, annotations) },
          },
        },
      });
    },
  },
];

async function remove(soak: SoakCluster, random: Random, resource: string): Promise<string | undefined> {
  const object = random.pick(soak.cluster.api.list(resource).filter(isOurs));
  if (!object) return undefined;
  const { namespace, name: called } = object.metadata;
  const propagationPolicy =
    resource === "pods"
      ? undefined
      : (random.pick(["Background", "Background", "Foreground"] as const) ?? "Background");
  await soak.cluster.api.delete(resource, { namespace, name: called }, { propagationPolicy });
  return `delete ${resource} ${namespace}/${called} ${propagationPolicy ?? ""}`;
}

/** Evicts a pod, and holds the budget to what it promises: a ready pod only goes when enough others are ready. */
async function evict(soak: SoakCluster, random: Random): Promise<string | undefined> {
  const { api } = soak.cluster;
  const pod = random.pick(api.list<Pod>("pods").filter(isOurs));
  if (!pod) return undefined;
  const { namespace, name: called, labels = {} } = pod.metadata;
  const budgets = api
    .list<PodDisruptionBudget>("poddisruptionbudgets.policy", { namespace })
    .filter(({ spec }) => spec?.selector?.matchLabels?.app === labels.app);
  const wasReady = isPodReady(pod) && !pod.metadata.deletionTimestamp;
  try {
    await api.create("pods", { metadata: { namespace, name: called } } as KubeObject, { subresource: "eviction" });
  } catch (error) {
    if (isStatusError(error, "TooManyRequests")) return `eviction of ${called} refused`;
    throw error;
  }
  const left = api
    .list<Pod>("pods", { namespace, labelSelector: `app=${labels.app}` })
    .filter((other) => isPodReady(other) && !other.metadata.deletionTimestamp).length;
  for (const { metadata, spec } of budgets) {
    const least = Number(spec?.minAvailable ?? 0);
    if (wasReady && left < least) throw new Error(`budget ${metadata.name} let ${called} go: ${left} of ${least} left`);
  }
  return `evict ${namespace}/${called}`;
}

const NODE_TROUBLES: readonly NodeTrouble[] = [
  { pressures: ["MemoryPressure"] },
  { pressures: ["DiskPressure", "PIDPressure"] },
  { diskFull: true },
  { unpullable: ["*"] },
  { clockSkewMs: 240_000 },
  { clockSkewMs: -3_600_000, unauthorized: true },
];

const TOTAL = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);

/** One random operation; refusals that a user would meet as well (it exists already, the quota is used up) are no faults. */
export async function operate(soak: SoakCluster, random: Random): Promise<string | undefined> {
  let at = random.integer(0, TOTAL - 1);
  const operation = OPERATIONS.find(({ weight }) => {
    at -= weight;
    return at < 0;
  });
  try {
    return await operation?.run(soak, random);
  } catch (error) {
    for (const reason of ["AlreadyExists", "Forbidden", "NotFound", "Conflict"])
      if (isStatusError(error, reason)) return undefined;
    throw error;
  }
}

/** A namespace in which a Deployment asks for more than its quota has, all the time. */
export const CROWDED = { namespace: "crowded", pods: 5 };

export async function crowd(soak: SoakCluster): Promise<void> {
  const { namespace, pods } = CROWDED;
  await soak.cluster.api.create("namespaces", { metadata: { name: namespace } });
  await create(soak, "resourcequotas", { metadata: { name: "pods", namespace }, spec: { hard: { pods: `${pods}` } } });
  await create(soak, "deployments.apps", {
    metadata: { name: "greedy", namespace },
    spec: { replicas: pods + 3, selector: { matchLabels: { app: "greedy" } }, template: template("greedy", "web:1") },
  });
}

/** Power on, uncordoned and well, everywhere: after a while everything must be as asked for. */
export async function calm(soak: SoakCluster): Promise<void> {
  soak.cluster.setNodeTroubles({});
  soak.cluster.setPodTroubles({});
  for (const index of soak.nodes) soak.cluster.setNodePower(nodeSpec(index).name, "running");
  for (const node of soak.cluster.api.list<Node>("nodes")) {
    if (node.spec?.unschedulable)
      await soak.cluster.api.update<Node>("nodes", { ...node, spec: { ...node.spec, unschedulable: undefined } });
  }
}

/** Without what comes and goes by itself: jobs, and those who start them. */
export async function standStill(soak: SoakCluster): Promise<void> {
  const { api } = soak.cluster;
  for (const resource of ["cronjobs.batch", "jobs.batch"]) {
    for (const { metadata } of api.list(resource)) {
      const { namespace, name: called } = metadata;
      await api.delete(resource, { namespace, name: called }, { propagationPolicy: "Background" });
    }
    await soak.minutes(2);
  }
}
