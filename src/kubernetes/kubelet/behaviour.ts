import { hash32 } from "../../clock/random.js";
import type { BehaviourProgram, ExecAnswer, HttpAnswer, ImageBehaviour } from "../image-behaviour.js";
import { isQuantity } from "../registry/quantity.js";
import type { Container, Pod } from "../schema/generated/types.js";
import { commandOf } from "./entrypoint.js";
import type { ImageProgram } from "./image-programs.js";
import { isKnownProgram } from "./known-programs.js";
import { toBytes } from "./machine/files.js";
import type { HttpRequest, HttpResponse } from "./machine/network.js";
import { isLasting, type Role } from "./pod-runtime.js";

/**
 * How a container behaves: from its command, and from the pod's annotation, which can program it. The annotation holds a JSON object for all app
 * containers of the pod; its member `containers` may say otherwise for single ones, init containers included, by name.
 */
const BEHAVIOUR_ANNOTATION = "eksim.dev/behaviour";

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
  http:
    | ((port: number, request: HttpRequest, pod: Pod) => HttpResponse | Promise<HttpResponse> | undefined)
    | undefined;
  /** Answers to commands that somebody runs in it; undefined: they are run by the machine. */
  exec: ((argv: readonly string[]) => ExecAnswer | undefined) | undefined;
  ports: readonly number[] | undefined;
  /** What the image brings along. */
  image: ImageProgram;
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

function parseObject(text: string): { value: Record<string, unknown> } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `not JSON: ${(error as Error).message}` };
  }
  return isObject(value) ? { value } : { problem: "not a JSON object" };
}

/** Reads one program that stands in JSON; `extra` are members that are not part of it. */
export function parseProgram(
  text: string,
  extra: readonly string[] = [],
): { program: Record<string, unknown> } | { problem: string } {
  const read = parseObject(text);
  if ("problem" in read) return read;
  const { value } = read;
  const rest = Object.fromEntries(Object.entries(value).filter(([key]) => !extra.includes(key)));
  const problem = problemWith(rest, "");
  return problem ? { problem } : { program: value };
}

function parseAnnotation(text: string): Parsed {
  const read = parseObject(text);
  if ("problem" in read) return read;
  const { value } = read;
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

const asBytes = (body: string | Uint8Array | undefined): string =>
  body === undefined ? "" : typeof body === "string" ? toBytes(body) : Buffer.from(body).toString("latin1");

function responseOf(answer: HttpAnswer | string | number): HttpResponse {
  if (typeof answer === "number") return { status: answer, body: "" };
  if (typeof answer === "string") return { status: 200, body: toBytes(answer) };
  return { status: answer.status ?? 200, headers: answer.headers, body: asBytes(answer.body) };
}

function httpOf(answers: NonNullable<ImageBehaviour["http"]>): NonNullable<Behaviour["http"]> {
  if (typeof answers === "function")
    return (port, { method, path, headers, body }, { metadata }) => {
      const pod = { namespace: metadata.namespace ?? "", name: metadata.name };
      const answer = answers(port, { method, path, headers, body: Buffer.from(body, "latin1"), pod });
      if (answer === undefined) return undefined;
      return answer instanceof Promise ? answer.then(responseOf) : responseOf(answer);
    };
  return (port, { path }) => {
    const plain = path.replace(/[?#].*$/, "");
    const answer =
      answers[`${port}${path}`] ?? answers[`${port}${plain}`] ?? answers[path] ?? answers[plain] ?? answers["*"];
    return answer === undefined ? { status: 404, body: "404 page not found\n" } : responseOf(answer);
  };
}

const execAnswer = (answer: ExecAnswer | string | number | undefined): ExecAnswer | undefined => {
  if (typeof answer === "number") return { exitCode: answer };
  return typeof answer === "string" ? { stdout: answer } : answer;
};

function execOf(answers: NonNullable<ImageBehaviour["exec"]>): NonNullable<Behaviour["exec"]> {
  if (typeof answers === "function") return (argv) => execAnswer(answers(argv));
  return (argv) => {
    const line = argv.join(" ");
    const key = Object.keys(answers)
      .filter((prefix) => prefix !== "*" && line.startsWith(prefix))
      .sort((a, b) => b.length - a.length)[0];
    return execAnswer(answers[key ?? "*"]);
  };
}

/** How a container of a role behaves. */
export type BehaviourOf = (pod: Pod, container: Container, role: Role) => Behaviour;

/** What is known of images: what they bring along, and how somebody says that they behave. The annotation of a pod goes before it. */
export interface Images {
  program(image: string): ImageProgram;
  behaviour(image: string): ImageBehaviour | undefined;
}

function programOf(pod: Pod, container: Container, role: Role, images: Images): ImageBehaviour {
  const result = annotationOf(pod);
  const annotation = result && "annotation" in result ? result.annotation : undefined;
  const ofImage = images.behaviour(container.image ?? "");
  if (!annotation && !ofImage) return NOTHING;
  return { ...ofImage, ...(role === "app" ? annotation : {}), ...annotation?.containers?.[container.name] };
}

const NOTHING: ImageBehaviour = {};

export function behaviourOf(pod: Pod, container: Container, role: Role, images: Images): Behaviour {
  const program = programOf(pod, container, role, images);
  const image = images.program(container.image ?? "");
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
    image,
  };
}

/** How long the containers of a pod in a crash loop run, ms: drawn from their names, so that every run of one is alike. */
const CRASH_MS = { min: 500, spread: 2_500 };

/** The same, but what serves in the pod exits with 1 soon after each start. */
export const crashing =
  (behaviourOf: BehaviourOf): BehaviourOf =>
  (pod, container, role) => {
    const behaviour = behaviourOf(pod, container, role);
    if (!isLasting(role)) return behaviour;
    const runForMs = CRASH_MS.min + (hash32(`${pod.metadata.uid}/${container.name}/crash`) % CRASH_MS.spread);
    return { ...behaviour, runsProgram: false, runForMs, exitCode: 1, oomKilled: false, terminationMessage: undefined };
  };

function hasKnownCommand(container: Container, image: ImageProgram): boolean {
  const argv = commandOf(container, image);
  return argv.length > 0 && isKnownProgram(argv, image);
}
