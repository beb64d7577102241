/** Subscriptions of EKS Anywhere: a contract for a term of one or three years, with licences for so many clusters. */
import type { Scope } from "./model.js";

export type SubscriptionStatus = "CREATING" | "ACTIVE" | "UPDATING" | "EXPIRING" | "EXPIRED" | "DELETING";

export interface SubscriptionRecord extends Scope {
  id: string;
  arn: string;
  name: string;
  createdAtMs: number;
  /** When the term that is running began. */
  effectiveAtMs: number;
  /** When it ends; on that day it is renewed or expires. */
  expiresAtMs: number;
  status: SubscriptionStatus;
  /** When the status was changed last, for those that pass by themselves. */
  statusSinceMs: number;
  term: { duration: 12 | 36; unit: "MONTHS" };
  licenseQuantity: number;
  licenseType: "Cluster";
  autoRenew: boolean;
  licenses: { id: string; token: string }[];
  licenseArns: string[];
  tags: Record<string, string>;
}

/** A subscription that will not be renewed is EXPIRING in its last 30 days: EKS names the status and no figure. */
const EXPIRING_FOR_MS = 30 * 86_400_000;

/** The same day of the month, so many months later; the last day of shorter months. */
export function addMonths(fromMs: number, months: number): number {
  const from = new Date(fromMs);
  const to = new Date(fromMs);
  to.setUTCMonth(from.getUTCMonth() + months);
  if (to.getUTCDate() !== from.getUTCDate()) to.setUTCDate(0);
  return to.getTime();
}

/** What becomes of a subscription as time goes by. */
export interface SubscriptionStep {
  next: SubscriptionRecord;
  /** Type of the event that tells of it. */
  event: "SubscriptionActive" | "SubscriptionExpiring" | "SubscriptionRenewed" | "SubscriptionExpired";
}

/** When the subscription will next change by itself; undefined when it never will. `settleMs`: how long CREATING and UPDATING last. */
export function nextChangeMs(
  subscription: SubscriptionRecord,
  settleMs: { CREATING: number; UPDATING: number },
): number | undefined {
  const { status, statusSinceMs, expiresAtMs, autoRenew } = subscription;
  switch (status) {
    case "CREATING":
    case "UPDATING":
      return statusSinceMs + settleMs[status];
    case "ACTIVE":
      return autoRenew ? expiresAtMs : expiresAtMs - EXPIRING_FOR_MS;
    case "EXPIRING":
      return expiresAtMs;
    default:
      return undefined;
  }
}

/** The change that is due by `nextChangeMs`, taken at `atMs`. */
export function stepOf(subscription: SubscriptionRecord, atMs: number): SubscriptionStep {
  const to = (status: SubscriptionStatus, changes: Partial<SubscriptionRecord> = {}): SubscriptionRecord => ({
    ...subscription,
    ...changes,
    status,
    statusSinceMs: atMs,
  });
  const { status, autoRenew, expiresAtMs, term } = subscription;
  if (status === "CREATING" || status === "UPDATING") return { next: to("ACTIVE"), event: "SubscriptionActive" };
  if (autoRenew) {
    const renewed = { effectiveAtMs: expiresAtMs, expiresAtMs: addMonths(expiresAtMs, term.duration) };
    return { next: to("ACTIVE", renewed), event: "SubscriptionRenewed" };
  }
  if (atMs >= expiresAtMs) return { next: to("EXPIRED"), event: "SubscriptionExpired" };
  return { next: to("EXPIRING"), event: "SubscriptionExpiring" };
}
