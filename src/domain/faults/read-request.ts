/** Checks a fault as it is asked for, whoever asks: what is wrong with it is said before anything is looked up, and names what there is. */
import { findZone, zonesOf } from "../catalogue/index.js";
import { DomainError } from "../errors.js";
import { faultNamed } from "./catalogue.js";
import type { FaultDefinition, OperationsOf } from "./definition.js";
import { durationText, type ReadDuration, readParameters } from "./parameters.js";
import type { FaultRequest } from "./request.js";
import type { FaultTarget, FaultTargetMember } from "./target.js";

/** A request that makes sense by itself. */
export interface ReadRequest {
  definition: FaultDefinition;
  /** The zone by its name. */
  target: FaultTarget;
  parameters: Record<string, unknown>;
  delayMs: number;
  /** From its beginning to its end; absent: it is ended by request, or happens once. */
  durationMs?: number;
  seed?: number;
  emptyTargets: "fail" | "skip";
}

const MEMBERS: readonly (keyof FaultRequest)[] = [
  "fault",
  "target",
  "parameters",
  "duration",
  "delay",
  "seed",
  "emptyTargets",
];

/** Thirty days: longer outages are ended by hand. In milliseconds. */
const LONGEST_MS = 30 * 86_400_000;
const MAX_MASTERS = 3;
const MAX_SEED = 2 ** 31 - 1;

/** What reading a request needs to know of the world. */
export interface RequestReaders {
  region: string;
  readDuration: ReadDuration;
  operationsOf: OperationsOf;
}

/** Throws InvalidParameterException. `request` may be anything that JSON can say. */
export function readRequest(request: unknown, { region, readDuration, operationsOf }: RequestReaders): ReadRequest {
  if (!isObject(request)) throw invalid("A fault is asked for by an object with the member `fault`.");
  checkKnown("A fault", request, MEMBERS);
  if (typeof request.fault !== "string") throw invalid("Name the fault: the member `fault` is missing.");
  const definition = faultNamed(request.fault);
  const target = readTarget(definition, request.target ?? {}, region);
  const given = request.parameters ?? {};
  if (!isObject(given)) throw invalid(`The parameters of ${definition.name} must be an object.`);
  const parameters = readParameters(definition.name, definition.parameters, given, { region, readDuration });
  const problem = definition.problem?.(parameters, target, operationsOf);
  if (problem !== undefined) throw invalid(`${definition.name}: ${problem}`);
  const { seed, emptyTargets = "fail" } = request;
  if (seed !== undefined && !(Number.isInteger(seed) && Number(seed) >= 0 && Number(seed) <= MAX_SEED))
    throw invalid(`The seed must be a whole number from 0 to ${MAX_SEED}, not ${JSON.stringify(seed)}.`);
  if (emptyTargets !== "fail" && emptyTargets !== "skip")
    throw invalid(`emptyTargets must be fail or skip, not ${JSON.stringify(emptyTargets)}.`);
  const durationMs = readEnd(definition, parameters, request.duration, readDuration);
  return {
    definition,
    target,
    parameters,
    delayMs: request.delay === undefined ? 0 : readTime("delay", request.delay, readDuration),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    emptyTargets,
  };
}

function readEnd(
  { name, lasts, endsAfterMs }: FaultDefinition,
  parameters: Readonly<Record<string, unknown>>,
  duration: unknown,
  readDuration: ReadDuration,
): number | undefined {
  if (duration === undefined) return endsAfterMs?.(parameters);
  if (!lasts) throw invalid(`${name} happens once: it takes no duration.`);
  if (endsAfterMs)
    throw invalid(`${name} ends by itself after ${durationText(endsAfterMs(parameters))}: it takes no duration.`);
  const ms = readTime("duration", duration, readDuration);
  if (ms === 0) throw invalid("The duration must be longer than 0s.");
  return ms;
}

function readTime(what: string, raw: unknown, readDuration: ReadDuration): number {
  const ms = typeof raw === "string" ? readDuration(raw) : undefined;
  if (ms === undefined)
    throw invalid(`The ${what} must be a duration such as 90s, 45m or 1h30m, not ${JSON.stringify(raw)}.`);
  if (ms > LONGEST_MS) throw invalid(`The ${what} must be at most ${durationText(LONGEST_MS)}.`);
  return ms;
}

const TARGET_MEMBERS: readonly FaultTargetMember[] = [
  "zone",
  "cluster",
  "nodegroup",
  "nodes",
  "labels",
  "namespace",
  "pods",
  "podLabels",
  "count",
  "percent",
];

/** Checks the selector against what the fault goes by. */
export function readTarget({ name, target: wanted }: FaultDefinition, raw: unknown, region: string): FaultTarget {
  if (!isObject(raw)) throw invalid(`The target of ${name} must be an object.`);
  checkKnown("A target", raw, TARGET_MEMBERS);
  const given = TARGET_MEMBERS.filter((member) => raw[member] !== undefined);
  const meaningless = given.filter((member) => !wanted.takes.includes(member));
  if (meaningless.length > 0) {
    const takes = wanted.takes.length > 0 ? `It goes by: ${wanted.takes.join(", ")}.` : "It takes no target.";
    throw invalid(`${meaningless.join(" and ")} mean${meaningless.length > 1 ? "" : "s"} nothing to ${name}. ${takes}`);
  }
  if (wanted.needs && !wanted.needs.some((member) => raw[member] !== undefined))
    throw invalid(`${name} needs a target: give ${oneOf(wanted.needs)}.`);
  const target: FaultTarget = {
    ...(raw.zone === undefined ? {} : { zone: readZone(raw.zone, region) }),
    ...texts(raw, ["cluster", "nodegroup", "namespace"]),
    ...lists(raw, ["nodes", "pods"]),
    ...labels(raw, ["labels", "podLabels"]),
    ...numbers(raw, wanted.masters === undefined ? Number.MAX_SAFE_INTEGER : MAX_MASTERS),
  };
  if (target.count !== undefined && target.percent !== undefined)
    throw invalid("count and percent contradict each other: give one of them.");
  if (target.nodegroup !== undefined && target.cluster === undefined)
    throw invalid("A node group is named within its cluster: give cluster too.");
  if (target.pods !== undefined && target.namespace === undefined)
    throw invalid("Pods are named within their namespace: give namespace too.");
  return target;
}

function readZone(raw: unknown, region: string): string {
  const zone = typeof raw === "string" ? findZone(region, raw) : undefined;
  if (zone) return zone.name;
  const known = zonesOf(region).map(({ name, id }) => `${name} (${id})`);
  throw invalid(
    `There is no zone ${typeof raw === "string" ? raw : JSON.stringify(raw)} in ${region}. Zones: ${known.join(", ")}.`,
  );
}

function texts<M extends FaultTargetMember>(raw: Given, members: readonly M[]): { [member in M]?: string } {
  return read(raw, members, (value) => (typeof value === "string" && value !== "" ? value : undefined), "a name");
}

function lists<M extends FaultTargetMember>(raw: Given, members: readonly M[]): { [member in M]?: string[] } {
  const isName = (item: unknown): item is string => typeof item === "string" && item !== "";
  const names = (value: unknown): string[] | undefined =>
    Array.isArray(value) && value.length > 0 && value.every(isName) ? [...new Set(value)] : undefined;
  return read(raw, members, names, "a list of names");
}

function labels<M extends FaultTargetMember>(
  raw: Given,
  members: readonly M[],
): { [member in M]?: Record<string, string> } {
  const pairs = (value: unknown): Record<string, string> | undefined =>
    isObject(value) && Object.keys(value).length > 0 && Object.values(value).every((each) => typeof each === "string")
      ? (value as Record<string, string>)
      : undefined;
  return read(raw, members, pairs, "an object of label keys and values");
}

function numbers(raw: Given, maxCount: number): { count?: number; percent?: number } {
  const within = (most: number) => (value: unknown) =>
    typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most ? value : undefined;
  return {
    ...read(raw, ["count"], within(maxCount), maxCount === MAX_MASTERS ? "1, 2 or 3" : "a whole number from 1 on"),
    ...read(raw, ["percent"], within(100), "a whole number from 1 to 100"),
  };
}

type Given = Readonly<Record<string, unknown>>;

function read<M extends string, T>(
  raw: Given,
  members: readonly M[],
  readOne: (value: unknown) => T | undefined,
  what: string,
): { [member in M]?: T } {
  const found: { [member in M]?: T } = {};
  for (const member of members) {
    if (raw[member] === undefined) continue;
    const value = readOne(raw[member]);
    if (value === undefined)
      throw invalid(`${member} of a target must be ${what}, not ${JSON.stringify(raw[member])}.`);
    found[member] = value;
  }
  return found;
}

function checkKnown(what: string, given: Given, known: readonly string[]): void {
  const unknown = Object.keys(given).find((member) => !known.includes(member));
  if (unknown !== undefined) throw invalid(`${what} has no member ${unknown}. Members: ${known.join(", ")}.`);
}

const isObject = (value: unknown): value is Given =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const oneOf = (members: readonly string[]): string =>
  members.length === 1 ? String(members[0]) : `one of ${members.join(", ")}`;

const invalid = (message: string): DomainError => new DomainError("InvalidParameterException", message);
