import { hash32 } from "../../clock/random.js";
import type { Container, Pod } from "../schema/generated/types.js";
import { type Outcome, outcomeOf } from "./command.js";

/**
 * How a container behaves: from its command, and from the pod's annotation, which can program it. The annotation holds a JSON object for all app
 * containers of the pod; its member `containers` may say otherwise for single ones, init containers included, by name.
 */
export const BEHAVIOUR_ANNOTATION = "eksim.dev/behaviour";

export interface Behaviour extends Outcome {
  /** The application answers its probes only so long after its start, ms. */
  readyAfterMs: number;
  neverReady: boolean;
  imageMissing: boolean;
  /** How long it takes to end after SIGTERM, ms; undefined: a moment. */
  stopAfterMs: number | undefined;
}

interface Program {
  exitCode?: number;
  runForSeconds?: number;
  readyAfterSeconds?: number;
  neverReady?: boolean;
  imagePull?: "missing" | "ok";
  stopAfterSeconds?: number;
  logs?: string[];
  /** What each container uses, for the metrics API (read in metrics/usage.ts). */
  usage?: { cpu?: string; memory?: string };
}

interface Annotation extends Program {
  containers?: Record<string, Program>;
}

const isSeconds = (value: unknown): boolean => typeof value === "number" && value >= 0;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The members of a program, what each may hold, and how that reads in a message. */
const MEMBERS: Readonly<Record<keyof Program, { allows: (value: unknown) => boolean; wants: string }>> = {
  exitCode: {
    allows: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255,
    wants: "0 to 255",
  },
  runForSeconds: { allows: isSeconds, wants: "seconds" },
  readyAfterSeconds: { allows: isSeconds, wants: "seconds" },
  neverReady: { allows: (value) => typeof value === "boolean", wants: "true or false" },
  imagePull: { allows: (value) => value === "missing" || value === "ok", wants: '"missing" or "ok"' },
  stopAfterSeconds: { allows: isSeconds, wants: "seconds" },
  logs: {
    allows: (value) => Array.isArray(value) && value.every((line) => typeof line === "string"),
    wants: "a list of strings",
  },
  usage: {
    allows: (value) => isObject(value) && Object.keys(value).every((key) => key === "cpu" || key === "memory"),
    wants: 'an object with "cpu" and "memory"',
  },
};

function problemWith(program: Record<string, unknown>, path: string): string | undefined {
  for (const [key, value] of Object.entries(program)) {
    if (path === "" && key === "containers") continue;
    const member = MEMBERS[key as keyof Program];
    if (!member) return `unknown key "${path}${key}"; known are ${Object.keys(MEMBERS).join(", ")}`;
    if (!member.allows(value)) return `"${path}${key}" must be ${member.wants}`;
  }
  return undefined;
}

type Parsed = { annotation: Annotation } | { problem: string };

function parseAnnotation(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `not JSON: ${(error as Error).message}` };
  }
  if (!isObject(value)) return { problem: "not a JSON object" };
  const containers = value.containers ?? {};
  if (!isObject(containers)) return { problem: '"containers" must be an object' };
  let problem = problemWith(value, "");
  for (const [name, program] of Object.entries(containers))
    problem ??= isObject(program)
      ? problemWith(program, `containers.${name}.`)
      : `"containers.${name}" must be an object`;
  return problem ? { problem } : { annotation: value as Annotation };
}

const parsed = new Map<string, Parsed>();
const MEMO_LIMIT = 1000;

function annotationOf(pod: Pod): Parsed | undefined {
  const text = pod.metadata.annotations?.[BEHAVIOUR_ANNOTATION];
  if (text === undefined) return undefined;
  const known = parsed.get(text);
  if (known) return known;
  const result = parseAnnotation(text);
  if (parsed.size >= MEMO_LIMIT) parsed.clear();
  parsed.set(text, result);
  return result;
}

/** What is wrong with the pod's behaviour annotation, if anything. */
export function behaviourProblem(pod: Pod): string | undefined {
  const result = annotationOf(pod);
  return result && "problem" in result ? `annotation ${BEHAVIOUR_ANNOTATION}: ${result.problem}` : undefined;
}

/** How long an init container takes whose command does not tell, ms: its pod's work cannot begin before it ends, so it is not taken for a server. */
const INIT_MS = { min: 50, spread: 150 };

/** The time an init container of unknown content runs: drawn from its name and its pod's, so that a restarted process finds the same. */
const initMs = (pod: Pod, { name }: Container): number =>
  INIT_MS.min + (hash32(`${pod.metadata.uid}/${name}`) % INIT_MS.spread);

export function behaviourOf(pod: Pod, container: Container, role: "init" | "sidecar" | "app" | "ephemeral"): Behaviour {
  const outcome = outcomeOf(container);
  const result = annotationOf(pod);
  const annotation = result && "annotation" in result ? result.annotation : {};
  const program: Program = { ...(role === "app" ? annotation : {}), ...annotation.containers?.[container.name] };
  // An exit code without a time means: ends at once.
  const runForSeconds = program.runForSeconds ?? (program.exitCode === undefined ? undefined : 0);
  return {
    runForMs:
      runForSeconds === undefined
        ? (outcome.runForMs ?? (role === "init" ? initMs(pod, container) : undefined))
        : runForSeconds * 1000,
    exitCode: program.exitCode ?? (program.runForSeconds === undefined ? outcome.exitCode : 0),
    output: program.logs ?? outcome.output,
    readyAfterMs: (program.readyAfterSeconds ?? 0) * 1000,
    neverReady: program.neverReady ?? false,
    imageMissing: program.imagePull === "missing",
    stopAfterMs: program.stopAfterSeconds === undefined ? undefined : program.stopAfterSeconds * 1000,
  };
}
