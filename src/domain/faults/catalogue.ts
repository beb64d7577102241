/** Every fault there is. Adding one is adding an entry to its family's file. */
import { DomainError } from "../errors.js";
import type { FaultRecord } from "../model.js";
import { didYouMean } from "../nearest.js";
import { AWS_API_FAULTS } from "./aws-api.js";
import { CONTROL_PLANE_FAULTS } from "./control-plane.js";
import type { FaultDefinition, FaultFamily } from "./definition.js";
import { NODE_FAULTS } from "./node.js";
import type { Parameters } from "./parameters.js";
import { POD_FAULTS } from "./pod.js";
import type { FaultTargetMember, TargetType } from "./target.js";
import { ZONE_FAULTS } from "./zone.js";

export const FAULTS: readonly FaultDefinition[] = [
  ...ZONE_FAULTS,
  ...NODE_FAULTS,
  ...CONTROL_PLANE_FAULTS,
  ...POD_FAULTS,
  ...AWS_API_FAULTS,
];

const byName = new Map(FAULTS.map((definition) => [definition.name, definition]));

/** Undefined for records of another version of eksim whose fault this one does not know. */
export const knownFault = ({ kind }: Pick<FaultRecord, "kind">): FaultDefinition | undefined => byName.get(kind);

/** Whether calls may be answered in one way now and in another a moment later while the fault is on, with nothing changed. */
export function answersByChance(name: string): boolean {
  const definition = byName.get(name);
  return definition?.slowsAnswers === true || "share" in (definition?.parameters ?? {});
}

/** A sentence: what it does to what; before it has begun, what it does. */
export function faultTitle(fault: FaultRecord): string {
  const definition = knownFault(fault);
  const hasBegun = fault.phase !== "scheduled" && fault.reason === undefined;
  return (hasBegun ? definition?.started(fault) : definition?.says) ?? fault.kind;
}

/** Throws InvalidParameterException that names those that are like it, or all. */
export function faultNamed(name: string): FaultDefinition {
  const definition = byName.get(name);
  if (definition) return definition;
  const names = FAULTS.map((each) => each.name);
  const hint = didYouMean(name, names);
  const rest = hint === "" ? ` Faults: ${names.join(", ")}.` : `${hint} All of them: eksim fault list --catalogue`;
  throw new DomainError("InvalidParameterException", `There is no fault ${JSON.stringify(name)}.${rest}`);
}

/** An entry as people read it. */
export interface CatalogueEntry {
  name: string;
  family: FaultFamily;
  says: string;
  target: { type: TargetType; takes: readonly FaultTargetMember[]; needs: readonly FaultTargetMember[] };
  parameters: Parameters;
  /** Whether it is on until it is ended; otherwise it happens once, and takes no duration. */
  lasts: boolean;
}

export const catalogueEntries = (): CatalogueEntry[] =>
  FAULTS.map(({ name, family, says, target, parameters, lasts }) => ({
    name,
    family,
    says,
    target: { type: target.type, takes: target.takes, needs: target.needs ?? [] },
    parameters,
    lasts,
  }));
