/** What AWS and the control plane did about the faults, as marks on a timeline: launches, terminations, masters lost and replaced, repairs. */
import type { EventRecord } from "../../../domain/model.js";

export type MarkKind = "launch" | "in-service" | "termination" | "impaired" | "repair" | "master-lost" | "master-back";

/** Which events are marks. Those of nodes are none: the curve of ready nodes shows them. */
const KINDS: Readonly<Record<string, MarkKind>> = {
  InstanceLaunched: "launch",
  InstanceStarted: "launch",
  InstanceInService: "in-service",
  InstanceImpaired: "impaired",
  InstanceKilled: "impaired",
  InstanceTerminated: "termination",
  NodeRepairStarted: "repair",
  MasterFailed: "master-lost",
  MasterReplaced: "master-back",
  MasterReady: "master-back",
};

/** What each kind is called: of one, and of several. */
export const MARK_NAMES: Readonly<Record<MarkKind, readonly [one: string, several: string]>> = {
  launch: ["instance launched", "instances launched"],
  "in-service": ["instance in service", "instances in service"],
  termination: ["instance terminated", "instances terminated"],
  impaired: ["instance lost", "instances lost"],
  repair: ["node repair begun", "node repairs begun"],
  "master-lost": ["master lost", "masters lost"],
  "master-back": ["master replaced or back", "masters replaced or back"],
};

/** Kinds that take something away; the others bring something. */
export const LOSSES: readonly MarkKind[] = ["impaired", "termination", "master-lost"];

export interface Mark {
  kind: MarkKind;
  atMs: number;
  zone?: string;
  /** The events behind it, oldest first. */
  events: readonly EventRecord[];
}

export const markText = ({ kind, events }: Pick<Mark, "kind" | "events">): string =>
  events.length === 1 ? `1 ${MARK_NAMES[kind][0]}` : `${events.length} ${MARK_NAMES[kind][1]}`;

/**
 * Marks of a cluster's events, oldest first. Events of one kind and zone within `togetherMs` after the first of them are one mark: ten instances launched at
 * once are one thing to whoever reads.
 */
export function marksOf(events: readonly EventRecord[], togetherMs: number): Mark[] {
  const marks: (Mark & { events: EventRecord[] })[] = [];
  const open = new Map<string, (typeof marks)[number]>();
  for (const event of events) {
    const kind = KINDS[event.type];
    if (kind === undefined) continue;
    const key = `${kind} ${event.zone ?? ""}`;
    const last = open.get(key);
    if (last && event.atMs - last.atMs <= togetherMs) {
      last.events.push(event);
      continue;
    }
    const mark = { kind, atMs: event.atMs, ...(event.zone === undefined ? {} : { zone: event.zone }), events: [event] };
    open.set(key, mark);
    marks.push(mark);
  }
  return marks;
}
