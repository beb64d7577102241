/**
 * What becomes of masters that are lost. EKS makes them anew in their own zone, or in another one while theirs is down, and brings the set back to one a
 * zone when it can; it never does so without a quorum, because etcd's membership cannot change without one.
 */
import type { MemberRecord } from "./model.js";

export interface RepairView {
  members: readonly MemberRecord[];
  /** Zones that the cluster's masters belong in, one each. */
  homeZones: readonly string[];
  hasPower: (zone: string) => boolean;
  nowMs: number;
  /** How long a master is waited for before it is replaced. */
  lossMs: number;
}

export interface RepairDecision {
  replace?: { lostId: string; zone: string; why: "lost" | "return-to-zone" };
  /** When a master that is lost now becomes due. */
  nextCheckMs?: number;
}

/** One master at a time: the next decision is made when the replacement has joined. */
export function decideMemberRepair(view: RepairView): RepairDecision {
  const lost = view.members.filter((member) => member.status === "FAILED");
  const up = view.members.length - lost.length;
  if (up * 2 <= view.members.length) return {};
  const dueMs = (member: MemberRecord): number => (member.failedSinceMs ?? view.nowMs) + view.lossMs;
  const first = [...lost].sort((a, b) => dueMs(a) - dueMs(b))[0];
  if (first) {
    if (dueMs(first) > view.nowMs) return { nextCheckMs: dueMs(first) };
    const zone = zoneForReplacement(view, first);
    return zone === undefined ? {} : { replace: { lostId: first.id, zone, why: "lost" } };
  }
  const stranger = strangerTo(view);
  return stranger ? { replace: { ...stranger, why: "return-to-zone" } } : {};
}

/** Its own zone when that has power, else the zone with power that has the fewest masters. */
function zoneForReplacement(view: RepairView, lost: MemberRecord): string | undefined {
  if (view.hasPower(lost.zone)) return lost.zone;
  const others = view.members.filter((member) => member.id !== lost.id);
  const count = (zone: string): number => others.filter((member) => member.zone === zone).length;
  return [...new Set(view.homeZones)]
    .filter(view.hasPower)
    .reduce<string | undefined>(
      (best, zone) => (best === undefined || count(zone) < count(best) ? zone : best),
      undefined,
    );
}

/** A master that shares its zone while a home zone with power has none. */
function strangerTo(view: RepairView): { lostId: string; zone: string } | undefined {
  const wanted = (zone: string): number => view.homeZones.filter((home) => home === zone).length;
  const present = (zone: string): number => view.members.filter((member) => member.zone === zone).length;
  const empty = view.homeZones.find((zone) => view.hasPower(zone) && present(zone) < wanted(zone));
  // The one made last moves: it is the one that stands in for another.
  const extra = view.members.findLast((member) => present(member.zone) > wanted(member.zone));
  return empty !== undefined && extra ? { lostId: extra.id, zone: empty } : undefined;
}
