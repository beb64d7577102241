/** What is wrong with a cluster, brought to its machines as far as real ones can have it. The rest is refused with the reason. */
import type { Impairments, LinkEnd, LinkImpairment } from "../../domain/impairments.js";
import { BackendError } from "../backend.js";
import { setApiTrouble } from "./api-trouble.js";
import type { Held, KindContext } from "./cluster.js";
import { setConditions } from "./conditions.js";
import { POD_SUBNETS } from "./config-file.js";
import { setCrashing } from "./containers.js";
import type { Node } from "./drain.js";
import type { Container } from "./engine.js";
import { boot } from "./join.js";
import { KIND_LABELS, LABELS } from "./names.js";
import { type Delay, hasNetem, type Loss, type LostCall, type NetworkTrouble, setTrouble } from "./network.js";
import { setPressures } from "./pressures.js";
import { lostWebhooks, watchWebhooks } from "./webhooks.js";

/** A machine on kind's network. */
export interface Station {
  container: string;
  /** Of a node that is no master. */
  nodeName?: string;
  zone: string;
  role: "masters" | "machines";
  running: boolean;
  /** Its own, and those of the pods that it has. */
  addresses: readonly string[];
}

/** Parts that real machines cannot have, and why. */
export function refuseUnsupported({ nodes, pods }: Impairments): void {
  const refuse = (what: string): never => {
    throw new BackendError("unsupported", `the backend kind cannot bring about ${what}; the embedded one can`);
  };
  const unready = pods.find(({ trouble }) => trouble === "not-ready");
  if (unready) refuse(`that pod ${unready.name} is not ready: its kubelet alone asks it, and says so`);
  for (const [name, { imagePulls, ...node }] of Object.entries(nodes)) {
    const part = (["clockSkewMs", "diskFull"] as const).find((key) => node[key] !== undefined);
    if (part) refuse(`${part} of node ${name}: all nodes share the kernel, the disk and the clock of this machine`);
    const some = imagePulls?.images.find((image) => !/^\*+$/.test(image));
    if (some !== undefined)
      refuse(`imagePulls of ${some} on node ${name}: whole registries can be cut off, but not single images; take *`);
  }
}

export const NO_NETEM = "this machine's kernel has no netem, so links cannot be late; load it with: modprobe sch_netem";

/** Whether packets are to come late somewhere. */
export const isLate = ({ links }: Pick<Impairments, "links">): boolean =>
  links.some(({ latencyMs = 0, jitterMs = 0 }) => latencyMs + jitterMs > 0);

const isAt = (end: LinkEnd, { zone, role }: Station): boolean =>
  end.zone === zone && (end.of === undefined || end.of === "all" || end.of === role);

const addressesAt = (end: LinkEnd, stations: readonly Station[], but: Station): string[] =>
  stations.filter((station) => station !== but && isAt(end, station)).flatMap(({ addresses }) => addresses);

/** Whether packets get from one to the other and back. */
const isJoined = (one: Station, other: Station, links: readonly LinkImpairment[]): boolean =>
  !links.some(
    ({ cut, from, to }) =>
      cut === true && ((isAt(from, one) && isAt(to, other)) || (isAt(from, other) && isAt(to, one))),
  );

/**
 * kind's load balancer stands in no zone, so that a machine which is cut off would still reach every master through it. Whoever reaches no majority of the
 * masters by himself does not reach them through the load balancer either.
 */
function reachesMasters(station: Station, stations: readonly Station[], links: readonly LinkImpairment[]): boolean {
  const masters = stations.filter(({ role }) => role === "masters");
  const reached = masters.filter((master) => master === station || isJoined(station, master, links));
  return masters.length === 0 || reached.length * 2 > masters.length;
}

export interface Surroundings {
  /** Addresses of the load balancer. */
  balancer?: readonly string[];
  /** Ranges of all pods and Services. */
  ranges?: readonly string[];
  /** What API servers do not reach. */
  calls?: readonly LostCall[];
}

/** A machine's share: what it does not get of others, and what it sends late. A link may be within a zone. */
export function troubleOf(
  station: Station,
  stations: readonly Station[],
  { links, zonesWithoutDns, nodes = {} }: Pick<Impairments, "links" | "zonesWithoutDns"> & Partial<Impairments>,
  { balancer = [], ranges = [], calls = [] }: Surroundings = {},
): NetworkTrouble {
  const percentOf = ({ cut, lossPercent = 0 }: LinkImpairment): number => (cut ? 100 : lossPercent);
  const losses: Loss[] = links
    .filter((link) => isAt(link.to, station) && percentOf(link) > 0)
    .map((link) => ({ addresses: addressesAt(link.from, stations, station), percent: percentOf(link) }));
  const delays: Delay[] = links
    .filter(({ from, latencyMs = 0, jitterMs = 0 }) => isAt(from, station) && latencyMs + jitterMs > 0)
    .map(({ to, latencyMs = 0, jitterMs = 0 }) => ({
      addresses: addressesAt(to, stations, station),
      latencyMs,
      jitterMs,
    }));
  const meant = <T extends { addresses: readonly string[] }>(list: T[]): T[] =>
    list.filter(({ addresses }) => addresses.length > 0);
  // Pods of a machine are in the range of all pods, and nftables allows for no two that overlap.
  const reached = stations.flatMap(({ addresses }) => addresses.filter((address) => !address.includes("/")));
  if (!reachesMasters(station, stations, links)) losses.push({ addresses: balancer, percent: 100 });
  return {
    losses: meant(losses),
    delays: meant(delays),
    withoutDns: station.role === "machines" && zonesWithoutDns.includes(station.zone),
    ...(station.role === "masters" && calls.length > 0 ? { calls } : {}),
    ...(station.nodeName !== undefined && nodes[station.nodeName]?.imagePulls
      ? { reachesOnly: [...reached, ...balancer, ...ranges] }
      : {}),
  };
}

interface Network {
  stations: Station[];
  balancer: string[];
}

/** How long an API server may take to tell the nodes' ranges of pods, in milliseconds: healing a network must not wait for what it keeps from answering. */
const PATIENCE_MS = 3_000;

/** Ranges of pods by node, as they are or, while nobody answers, as they were. */
async function podRanges({ log }: KindContext, held: Held): Promise<Map<string, readonly string[]>> {
  try {
    const { items } = await held.client.request<{ items: Node[] }>("GET", "/api/v1/nodes", { timeoutMs: PATIENCE_MS });
    held.podRanges = new Map(items.map(({ metadata, spec }) => [metadata.name, spec?.podCIDRs ?? []]));
  } catch (err) {
    log.debug({ err, cluster: held.file.spec.name }, "the ranges of pods are taken as they were last known");
  }
  return held.podRanges;
}

/** Everything of the cluster that is on the network, with the ranges of the pods it runs. */
async function networkOf(context: KindContext, held: Held): Promise<Network> {
  const containers = await context.engine.containers({ [KIND_LABELS.cluster]: held.file.kindName });
  const ranges = await podRanges(context, held);
  const own = ({ address, address6 }: Container): string[] => [address, address6].filter((text) => text !== "");
  const stations = containers.flatMap((container): Station[] => {
    const { name, role, state, labels } = container;
    const master = held.file.masters.find((one) => one.container === name);
    const zone = master?.zone ?? labels[LABELS.zone];
    if (role === "external-load-balancer" || zone === undefined) return [];
    const addresses = [...own(container), ...(ranges.get(labels[LABELS.node] ?? name) ?? [])];
    const running = state === "running";
    const nodeName = labels[LABELS.node];
    return [
      {
        container: name,
        ...(nodeName === undefined ? {} : { nodeName }),
        zone,
        role: master ? "masters" : "machines",
        running,
        addresses,
      },
    ];
  });
  const balancer = containers.filter(({ role }) => role === "external-load-balancer").flatMap(own);
  return { stations, balancer };
}

/** Machines are told by one after the other: what was wrong a moment ago must not reach one of them last. */
const inTurn = <T>({ locks }: KindContext, { file }: Held, work: () => Promise<T>): Promise<T> =>
  locks.exclusive(`impair ${file.spec.clusterId}`, work);

/** Asked again it changes nothing; nothing is changed when something of it cannot be done. */
export async function impair(context: KindContext, held: Held, impairments: Impairments): Promise<void> {
  refuseUnsupported(impairments);
  await inTurn(context, held, () => bringAbout(context, held, impairments));
}

async function bringAbout(context: KindContext, held: Held, impairments: Impairments): Promise<void> {
  const network = await networkOf(context, held);
  const probe = network.stations.find(({ running }) => running);
  if (isLate(impairments) && probe && !(await hasNetem(context.engine, probe.container)))
    throw new BackendError("unsupported", NO_NETEM);
  if (impairments.apiServer) await setApiTrouble(context, held, impairments.apiServer);
  const before = held.impairments;
  held.impairments = impairments;
  await apply(context, held, network);
  // What led through the load balancer to a master that is cut off now stays open and says nothing.
  if (JSON.stringify(before.links) !== JSON.stringify(impairments.links)) held.client.renew();
  setCrashing(
    context,
    held,
    impairments.pods.filter(({ trouble }) => trouble === "crash-loop"),
  );
  // Webhooks that come while it is on are not reached either.
  watchWebhooks(held, impairments.webhooks, () => again(context, held));
  // Last, so that nothing else stays broken when its load balancer does not do as it is told.
  if (!impairments.apiServer) await setApiTrouble(context, held, undefined);
  await setConditions(context, held, impairments.nodes);
}

/** Machines have come or gone, or come back: all of them get what is wrong now. Whoever asks before it has begun is served by it too. */
function reimpair(context: KindContext, held: Held): Promise<void> {
  held.reimpairing ??= inTurn(context, held, async () => {
    delete held.reimpairing;
    const { links, zonesWithoutDns, nodes, webhooks } = held.impairments;
    const isWrong = links.length + zonesWithoutDns.length > 0 || webhooks !== undefined;
    const isLeft = held.troubled.size + held.pressed.size > 0;
    if (isWrong || isLeft || Object.values(nodes).some(({ pressures, imagePulls }) => pressures ?? imagePulls))
      await apply(context, held, await networkOf(context, held));
    await setConditions(context, held, nodes);
  });
  return held.reimpairing;
}

/** As before, of something that has come or changed; nobody waits for it. */
export async function again(context: KindContext, held: Held): Promise<void> {
  await reimpair(context, held).catch((err: unknown) => {
    if (!(err instanceof BackendError)) throw err;
    context.log.warn({ err, cluster: held.file.spec.name }, "what is wrong with the cluster did not reach all of it");
  });
}

const isTrouble = ({ losses, delays, withoutDns, calls, reachesOnly }: NetworkTrouble): boolean =>
  losses.length + delays.length > 0 || withoutDns || calls !== undefined || reachesOnly !== undefined;

async function apply(context: KindContext, held: Held, { stations, balancer }: Network): Promise<void> {
  const { impairments, file, troubled, pressed } = held;
  const { serviceCidr } = file.spec;
  const ranges = [serviceCidr, POD_SUBNETS[serviceCidr.includes(":") ? "ipv6" : "ipv4"]];
  const calls = impairments.webhooks ? await lostWebhooks(context, held, impairments.webhooks) : [];
  for (const marked of [troubled, pressed])
    for (const name of marked) if (!stations.some(({ container }) => container === name)) marked.delete(name);
  await Promise.all(
    stations
      .filter(({ running }) => running)
      .map(async (station) => {
        const { container, nodeName = "" } = station;
        const trouble = troubleOf(station, stations, impairments, { balancer, ranges, calls });
        // Noted before it is there, and until it is not: either may fail in between.
        if (isTrouble(trouble)) troubled.add(container);
        await setTrouble(context.engine, container, trouble);
        if (!isTrouble(trouble)) troubled.delete(container);
        const pressures = impairments.nodes[nodeName]?.pressures;
        if (pressures) pressed.add(container);
        if (!pressed.has(container)) return;
        // One that has just been started takes no orders for its kubelet yet.
        await boot(context, container, file.spec, held.ending.signal);
        await setPressures(context.engine, container, pressures ?? []);
        if (!pressures) pressed.delete(container);
      }),
  );
}
