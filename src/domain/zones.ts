/**
 * Where things stand: which zone a subnet is in, how instances are spread over zones, and which one goes first when there are too many. The rules are
 * those of EC2 Auto Scaling: equal counts a zone, poorer zones first, the richest zone gives up an instance first.
 */
import { type Zone, zonesOf } from "./catalogue/index.js";

/** Clusters have three masters, one a zone, and subnets nobody knows go to the same three. */
const ZONES_USED = 3;

/** The zones that clusters of a region stand in: the first three that can hold control planes. A region with two such zones uses a zone twice. */
export function clusterZones(region: string): readonly Zone[] {
  const zones = zonesOf(region).filter((zone) => zone.controlPlane);
  return Array.from({ length: zones.length === 0 ? 0 : ZONES_USED }, (_, i) => zones[i % zones.length] as Zone);
}

/**
 * Zone of each subnet. A subnet whose id ends in the letter of a zone (`subnet-a`, `subnet-private-us-east-1b`) does not get that zone by its name:
 * nobody knows these subnets, so they are dealt out over the region's first three zones in the order in which they first appear.
 */
export function zonesOfSubnets(region: string, subnetIds: readonly string[]): ReadonlyMap<string, Zone> {
  const zones = uniqueZones(region);
  const placed = new Map<string, Zone>();
  for (const subnetId of subnetIds) {
    const zone = zones[placed.size % zones.length];
    if (zone && !placed.has(subnetId)) placed.set(subnetId, zone);
  }
  return placed;
}

function uniqueZones(region: string): readonly Zone[] {
  return [...new Set(clusterZones(region))];
}

/**
 * Zones for the next `count` instances: each goes to the healthy zone with the fewest so far; ties go to the zone that comes first. None when no zone is
 * healthy.
 */
export function placeInstances(options: {
  zones: readonly string[];
  counts: ReadonlyMap<string, number>;
  healthy: (zone: string) => boolean;
  count: number;
}): string[] {
  const candidates = options.zones
    .filter(options.healthy)
    .map((zone) => ({ zone, size: options.counts.get(zone) ?? 0 }));
  const placed: string[] = [];
  for (let i = 0; i < options.count; i++) {
    const poorest = candidates.reduce<(typeof candidates)[number] | undefined>(
      (best, entry) => (best === undefined || entry.size < best.size ? entry : best),
      undefined,
    );
    if (!poorest) break;
    poorest.size++;
    placed.push(poorest.zone);
  }
  return placed;
}

export interface Removable {
  instanceId: string;
  zone: string;
  launchedAtMs: number;
  lifecycle?: string;
  /** What its launch template had it run. */
  releaseVersion?: string;
}

const HOUR_MS = 3_600_000;

/**
 * Which `count` instances scale-in takes, by the default termination policy: always from the zone that has the most, there those of the oldest launch template,
 * then the one whose next billing hour is the closest; ties go to the older one and to the zone and id that come first, so that the choice is the same each
 * time. Those that do not serve yet go before any that does.
 */
export function chooseScaleIn<T extends Removable>(instances: readonly T[], count: number, nowMs: number): T[] {
  const byZone = new Map<string, T[]>();
  for (const instance of instances) byZone.set(instance.zone, [...(byZone.get(instance.zone) ?? []), instance]);
  const serves = (instance: T): number => (instance.lifecycle === "Pending" ? 0 : 1);
  const intoHourMs = ({ launchedAtMs }: T): number => Math.max(0, nowMs - launchedAtMs) % HOUR_MS;
  const order = (a: T, b: T): number =>
    serves(a) - serves(b) ||
    compareReleases(a.releaseVersion, b.releaseVersion) ||
    intoHourMs(b) - intoHourMs(a) ||
    a.launchedAtMs - b.launchedAtMs ||
    (a.instanceId < b.instanceId ? -1 : 1);
  const zones = [...byZone.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ofZone]) => ofZone.sort(order));
  const chosen: T[] = [];
  while (chosen.length < count) {
    const richest = zones.reduce<T[] | undefined>(
      (best, ofZone) => (ofZone.length > (best?.length ?? 0) ? ofZone : best),
      undefined,
    );
    const next = richest?.shift();
    if (!next) break;
    chosen.push(next);
  }
  return chosen;
}

/** `1.35.6-20260601` before `1.36.2-20260714`; releases that are no versions (an AMI's id) are alike. */
function compareReleases(a = "", b = ""): number {
  const [left, right] = [a, b].map((release) => (/^\d/.test(release) ? release.split(/\D+/).map(Number) : []));
  if (!left?.length || !right?.length) return 0;
  const at = left.findIndex((number, index) => number !== (right[index] ?? 0));
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
