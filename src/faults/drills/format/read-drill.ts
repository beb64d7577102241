/** Reads a drill's file. Everything that is wrong with it is told at once, with line and column. */
import { LineCounter, parseDocument } from "yaml";
import { region } from "../../../domain/catalogue/index.js";
import type { OperationsOf } from "../../../domain/faults/index.js";
import type { CleanUp, ClusterSetup, Drill, Expectation, NamedProbe, Recovery, WorkloadChoice } from "../drill.js";
import { probeTitle } from "../titles.js";
import {
  duration,
  entries,
  flag,
  integer,
  isMapping,
  jsonObject,
  list,
  object,
  oneOf,
  optional,
  type Problem,
  pattern,
  type Read,
  required,
  type Source,
  type Spot,
  text,
  word,
  wrong,
} from "./fields.js";
import { manifests, type ReadFile } from "./manifests.js";
import { amount, clusterAt, type Naming, present, probe, workloadAt } from "./probe.js";
import { STEP_NAMES, type Surroundings, step, stepNamed } from "./step.js";

const API_VERSION = "eksim.dev/v1";

/** A file that is no drill. The message has a line for each problem: `az.yaml:12:5: steps[2].wait: ...`. */
export class DrillFileError extends Error {
  readonly exitCode = 2;
  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
  ) {
    const lines = problems.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
    super(lines.length === 1 ? (lines[0] ?? "") : [`${file} is no drill`, ...lines].join("\n"));
    this.name = "DrillFileError";
  }
}

export interface ReadDrillOptions {
  /** For error messages. */
  file: string;
  /** Of files that the drill names, by their paths as it writes them. */
  readFile: ReadFile;
  /** Region that the drill takes place in, unless its file says another. */
  region?: string;
  /** Names of operations in faults are held against these. */
  operationsOf: OperationsOf;
}

/** Throws DrillFileError. */
export function readDrill(
  content: string,
  { file, readFile, region: fallback = DEFAULT_REGION, operationsOf }: ReadDrillOptions,
): Drill {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const source: Source = { document, lines, problems: [] };
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    source.problems.push({ line, column: col, message: error.message });
  }
  const spot: Spot = { source, node: document.contents, path: "", offset: 0 };
  const drill =
    source.problems.length === 0
      ? readRoot(spot, { readFile, operationsOf, region: regionOf(document) ?? fallback })
      : undefined;
  if (drill && source.problems.length === 0) return drill;
  const problems = source.problems.sort((a, b) => a.line - b.line || a.column - b.column);
  throw new DrillFileError(file, problems);
}

/** What the file says of itself: names of zones are checked by it. */
function regionOf(document: { getIn(path: string[]): unknown }): string | undefined {
  const region = document.getIn(["options", "region"]);
  return typeof region === "string" ? region : undefined;
}

const DEFAULT_REGION = "us-east-1";
const DNS_LABEL = pattern(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "a name of lower-case letters, digits and dashes");
/** EKS's own rule for names of clusters. */
const CLUSTER_NAME = pattern(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, "a name that a cluster can have");
const STEADY_LIMIT_MS = 900_000;
const RECOVERY_LIMIT_MS = 3_600_000;

type Outside = Pick<Surroundings, "readFile" | "region" | "operationsOf">;

function readRoot(spot: Spot, outside: Outside): Drill | undefined {
  if (!isMapping(spot))
    return wrong(
      spot,
      "a drill is a mapping with apiVersion, kind, metadata, setup and steps; `eksim drill show` prints one",
    );
  // What is a cluster has to be known before anything that names one.
  const clusters = entries(spot)
    ?.filter(({ key }) => key === "setup")
    .flatMap(({ value }) => namedClusters(value));
  const around: Surroundings = { ...outside, clusters: clusters ?? [], steps: stepIds(spot), taken: new Set() };
  const steps: Read<Drill["steps"]> = list((at) => step(at, around));
  const values = object(spot, {
    apiVersion: required(oneOf([API_VERSION])),
    kind: required(oneOf(["Drill"])),
    metadata: required((at: Spot) => object(at, { name: required(DNS_LABEL), description: optional(text) })),
    seed: optional(integer(0, 4_294_967_295)),
    options: optional(options),
    setup: required((at: Spot) =>
      object(at, { clusters: required(list((one) => cluster(one, outside), { nonEmpty: true })) }),
    ),
    workloads: optional(list((at) => workload(at, around))),
    steadyState: optional((at: Spot) => checks(at, around, STEADY_LIMIT_MS)),
    steps: required(steps),
    expectations: optional(list((at) => expectation(at, around))),
    recovery: optional((at: Spot) => checks(at, around, RECOVERY_LIMIT_MS) as Recovery | undefined),
    cleanUp: optional((at: Spot) => cleanUp(at, steps)),
  });
  if (!values) return undefined;
  const { metadata, setup, workloads = [], expectations = [], seed, steadyState, recovery } = values;
  const drill: Drill = {
    ...(metadata as { name: string }),
    ...(metadata.description ? { description: metadata.description.trim() } : {}),
    ...present({ seed, steadyState, recovery }),
    options: values.options ?? { clock: "stepped", profile: "instant" },
    clusters: setup.clusters,
    workloads,
    steps: values.steps,
    expectations,
    cleanUp: values.cleanUp ?? { deleteClusters: true, steps: [] },
  };
  return drill;
}

function namedClusters(setup: Spot): string[] {
  const all = (setup.node as { toJS?: (document: unknown) => unknown } | undefined)?.toJS?.(setup.source.document);
  const listed = (all as { clusters?: unknown } | null)?.clusters;
  return Array.isArray(listed)
    ? listed.flatMap((one) => (typeof one?.name === "string" ? [one.name as string] : []))
    : [];
}

/** Ids of all steps, with what each does. */
function stepIds(root: Spot): Map<string, string> {
  const all = (root.node as { toJS?: (document: unknown) => unknown } | undefined)?.toJS?.(root.source.document);
  const { steps, cleanUp } = (all ?? {}) as { steps?: unknown; cleanUp?: { steps?: unknown } | null };
  const listed = [steps, cleanUp?.steps].flatMap((one) => (Array.isArray(one) ? (one as unknown[]) : []));
  return new Map(
    listed.flatMap((one) => {
      const { id, ...rest } = (one ?? {}) as { id?: unknown };
      const kind = STEP_NAMES.find((name) => name in rest);
      return typeof id === "string" && kind !== undefined ? [[id, kind] as const] : [];
    }),
  );
}

const clockKind = pattern(/^(stepped|real|scaled:\d+(\.\d+)?)$/, "a clock: stepped, real or scaled:<n>");

const options: Read<Drill["options"]> = (spot) => {
  const values = object(spot, {
    clock: optional(clockKind),
    clockStart: optional(pattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "a time such as 2026-01-01T00:00:00Z")),
    profile: optional(oneOf(["instant", "aws"])),
    backend: optional(oneOf(["embedded", "kind"])),
    region: optional((at: Spot) => {
      const name = text(at);
      return name === undefined || region(name) ? name : wrong(at, `there is no region ${name}`);
    }),
  });
  if (!values) return undefined;
  const { clock = values.backend === "kind" ? "real" : "stepped", profile = "instant", ...rest } = values;
  if (values.backend === "kind" && clock === "stepped")
    return wrong(spot, "kind takes a clock that runs: leave `clock` out, or give scaled:<n>");
  if (clock === "real" && values.clockStart !== undefined)
    return wrong(spot, "clockStart goes with a stepped or scaled clock");
  return { clock, profile, ...present(rest) };
};

/** A resource of a cluster: its name, and the members of the request that makes it. */
const named = (): Read<{ name: string; input: Record<string, unknown> }> => (spot) => {
  const values = object(spot, { name: required(text), input: optional(jsonObject) });
  return values && { name: values.name, input: values.input ?? {} };
};

function cluster(spot: Spot, { readFile }: Outside): ClusterSetup | undefined {
  const values = object(spot, {
    name: required(CLUSTER_NAME),
    use: optional(flag),
    input: optional(jsonObject),
    nodegroups: optional(list(named())),
    fargateProfiles: optional(list(named())),
    addons: optional(list(named())),
    manifests: optional(manifests(readFile)),
  });
  if (!values) return undefined;
  const { name, use = false, input = {}, nodegroups = [], fargateProfiles = [], addons = [] } = values;
  if (use && Object.keys(input).length > 0)
    return wrong(
      spot,
      `cluster ${name} is used as it is (use: true): input would be passed over; leave one of the two out`,
    );
  return { name, use, input, nodegroups, fargateProfiles, addons, manifests: values.manifests ?? [] };
}

function workload(spot: Spot, naming: Naming): WorkloadChoice | undefined {
  const values = object(spot, {
    cluster: optional(text),
    namespace: optional(text),
    deployment: optional(text),
    statefulSet: optional(text),
    daemonSet: optional(text),
    minimum: optional(amount),
  });
  const of = values && workloadAt(spot, values);
  const on = values && clusterAt(spot, values.cluster, naming);
  if (!of || !on) return undefined;
  const { namespace = "default", minimum } = values;
  return { cluster: on, namespace, ...of, ...(minimum ? { minimum } : {}) };
}

function namedProbe(spot: Spot, naming: Naming): NamedProbe | undefined {
  const name = entries(spot)?.find(({ key }) => key === "name");
  const title = name && text(name.value);
  const of = probe(spot, naming, ["name"]);
  return of && (!name || title !== undefined) ? { title: title ?? probeTitle(of), probe: of } : undefined;
}

/** Probes that all have to be met within a time: a list of them, or a mapping with `within` and `probes`. */
function checks(
  spot: Spot,
  naming: Naming,
  limitMs: number,
): { withinMs: number; probes: readonly NamedProbe[] } | undefined {
  const probes = list((at: Spot) => namedProbe(at, naming));
  if (!isMapping(spot)) {
    const all = probes(spot);
    return all && { withinMs: limitMs, probes: all };
  }
  const values = object(spot, { within: optional(duration), probes: optional(probes) });
  return values && { withinMs: values.within ?? limitMs, probes: values.probes ?? [] };
}

const EXPECTATION_FIELDS = {
  name: optional(text),
  within: optional(duration),
  holdsFor: optional(duration),
  happensWithin: optional(duration),
  always: optional(flag),
  never: optional(flag),
  after: optional(word),
};

function expectation(spot: Spot, naming: Surroundings): Expectation | undefined {
  const all = entries(spot);
  if (!all) return undefined;
  const read = Object.entries(EXPECTATION_FIELDS).map(([name, field]) => {
    const found = all.find(({ key }) => key === name);
    return [name, found && (field.read as Read<unknown>)(found.value), found] as const;
  });
  const of = probe(spot, naming, Object.keys(EXPECTATION_FIELDS));
  if (!of || read.some(([, value, found]) => found && value === undefined)) return undefined;
  const { name, within, holdsFor, happensWithin, always, never, after } = Object.fromEntries(read) as {
    name?: string;
    within?: number;
    holdsFor?: number;
    happensWithin?: number;
    always?: boolean;
    never?: boolean;
    after?: string;
  };
  const afterSpot = all.find(({ key }) => key === "after")?.value;
  if (after !== undefined && afterSpot && !stepNamed(afterSpot, after, naming)) return undefined;
  const timed = within !== undefined || holdsFor !== undefined;
  const happens = happensWithin !== undefined;
  if ([timed, happens, always === true, never === true].filter(Boolean).length > 1)
    return wrong(spot, "within and holdsFor, happensWithin, always, and never do not go together; give one of them");
  const mode = always ? "always" : never ? "never" : happens ? "happens" : timed ? "within" : "finally";
  if (mode === "finally" && after !== undefined)
    return wrong(spot, "after says when a clock starts: it goes with within, holdsFor, happensWithin, always or never");
  return {
    title: name ?? probeTitle(of),
    probe: of,
    mode,
    withinMs: within ?? happensWithin ?? 0,
    holdsForMs: holdsFor ?? 0,
    ...(after === undefined ? {} : { after }),
  };
}

function cleanUp(spot: Spot, steps: Read<Drill["steps"]>): CleanUp | undefined {
  const values = object(spot, { deleteClusters: optional(flag), steps: optional(steps) });
  return values && { deleteClusters: values.deleteClusters ?? true, steps: values.steps ?? [] };
}
