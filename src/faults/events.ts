/** What the event log is told of faults: their beginning, their end, and nothing in between. */
import type { FaultDefinition } from "../domain/faults/index.js";
import { durationText } from "../domain/faults/index.js";
import type { EventRecord, FaultPhase, FaultRecord } from "../domain/model.js";
import type { RowsContext } from "./rows.js";

export function tellStart(context: RowsContext, fault: FaultRecord, definition: FaultDefinition): void {
  append(context, fault, definition, definition.events?.started ?? "FaultStarted", definition.started(fault));
}

export function tellSchedule(context: RowsContext, fault: FaultRecord, definition: FaultDefinition): void {
  const inTime = durationText(fault.startedAtMs - context.nowMs);
  append(context, fault, definition, "FaultScheduled", `The fault ${fault.kind} begins in ${inTime}.`);
}

/** It ended before it had begun, for the reason in its record. */
export function tellRefusal(context: RowsContext, fault: FaultRecord): void {
  append(context, fault, undefined, "FaultSkipped", `The fault ${fault.kind} has not begun: ${fault.reason}`);
}

export function tellEnd(
  context: RowsContext,
  fault: FaultRecord,
  definition: FaultDefinition | undefined,
  before: FaultPhase,
): void {
  const hasBegun = before === "active" && definition?.ended;
  const type = (hasBegun && definition?.events?.ended) || "FaultEnded";
  const message = hasBegun
    ? hasBegun(fault)
    : before === "scheduled"
      ? `The fault ${fault.kind} is called off.`
      : `The fault ${fault.kind} has ended.`;
  append(context, fault, definition, type, message);
}

function append(
  { state, nowMs }: RowsContext,
  fault: FaultRecord,
  definition: FaultDefinition | undefined,
  type: string,
  message: string,
): void {
  const { accountId, region, clusterName, id, kind, targets } = fault;
  const zone = fault.zone ?? onlyZone(fault);
  const isOfZone = definition?.family === "zone";
  const nodes = targets.nodes?.map(({ name }) => name);
  const pods = targets.pods?.map(({ namespace, name }) => `${namespace}/${name}`);
  const event: Omit<EventRecord, "sequence"> = {
    atMs: nowMs,
    accountId,
    region,
    ...(clusterName ? { clusterName } : {}),
    source: isOfZone ? "zone" : "fault",
    type,
    subject: subjectOf(fault, isOfZone),
    ...(zone ? { zone } : {}),
    message,
    detail: {
      faultId: id,
      kind,
      ...(nodes && nodes.length > 0 ? { nodes } : {}),
      ...(pods && pods.length > 0 ? { pods } : {}),
      ...(targets.masters ? { masters: targets.masters.map((master) => master.id) } : {}),
    },
  };
  state.events.append(event);
}

/** The zone that everything it is aimed at stands in. */
function onlyZone({ targets }: FaultRecord): string | undefined {
  const [first, ...others] = new Set(targets.nodes?.map(({ zone }) => zone));
  return others.length === 0 ? first : undefined;
}

/** The one thing that it happens to; the fault itself when that is several. */
function subjectOf({ zone, id, targets, target }: FaultRecord, isOfZone: boolean): string {
  if (isOfZone && zone) return zone;
  const things = [
    ...(targets.nodes ?? []).map(({ instanceId, name }) => instanceId ?? name),
    ...(targets.pods ?? []).map(({ namespace, name }) => `${namespace}/${name}`),
    ...(targets.masters ?? []).map((master) => master.id),
  ];
  const [only, ...others] = things;
  if (only !== undefined && others.length === 0) return only;
  return things.length === 0 ? (target.nodegroup ?? target.cluster ?? id) : id;
}
