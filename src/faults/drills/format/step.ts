/** Steps as a drill's file writes them: a mapping whose one key says what is done. Adding a step is adding an entry here, and one where it is carried out. */
import type { OperationsOf } from "../../../domain/faults/index.js";
import type { FaultRequest } from "../../../domain/faults/request.js";
import type { Step, StepName } from "../drill.js";
import { stepTitle } from "../titles.js";
import { checkFault, takesCluster } from "./check-fault.js";
import {
  duration,
  durationAsWritten,
  entries,
  flag,
  integer,
  json,
  jsonObject,
  list,
  object,
  oneOf,
  optional,
  pattern,
  required,
  type Spot,
  text,
  texts,
  unknownKey,
  word,
  wrong,
} from "./fields.js";
import { manifests, type ReadFile } from "./manifests.js";
import {
  COMMAND_FIELDS,
  COMMAND_LIMIT_MS,
  clusterAt,
  inCluster,
  type Naming,
  present,
  probe,
  workloadAt,
} from "./probe.js";

/** What the reader of a file knows beside what stands in it. */
export interface Surroundings extends Naming {
  readFile: ReadFile;
  /** Region that names of zones are of. */
  region: string;
  operationsOf: OperationsOf;
  /** Ids of all steps, with what each does. */
  steps: ReadonlyMap<string, string>;
  /** Ids that have been read so far. */
  taken: Set<string>;
}

type Doing = Step extends infer S ? (S extends Step ? Omit<S, "title" | "id"> : never) : never;
type ReadStep = (spot: Spot, around: Surroundings, all: readonly { key: string; value: Spot }[]) => Doing | undefined;

const WAIT_LIMIT_MS = 600_000;

const path = pattern(/^\/\S*$/, "a path such as /clusters/demo");
const method = oneOf(["GET", "POST", "PUT", "PATCH", "DELETE"]);
const status = integer(100, 599);

const target = {
  zone: optional(text),
  cluster: optional(text),
  nodegroup: optional(text),
  nodes: optional(list(text, { nonEmpty: true })),
  labels: optional(texts),
  namespace: optional(text),
  pods: optional(list(text, { nonEmpty: true })),
  podLabels: optional(texts),
  count: optional(integer(1)),
  percent: optional(integer(1, 100)),
};

/** Keys that stand beside `fault`. */
const FAULT_FIELDS = {
  target: optional((spot: Spot) => object(spot, target)),
  parameters: optional(jsonObject),
  duration: optional(durationAsWritten),
  delay: optional(durationAsWritten),
  seed: optional(integer(0, 4_294_967_295)),
  emptyTargets: optional(oneOf(["fail", "skip"])),
};

const LABELS = {
  name: optional(text),
  id: optional(pattern(/^[\w.-]+$/, "an id of letters, digits, dots and dashes")),
};

const STEPS: Readonly<Record<string, { read: ReadStep; beside?: readonly string[] }>> = {
  fault: {
    beside: Object.keys(FAULT_FIELDS),
    read: (spot, { clusters, region, operationsOf }, all) => {
      const fault = text(spot);
      const values = fieldsOf(spot, all, FAULT_FIELDS);
      if (fault === undefined || !values) return undefined;
      const aim = present(values.target ?? {});
      // A drill breaks what it is about, and nothing else that may run in the same emulator.
      const only = clusters.length === 1 && takesCluster(fault) ? { cluster: clusters[0] } : {};
      const request = present({ fault, ...values, target: { ...only, ...aim } }) as FaultRequest;
      const complaint = checkFault(request, { region, operationsOf });
      return complaint === undefined ? { step: "fault", fault: request } : wrong(spot, complaint);
    },
  },
  stopFault: {
    read: (spot, around) => {
      const of = text(spot);
      if (of === "all") return { step: "stopFault" };
      return of !== undefined && stepNamed(spot, of, around, "fault") ? { step: "stopFault", of } : undefined;
    },
  },
  wait: {
    read: (spot) => {
      const ms = duration(spot);
      return ms === undefined ? undefined : { step: "wait", ms };
    },
  },
  waitUntil: {
    beside: ["within"],
    read: (spot, around, all) => {
      const of = probe(spot, around);
      const values = fieldsOf(spot, all, { within: optional(duration) });
      return of && values ? { step: "waitUntil", probe: of, withinMs: values.within ?? WAIT_LIMIT_MS } : undefined;
    },
  },
  eks: {
    read: (spot) => {
      const values = object(spot, {
        method: required(method),
        path: required(path),
        body: optional(json),
        status: optional(status),
      });
      return values && ({ step: "eks", ...present(values) } as Doing);
    },
  },
  kubernetes: {
    read: (spot, around) => {
      const values = object(spot, {
        cluster: optional(text),
        method: required(method),
        path: required(path),
        body: optional(json),
        contentType: optional(text),
        status: optional(status),
      });
      const cluster = values && clusterAt(spot, values.cluster, around);
      return cluster ? ({ step: "kubernetes", ...present({ ...values, cluster }) } as Doing) : undefined;
    },
  },
  apply: {
    beside: ["cluster"],
    read: (spot, around, all) => {
      const objects = manifests(around.readFile)(spot);
      const cluster = clusterBeside(spot, around, all);
      return objects && cluster ? { step: "apply", cluster, manifests: objects } : undefined;
    },
  },
  delete: {
    beside: ["cluster"],
    read: (spot, around, all) => {
      const objects = manifests(around.readFile)(spot);
      const cluster = clusterBeside(spot, around, all);
      return objects && cluster ? { step: "delete", cluster, objects } : undefined;
    },
  },
  scale: { read: readScale },
  upgrade: { read: readUpgrade },
  zonalShift: {
    read: (spot, around) => {
      const values = object(spot, {
        cluster: optional(text),
        awayFrom: required(text),
        expiresIn: optional(durationAsWritten),
        comment: optional(text),
      });
      const cluster = values && clusterAt(spot, values.cluster, around);
      if (!cluster) return undefined;
      const { awayFrom, expiresIn = "24h", comment = "a drill" } = values;
      return { step: "zonalShift", cluster, awayFrom, expiresIn, comment };
    },
  },
  cancelZonalShift: {
    read: (spot, around) => {
      const of = text(spot);
      return of !== undefined && stepNamed(spot, of, around, "zonalShift")
        ? { step: "cancelZonalShift", of }
        : undefined;
    },
  },
  command: {
    read: (spot) => {
      const { contains: _none, ...fields } = COMMAND_FIELDS;
      const values = object(spot, fields);
      if (!values) return undefined;
      const { run, exitCode = 0, timeout = COMMAND_LIMIT_MS } = values;
      return { step: "command", command: run, exitCode, timeoutMs: timeout };
    },
  },
};

function readScale(spot: Spot, around: Surroundings): Doing | undefined {
  const values = inCluster(spot, around, {
    namespace: optional(text),
    deployment: optional(text),
    statefulSet: optional(text),
    replicas: optional(integer(0)),
    nodegroup: optional(text),
    minSize: optional(integer(0)),
    desiredSize: optional(integer(0)),
    maxSize: optional(integer(1)),
  });
  if (!values) return undefined;
  const { cluster, nodegroup, minSize, desiredSize, maxSize, replicas, namespace = "default" } = values;
  if (nodegroup !== undefined) {
    const scalingConfig = present({ minSize, desiredSize, maxSize });
    if (Object.keys(scalingConfig).length === 0)
      return wrong(spot, "give at least one of minSize, desiredSize, maxSize");
    if (replicas !== undefined || values.deployment !== undefined || values.statefulSet !== undefined)
      return wrong(spot, "name either a node group or a workload");
    return { step: "scaleNodegroup", cluster, nodegroup, scalingConfig };
  }
  const workload = workloadAt(spot, values);
  if (workload === undefined) return undefined;
  if (replicas === undefined) return wrong(spot, "replicas is missing");
  return { step: "scale", cluster, namespace, workload, replicas };
}

function readUpgrade(spot: Spot, around: Surroundings): Doing | undefined {
  const values = inCluster(spot, around, {
    nodegroup: optional(text),
    version: optional(word),
    releaseVersion: optional(text),
    force: optional(flag),
  });
  if (!values) return undefined;
  const { cluster, nodegroup, version, releaseVersion, force } = values;
  if (nodegroup !== undefined)
    return { step: "upgradeNodegroup", cluster, nodegroup, input: present({ version, releaseVersion, force }) };
  if (version === undefined)
    return wrong(spot, 'version is missing: give the version that the cluster gets, such as "1.36"');
  if (releaseVersion !== undefined) return wrong(spot, "releaseVersion is of node groups; name one with `nodegroup`");
  return { step: "upgradeCluster", cluster, version, force: force ?? false };
}

/** Whether a step, of a kind where one is wanted, has the id; told when none has. */
export function stepNamed(spot: Spot, id: string, { steps }: Pick<Surroundings, "steps">, kind?: string): boolean {
  const known = [...steps].filter(([, step]) => kind === undefined || step === kind).map(([name]) => name);
  if (known.includes(id)) return true;
  wrong(
    spot,
    `no ${kind === undefined ? "" : `${kind} `}step has the id ${id}; there is ${known.join(", ") || "none"}`,
  );
  return false;
}

type Beside = readonly { key: string; value: Spot }[];

/** Values that stand beside the key of the step. */
function fieldsOf<F extends Parameters<typeof object>[1]>(
  spot: Spot,
  all: Beside,
  fields: F,
): ReturnType<typeof object<F>> {
  const values: Record<string, unknown> = {};
  let ok = true;
  for (const [name, field] of Object.entries(fields)) {
    const found = all.find(({ key }) => key === name);
    if (found) {
      values[name] = field.read(found.value);
      if (values[name] === undefined) ok = false;
    } else if (field.required) {
      wrong(spot, `${name} is missing`);
      ok = false;
    }
  }
  return ok ? (values as ReturnType<typeof object<F>>) : undefined;
}

function clusterBeside(spot: Spot, around: Surroundings, all: Beside): string | undefined {
  const named = all.find(({ key }) => key === "cluster")?.value;
  const name = named && text(named);
  return named && name === undefined ? undefined : clusterAt(named ?? spot, name, around);
}

export const STEP_NAMES = Object.keys(STEPS);

/** One step of a list. */
export function step(spot: Spot, around: Surroundings): Step | undefined {
  const all = entries(spot);
  if (!all) return undefined;
  const named = all.filter(({ key }) => Object.hasOwn(STEPS, key));
  const [only, second] = named;
  const at = (value: Spot): Spot => ({ ...value, node: undefined, path: spot.path });
  if (second && only)
    return wrong(at(second.value), `does two things, ${only.key} and ${second.key}; make it two steps`);
  const kind = only && STEPS[only.key];
  const known = [...Object.keys(LABELS), ...(kind ? (kind.beside ?? []) : STEP_NAMES)];
  const stranger = all.find(({ key }) => key !== only?.key && !known.includes(key));
  if (stranger) return wrong(at(stranger.value), unknownKey(stranger.key, known));
  if (!only || !kind) return wrong(spot, `does nothing; give one of ${STEP_NAMES.join(", ")}`);
  const labels = fieldsOf(spot, all, LABELS);
  if (labels?.id !== undefined) {
    if (around.taken.has(labels.id)) return wrong(spot, `another step has the id ${labels.id} already`);
    around.taken.add(labels.id);
  }
  const doing = kind.read(only.value, around, all);
  if (!doing || !labels) return undefined;
  return { ...doing, title: labels.name ?? stepTitle(doing), ...(labels.id ? { id: labels.id } : {}) } as Step;
}

export type { StepName };
