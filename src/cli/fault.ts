/** `eksim fault`: breaks things by name from the catalogue, and mends them. */
import { formatSeconds } from "../clock/clock.js";
import { UsageError } from "../config.js";
import { DomainError } from "../domain/errors.js";
import {
  type CatalogueEntry,
  catalogueEntries,
  durationText,
  type FaultView,
  faultNamed,
  isLong,
  type Parameter,
} from "../domain/faults/index.js";
import { call, targetOf } from "./client.js";
import { renderTable } from "./table.js";

interface TargetOptions {
  endpoint?: string;
  region?: string;
}

export interface StartOptions extends TargetOptions {
  zone?: string;
  cluster?: string;
  nodegroup?: string;
  node?: string[];
  label?: string[];
  namespace?: string;
  pod?: string[];
  podLabel?: string[];
  count?: string;
  percent?: string;
  duration?: string;
  delay?: string;
  seed?: string;
  emptyTargets?: string;
  set?: string[];
}

/** `eksim fault list`. What there is to break is known without an emulator. */
export async function listFaults(
  options: TargetOptions & { all?: boolean; catalogue?: boolean; fault?: string },
): Promise<void> {
  if (options.fault !== undefined) {
    const name = knownName(options.fault);
    console.log(
      catalogueEntries()
        .filter((entry) => entry.name === name)
        .map(describeWhole)
        .join("\n"),
    );
    return;
  }
  if (options.catalogue) {
    console.log(catalogueEntries().map(describe).join("\n\n"));
    return;
  }
  const { faults } = await call<{ faults: FaultView[] }>(targetOf(options), "GET", "faults", {
    all: options.all ? "true" : undefined,
  });
  if (faults.length === 0) {
    const { region } = targetOf(options);
    console.log(
      options.all
        ? `No fault has been started in ${region}. What can be: eksim fault list --catalogue`
        : `No fault is on or scheduled in ${region}. What can be started: eksim fault list --catalogue`,
    );
    return;
  }
  const time = (ms: number | undefined): string => (ms === undefined ? "" : formatSeconds(ms));
  const rows = faults.map((fault) => [
    fault.id,
    fault.fault,
    fault.phase,
    time(fault.startedAtMs),
    time(fault.endedAtMs ?? fault.endsAtMs),
    fault.reason ? `${fault.title} (${fault.reason})` : fault.title,
  ]);
  console.log(renderTable(["ID", "FAULT", "PHASE", "BEGINS", "ENDS", "WHAT"], rows));
}

/** Throws UsageError that names those that are like it, or all. */
function knownName(name: string): string {
  try {
    return faultNamed(name).name;
  } catch (error) {
    throw error instanceof DomainError ? new UsageError(error.message, { cause: error }) : error;
  }
}

/** `eksim fault start <name>`. */
export async function startFault(name: string, options: StartOptions): Promise<void> {
  const target = targetOf(options, options.zone);
  const { region } = target;
  const fault = await call<FaultView>(target, "POST", "faults", {}, requestOf(name, options));
  console.log(outcome(fault, region === targetOf({}).region ? "" : ` --region ${region}`));
}

/** `eksim fault stop <id>`. */
export async function stopFault(id: string, options: TargetOptions): Promise<void> {
  const fault = await call<FaultView>(targetOf(options), "DELETE", `faults/${encodeURIComponent(id)}`);
  console.log(
    fault.wasOver
      ? `The fault ${fault.id} (${fault.fault}) had ended already, at ${formatSeconds(fault.endedAtMs ?? 0)}.`
      : `The fault ${fault.id} (${fault.fault}) has ended.`,
  );
}

/** `eksim fault stop-all`. */
export async function stopAllFaults(options: TargetOptions): Promise<void> {
  const { faults } = await call<{ faults: FaultView[] }>(targetOf(options), "DELETE", "faults");
  if (faults.length === 0) console.log(`No fault was on in ${targetOf(options).region}.`);
  for (const fault of faults) console.log(`The fault ${fault.id} (${fault.fault}) has ended.`);
}

/** `where`: the flag that leads to the fault's region, where it is not the one that commands mean by themselves. */
function outcome(view: FaultView, where: string): string {
  const { id, phase, title, hits, likewise = [], fault, startedAtMs, endsAtMs, reason } = view;
  if (reason !== undefined) return `The fault ${fault} has not begun: ${reason}`;
  if (phase === "ended") return title;
  const stop = `eksim fault stop ${id}${where}`;
  if (phase === "scheduled")
    return `The fault ${fault} begins at ${formatSeconds(startedAtMs)}. Call it off with: ${stop}`;
  const same = likewise.length > 0 ? `${likewise.join(", ")} did the same already, and ends by itself.` : undefined;
  const told = [title, hits, same].filter((sentence) => sentence !== undefined).join(" ");
  return endsAtMs === undefined
    ? `${told} End it with: ${stop}`
    : `${told} It ends by itself at ${formatSeconds(endsAtMs)}, or with: ${stop}`;
}

/** What was typed, as the emulator takes it; what it means is checked there. */
export function requestOf(name: string, options: StartOptions): Record<string, unknown> {
  const target = present({
    zone: options.zone,
    cluster: options.cluster,
    nodegroup: options.nodegroup,
    nodes: options.node,
    labels: options.label && pairs("--label", options.label),
    namespace: options.namespace,
    pods: options.pod,
    podLabels: options.podLabel && pairs("--pod-label", options.podLabel),
    count: options.count === undefined ? undefined : numeral("--count", options.count),
    percent: options.percent === undefined ? undefined : numeral("--percent", options.percent.replace(/%$/, "")),
  });
  return present({
    fault: name,
    target,
    parameters: options.set && pairs("--set", options.set),
    duration: options.duration,
    delay: options.delay,
    seed: options.seed === undefined ? undefined : numeral("--seed", options.seed),
    emptyTargets: options.emptyTargets,
  });
}

const present = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

function pairs(flag: string, texts: readonly string[]): Record<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`${flag} takes key=value, not ${JSON.stringify(text)}`);
    const key = text.slice(0, at);
    if (found.has(key)) throw new UsageError(`${flag} ${key} is given more than once`);
    found.set(key, text.slice(at + 1));
  }
  return Object.fromEntries(found);
}

function numeral(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`${flag} takes a whole number, not ${JSON.stringify(text)}`);
}

/** Flag of each member of a target, as `start` has it. */
const FLAGS: Readonly<Record<string, string>> = {
  nodes: "--node",
  labels: "--label",
  pods: "--pod",
  podLabels: "--pod-label",
};

function describe({ name, says, target, parameters, lasts }: CatalogueEntry): string {
  const flags = (members: readonly string[]): string =>
    members.map((member) => FLAGS[member] ?? `--${member}`).join(", ");
  const aim = target.takes.length === 0 ? "The whole account." : `By ${flags(target.takes)}.`;
  const [need] = target.needs.length === 1 ? target.needs : [];
  const needed = need ? ` ${FLAGS[need] ?? `--${need}`} is needed.` : target.needs.length > 1 ? " At least one." : "";
  return [
    name,
    `  ${says}`,
    `  ${lasts ? "Lasts until it is ended, or for --duration." : "Happens once."} ${aim}${needed}`,
    ...Object.entries(parameters).map(
      ([key, parameter]) => `  --set ${key}=${placeholder(parameter)}  ${parameter.says}`,
    ),
  ].join("\n");
}

/** With every value that its parameters take. */
function describeWhole(entry: CatalogueEntry): string {
  const values = Object.entries(entry.parameters).flatMap(([key, { values: known = [] }]) =>
    isLong(known) ? [`  ${key}:`, ...known.map((value) => `    ${value}`)] : [],
  );
  return [describe(entry), ...values].join("\n");
}

function placeholder(parameter: Parameter): string {
  const { type, values, required, default: fallback, min, max } = parameter;
  const range = type === "duration" && max !== undefined ? `, up to ${durationText(max)}` : "";
  const size = type === "integer" && max !== undefined ? `, ${min ?? 0} to ${max}` : "";
  // Codes of health issues are too many for a line.
  const what = values && !isLong(values) && type === "choice" ? values.join("|") : `<${type}${range}${size}>`;
  const rest = required ? " (needed)" : fallback === undefined ? "" : ` (${[fallback].flat().join(",")})`;
  return `${what}${rest}`;
}
