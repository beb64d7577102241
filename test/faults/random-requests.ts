/** Faults as chance has them: every entry of the catalogue, aimed in every way that it can be, with whatever its parameters allow. */
import type { Random } from "../../src/clock/random.js";
import { zonesOf } from "../../src/domain/catalogue/index.js";
import { FAULTS, type FaultDefinition, type Parameter } from "../../src/domain/faults/index.js";
import { CLUSTER_ISSUES, NODEGROUP_ISSUES } from "../../src/domain/faults/issue-codes.js";
import type { FaultRequest, FaultTarget } from "../../src/testkit/index.js";
import { CLUSTER, ZONES } from "../reconcile/drill.js";

/** What there is that can be named. */
export interface Present {
  nodegroups: readonly string[];
  /** Names of nodes and ids of their instances. */
  nodes: readonly string[];
  /** Of the namespace default. */
  pods: readonly string[];
  /** Values of the label `app` in the namespace default. */
  apps: readonly string[];
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  images: ["*", "nginx", "registry.k8s.io/*"],
  operations: ["*", "DescribeCluster", "ListNodegroups"],
  services: ["eks", "eks-auth", "iam", "sts"],
  webhooks: ["*", "vpc-resource-*"],
  instanceTypes: ["t3.medium", "m5.large"],
  resourceIds: ["sg-1", "subnet-a"],
  reason: ["SeenInTheField"],
  message: ["it has been seen in the field"],
};
const DURATIONS: readonly [string, number][] = [
  ["200ms", 200],
  ["1s", 1_000],
  ["10s", 10_000],
  ["30s", 30_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
];

const some = <T>(random: Random, items: readonly T[]): T[] =>
  random.shuffle(items).slice(0, random.integer(1, items.length));

function anyValue(random: Random, name: string, parameter: Parameter): unknown {
  const { type, values, min, max = Number.POSITIVE_INFINITY } = parameter;
  switch (type) {
    case "choice":
      return random.pick(values ?? []);
    case "zone":
      return random.pick(ZONES);
    case "percent":
      return random.integer(min ?? 1, Math.min(max, 100));
    case "duration": {
      const text = random.pick(DURATIONS.filter(([, ms]) => ms <= max))?.[0] ?? "1s";
      return min !== undefined && min < 0 && random.integer(0, 1) === 0 ? `-${text}` : text;
    }
    case "list":
      return some(random, WORDS[name] ?? values ?? []);
    case "text":
      return random.pick(WORDS[name] ?? []);
    default:
      throw new Error(`chance knows no value for ${name}, a parameter of type ${type}`);
  }
}

/** A zone by its name or its id. */
const zoneNamed = (random: Random): string => {
  const zone = random.pick(ZONES) as string;
  return random.integer(0, 2) > 0 ? zone : (zonesOf("us-east-1").find(({ name }) => name === zone)?.id ?? zone);
};

function targetOf(
  random: Random,
  { target: { takes, needs = [], type } }: FaultDefinition,
  present: Present,
): FaultTarget {
  const may = (member: keyof FaultTarget, oneIn: number): boolean =>
    takes.includes(member) && ((needs.length === 1 && needs[0] === member) || random.integer(1, oneIn) === 1);
  const aim: { -readonly [member in keyof FaultTarget]: FaultTarget[member] } = {};
  if (may("zone", 2)) aim.zone = zoneNamed(random);
  // One cluster is all there is: named or not, it is meant.
  if (may("cluster", 2)) aim.cluster = CLUSTER;
  if (may("nodegroup", 3)) Object.assign(aim, { cluster: CLUSTER, nodegroup: random.pick(present.nodegroups) });
  if (may("labels", 6))
    aim.labels = random.pick<Record<string, string>>([
      { "eks.amazonaws.com/capacityType": "SPOT" },
      { "eks.amazonaws.com/nodegroup": random.pick(present.nodegroups) ?? "", "kubernetes.io/os": "linux" },
      { "topology.kubernetes.io/zone": random.pick(ZONES) ?? "" },
    ]);
  if (may("nodes", 6) && present.nodes.length > 0) aim.nodes = some(random, present.nodes).slice(0, 3);
  if (may("namespace", 1)) aim.namespace = random.integer(0, 9) === 0 ? "kube-system" : "default";
  if (aim.namespace === "default" && may("podLabels", 2)) aim.podLabels = { app: random.pick(present.apps) ?? "" };
  else if (aim.namespace === "default" && may("pods", 3) && present.pods.length > 0)
    aim.pods = some(random, present.pods).slice(0, 2);
  const isNarrowed = aim.nodes !== undefined || aim.pods !== undefined;
  if (!isNarrowed && may("percent", 2)) aim.percent = random.integer(1, 60);
  else if (!isNarrowed && may("count", 3)) aim.count = random.integer(1, type === "master" ? 3 : 4);
  if (needs.length > 0 && !needs.some((member) => aim[member] !== undefined)) aim.cluster = CLUSTER;
  return aim;
}

function parametersOf(random: Random, definition: FaultDefinition, target: FaultTarget): Record<string, unknown> {
  const parameters: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(definition.parameters)) {
    if (!parameter.required && random.integer(0, 2) === 0) continue;
    const value = anyValue(random, name, parameter);
    if (value !== undefined) parameters[name] = value;
  }
  if (definition.name === "zone-link-impairment") parameters.latency ??= "1s";
  // Operations are named of services that have them.
  if (parameters.operations && parameters.services) parameters.services = ["eks", "iam"];
  // Those of clusters and of node groups differ.
  if (definition.name === "health-issue")
    parameters.code = random.pick(target.nodegroup ? NODEGROUP_ISSUES : CLUSTER_ISSUES);
  return parameters;
}

function requestOf(random: Random, definition: FaultDefinition, present: Present): FaultRequest {
  const target = targetOf(random, definition, present);
  return {
    fault: definition.name,
    target,
    parameters: parametersOf(random, definition, target),
    seed: random.integer(0, 1_000_000),
    emptyTargets: "skip",
    ...(definition.lasts && !definition.endsAfterMs && random.integer(0, 3) > 0
      ? { duration: `${random.integer(1, 30)}m` }
      : {}),
    ...(random.integer(0, 4) === 0 ? { delay: `${random.integer(1, 10)}m` } : {}),
  };
}

/** What befalls the cluster next: one fault, or the same in two zones at once. */
export function randomRequests(random: Random, present: Present): FaultRequest[] {
  const definition = random.pick(FAULTS) as FaultDefinition;
  const request = requestOf(random, definition, present);
  const { zone } = request.target ?? {};
  if (definition.family !== "zone" || zone === undefined || random.integer(0, 4) > 0) return [request];
  const other = random.pick(
    zonesOf("us-east-1").filter(({ name, id }) => isOurs(name) && name !== zone && id !== zone),
  );
  return [request, { ...request, target: { ...request.target, zone: other?.name } }];
}

const isOurs = (zone: string): boolean => (ZONES as readonly string[]).includes(zone);
