import { hash32 } from "../../clock/random.js";
import { isQuantity } from "../registry/quantity.js";
import type { Container, Pod } from "../schema/generated/types.js";
import { commandOf } from "./entrypoint.js";
import { builtinImage, type ImageProgram } from "./image-programs.js";
import { isKnownProgram } from "./known-programs.js";
import { toBytes } from "./machine/files.js";
import type { HttpRequest, HttpResponse } from "./machine/network.js";
import type { Role } from "./pod-runtime.js";

/**
 * How a container behaves: from its command, and from the pod's annotation, which can program it. The annotation holds a JSON object for all app
 * containers of the pod; its member `containers` may say otherwise for single ones, init containers included, by name.
 */
export const BEHAVIOUR_ANNOTATION = "eksim.dev/behaviour";

export interface Behaviour {
  /** Its command is one that the machine runs; else it is stood in for by what follows. */
  runsProgram: boolean;
  /** Undefined: a server, which runs until it is stopped. */
  runForMs: number | undefined;
  exitCode: number;
  /** Lines on standard output. */
  output: readonly string[];
  /** The application answers its probes only so long after its start, ms. */
  readyAfterMs: number;
  neverReady: boolean;
  imageMissing: boolean;
  /** How long it takes to end after SIGTERM, ms; undefined: a moment. */
  stopAfterMs: number | undefined;
  /** Its end is one for lack of memory. */
  oomKilled: boolean;
  terminationMessage: string | undefined;
  /** Answers of its server; undefined: as the image does. */
  http: ((port: number, request: HttpRequest) => HttpResponse | Promise<HttpResponse> | undefined) | undefined;
  /** Answers to commands that somebody runs in it; undefined: they are run by the machine. */
  exec: ((argv: readonly string[]) => ExecAnswer | undefined) | undefined;
  ports: readonly number[] | undefined;
}

export interface ExecAnswer {
  exitCode?: number;
  stdout?: string;
  stderr?: string;
}

/** An answer over HTTP, programmed. */
export interface HttpAnswer {
  status?: number;
  body?: string;
  headers?: Record<string, string>;
}

/** How a container behaves, in JSON: the value of the annotation, of a ConfigMap's keys, and of the option `images` of a cluster. */
export interface BehaviourProgram {
  exitCode?: number;
  runForSeconds?: number;
  /** Ends with exit code 1 (or `exitCode`) each time it has run so long. */
  crashEverySeconds?: number;
  readyAfterSeconds?: number;
  neverReady?: boolean;
  imagePull?: "missing" | "ok";
  stopAfterSeconds?: number;
  logs?: string[];
  oomKilled?: boolean;
  terminationMessage?: string;
  /** By path, or by `<port>/path`; `*` is every other path. A text is a body, a number a status. */
  http?: Record<string, HttpAnswer | string | number>;
  /** By the beginning of a command line; `*` is every other. A text is what it prints, a number its exit code. */
  exec?: Record<string, ExecAnswer | string | number>;
  /** What each container uses, for the metrics API (read in metrics/usage.ts). */
  usage?: { cpu?: string; memory?: string };
  /** Ports it listens on beside those that the pod declares. */
  ports?: number[];
}

interface Annotation extends BehaviourProgram {
  containers?: Record<string, BehaviourProgram>;
}

const isSeconds = (value: unknown): boolean => typeof value === "number" && value >= 0;
const isAnswers = (value: unknown): boolean =>
  isObject(value) && Object.values(value).every((one) => ["string", "number"].includes(typeof one) || isObject(one));

/** The members of a program, what each may hold, and how that reads in a message. */
const MEMBERS: Readonly<Record<keyof BehaviourProgram, { allows: (value: unknown) => boolean; wants: string }>> = {
  exitCode: {
    allows: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255,
    wants: "0 to 255",
  },
  runForSeconds: { allows: isSeconds, wants: "seconds" },
  crashEverySeconds: { allows: isSeconds, wants: "seconds" },
  readyAfterSeconds: { allows: isSeconds, wants: "seconds" },
  neverReady: { allows: (value) => typeof value === "boolean", wants: "true or false" },
  imagePull: { allows: (value) => value === "missing" || value === "ok", wants: '"missing" or "ok"' },
  stopAfterSeconds: { allows: isSeconds, wants: "seconds" },
  logs: {
    allows: (value) => Array.isArray(value) && value.every((line) => typeof line === "string"),
    wants: "a list of strings",
  },
  oomKilled: { allows: (value) => typeof value === "boolean", wants: "true or false" },
  terminationMessage: { allows: (value) => typeof value === "string", wants: "a string" },
  http: { allows: isAnswers, wants: "answers by path" },
  exec: { allows: isAnswers, wants: "answers by command" },
  usage: {
    allows: (value) => isObject(value) && Object.values(value).every(isQuantity),
    wants: "quantities of cpu and memory",
  },
  ports: {
    allows: (value) =>
      Array.isArray(value) && value.every((port) => Number.isInteger(port) && port > 0 && port < 65_536),
    wants: "a list of ports",
  },
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function problemWith(program: Record<string, unknown>, path: string): string | undefined {
  for (const [key, value] of Object.entries(program)) {
    if (path === "" && key === "containers") continue;
    const member = MEMBERS[key as keyof BehaviourProgram];
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

function httpOf(answers: NonNullable<BehaviourProgram["http"]>): NonNullable<Behaviour["http"]> {
  return (port, { path }) => {
    const plain = path.replace(/[?#].*$/, "");
    const answer =
      answers[`${port}${path}`] ?? answers[`${port}${plain}`] ?? answers[path] ?? answers[plain] ?? answers["*"];
    if (answer === undefined) return { status: 404, body: "404 page not found\n" };
    if (typeof answer === "number") return { status: answer, body: "" };
    if (typeof answer === "string") return { status: 200, body: toBytes(answer) };
    return { status: answer.status ?? 200, headers: answer.headers, body: toBytes(answer.body ?? "") };
  };
}

function execOf(answers: NonNullable<BehaviourProgram["exec"]>): NonNullable<Behaviour["exec"]> {
  return (argv) => {
    const line = argv.join(" ");
    const key = Object.keys(answers)
      .filter((prefix) => prefix !== "*" && line.startsWith(prefix))
      .sort((a, b) => b.length - a.length)[0];
    const answer = answers[key ?? "*"];
    if (typeof answer === "number") return { exitCode: answer };
    return typeof answer === "string" ? { stdout: answer } : answer;
  };
}

/** How a container of a role behaves. */
export type BehaviourOf = (pod: Pod, container: Container, role: Role) => Behaviour;

/** Programs of images that somebody has given; the annotation of a pod goes before them. */
export type ImagePrograms = (image: string) => BehaviourProgram | undefined;

function programOf(pod: Pod, container: Container, role: Role, images: ImagePrograms | undefined): BehaviourProgram {
  const result = annotationOf(pod);
  const annotation = result && "annotation" in result ? result.annotation : undefined;
  const ofImage = images?.(container.image ?? "");
  if (!annotation && !ofImage) return NOTHING;
  return { ...ofImage, ...(role === "app" ? annotation : {}), ...annotation?.containers?.[container.name] };
}

const NOTHING: BehaviourProgram = {};

export function behaviourOf(pod: Pod, container: Container, role: Role, images?: ImagePrograms): Behaviour {
  const program = programOf(pod, container, role, images);
  const image = builtinImage(container.image ?? "");
  const { crashEverySeconds } = program;
  // An exit code without a time means: ends at once.
  const runForSeconds = crashEverySeconds ?? program.runForSeconds ?? (program.exitCode === undefined ? undefined : 0);
  const runsProgram = runForSeconds === undefined && !program.logs && hasKnownCommand(container, image);
  const unknownInit = role === "init" && !runsProgram && !image.http;
  return {
    runsProgram,
    runForMs: runForSeconds === undefined ? (unknownInit ? initMs(pod, container) : undefined) : runForSeconds * 1000,
    exitCode: program.exitCode ?? (crashEverySeconds === undefined ? 0 : 1),
    output: program.logs ?? image.startLog ?? [],
    readyAfterMs: (program.readyAfterSeconds ?? 0) * 1000,
    neverReady: program.neverReady ?? false,
    imageMissing: program.imagePull === "missing",
    stopAfterMs: program.stopAfterSeconds === undefined ? undefined : program.stopAfterSeconds * 1000,
    oomKilled: program.oomKilled ?? false,
    terminationMessage: program.terminationMessage,
    http: program.http && httpOf(program.http),
    exec: program.exec && execOf(program.exec),
    ports: program.ports,
  };
}

function hasKnownCommand(container: Container, image: ImageProgram): boolean {
  const argv = commandOf(container, image);
  return argv.length > 0 && isKnownProgram(argv, image);
}
