/**
 * Zonal shifts of Amazon Application Recovery Controller (ARC) as far as they concern a cluster: what may be asked for, and which zones are shifted away from.
 * Sources: the ARC guide (1 minute to 72 hours, one shift of a resource at a time) and the EKS user guide on zonal shift (what happens to the cluster).
 */
import { DomainError } from "./errors.js";
import type { ClusterRecord, Scope } from "./model.js";

export type ZonalShiftStatus = "ACTIVE" | "EXPIRED" | "CANCELED";

export interface ZonalShiftRecord extends Scope {
  /** A uuid. */
  id: string;
  clusterName: string;
  clusterId: string;
  /** ARN of the cluster: ARC's resource identifier. */
  resourceArn: string;
  /** Name of the zone that is shifted away from, such as `us-east-1a` ... */
  zone: string;
  /** ... and its id, which ARC goes by. */
  zoneId: string;
  comment: string;
  startedAtMs: number;
  expiresAtMs: number;
  status: ZonalShiftStatus;
  endedAtMs?: number;
  /** Names of nodes that the shift has cordoned: they take pods again when it has ended. */
  cordoned: string[];
  /** Names of nodes that were cordoned before by somebody else: they stay so. */
  leftAlone: string[];
}

/** What people ask for; `cluster` = name or ARN, `awayFrom` = name or id of a zone, `expiresIn` such as `90m` or `12h`. */
export interface ZonalShiftRequest {
  cluster: string;
  awayFrom: string;
  expiresIn: string;
  comment: string;
}

/**
 * Rejects with ResourceNotFoundException for clusters and shifts that are not there, InvalidParameterException for values that ARC does not take,
 * InvalidRequestException where the cluster has not enabled zonal shifts, ResourceInUseException where one is on already.
 */
export interface ZonalShiftControl {
  start(scope: Scope, request: ZonalShiftRequest): ZonalShiftRecord;
  /** A new end, counted from now, or another comment. */
  update(scope: Scope, id: string, changes: { expiresIn?: string; comment?: string }): ZonalShiftRecord;
  cancel(scope: Scope, id: string): ZonalShiftRecord;
  /** In order of their start; those that have ended only if asked for. */
  list(scope: Scope, filter?: { cluster?: string; ended?: boolean }): ZonalShiftRecord[];
}

const MINUTE_MS = 60_000;
const LONGEST_MS = 72 * 60 * MINUTE_MS;
const LONGEST_COMMENT = 128;

/** `90m` or `12h` in milliseconds. Throws InvalidParameterException outside of a minute to 72 hours. */
export function shiftDurationMs(expiresIn: string): number {
  const [, amount = "", unit = ""] = /^([1-9]\d*)([mh])$/.exec(expiresIn) ?? [];
  const ms = Number(amount) * (unit === "h" ? 60 * MINUTE_MS : MINUTE_MS);
  if (unit !== "" && ms <= LONGEST_MS) return ms;
  throw new DomainError(
    "InvalidParameterException",
    `expiresIn must be minutes or hours, such as 90m or 12h, from 1m to 72h; it is ${JSON.stringify(expiresIn)}`,
  );
}

/** Throws InvalidParameterException. */
export function checkComment(comment: string): void {
  if (comment.length > LONGEST_COMMENT)
    throw new DomainError("InvalidParameterException", `comment must have at most ${LONGEST_COMMENT} characters`);
}

/** Throws where the cluster cannot be shifted now. */
export function checkShiftable(cluster: ClusterRecord, present: readonly ZonalShiftRecord[]): void {
  const context = { clusterName: cluster.name };
  if (cluster.zonalShiftConfig?.enabled !== true) {
    throw new DomainError(
      "InvalidRequestException",
      `Zonal shift is not enabled for cluster ${cluster.name}; enable it first: aws eks update-cluster-config --name ${cluster.name} --zonal-shift-config enabled=true`,
      context,
    );
  }
  const active = present.find(({ status }) => status === "ACTIVE");
  if (active) {
    throw new DomainError(
      "ResourceInUseException",
      `Cluster ${cluster.name} is shifted away from ${active.zoneId} already; cancel zonal shift ${active.id} first, or give it a new end`,
      context,
    );
  }
}

/** Throws InvalidRequestException for a shift that has ended. */
export function checkActive({ id, status }: ZonalShiftRecord): void {
  if (status !== "ACTIVE")
    throw new DomainError("InvalidRequestException", `Zonal shift ${id} is not active any more: it is ${status}`);
}

/** Names of the zones that are shifted away from. */
export const shiftedZones = (shifts: readonly ZonalShiftRecord[]): string[] => [
  ...new Set(shifts.filter(({ status }) => status === "ACTIVE").map(({ zone }) => zone)),
];

/** Why an active shift has to end now; undefined while it goes on. */
export function endOf(
  { expiresAtMs, status }: ZonalShiftRecord,
  { enabled, nowMs }: { enabled: boolean; nowMs: number },
): Exclude<ZonalShiftStatus, "ACTIVE"> | undefined {
  if (status !== "ACTIVE") return undefined;
  if (nowMs >= expiresAtMs) return "EXPIRED";
  return enabled ? undefined : "CANCELED";
}

/** Label of nodes that Fargate runs: a zonal shift does not concern them. */
const COMPUTE_TYPE = "eks.amazonaws.com/compute-type";

/** A node as far as a shift looks at it. */
export interface ShiftableNode {
  name: string;
  zone?: string;
  unschedulable: boolean;
  labels?: Readonly<Record<string, string>>;
}

/** Nodes of the zone that the shift has not dealt with yet: those to cordon, and those that somebody else has cordoned. Newcomers are cordoned too. */
export function planCordon(
  { zone, cordoned, leftAlone }: Pick<ZonalShiftRecord, "zone" | "cordoned" | "leftAlone">,
  nodes: readonly ShiftableNode[],
): { cordon: string[]; leaveAlone: string[] } {
  const fresh = nodes.filter(
    (node) =>
      node.zone === zone &&
      node.labels?.[COMPUTE_TYPE] !== "fargate" &&
      !cordoned.includes(node.name) &&
      !leftAlone.includes(node.name),
  );
  const names = (unschedulable: boolean): string[] =>
    fresh.filter((node) => node.unschedulable === unschedulable).map(({ name }) => name);
  return { cordon: names(false), leaveAlone: names(true) };
}
