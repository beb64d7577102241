/** What is wrong with a cluster, brought to its machines as far as real ones can have it. The rest is refused with the reason. */
import { formatSeconds } from "../../clock/clock.js";
import type { Impairments, LinkEnd, LinkImpairment, NodeImpairment } from "../../domain/impairments.js";
import { CONTROL_PLANE_LABEL, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import { BackendError } from "../backend.js";
import type { Held, KindContext } from "./cluster.js";
import { type Node, nodePath } from "./drain.js";
import type { Container } from "./engine.js";
import { asBackendError } from "./kube-client.js";
import { KIND_LABELS, LABELS } from "./names.js";
import { type Delay, hasNetem, type Loss, type NetworkTrouble, setTrouble } from "./network.js";

/** A machine on kind's network. */
export interface Station {
  container: string;
  zone: string;
  role: "masters" | "machines";
  running: boolean;
  /** Its own, and those of the pods that it has. */
  addresses: readonly string[];
}

/** Parts that real machines cannot have, and why. */
export function refuseUnsupported({ nodes, apiServer, webhooks, pods }: Impairments): void {
  const refuse = (what: string): never => {
    throw new BackendError("unsupported", `the backend kind cannot bring about ${what}; the embedded one can`);
  };
  if (apiServer)
    refuse("an API server that is slow or refuses: kind's own stands between clients and no place of eksim's");
  if (webhooks) refuse("webhooks that cannot be reached: whose they are is known to the API server alone");
  if (pods.length > 0) refuse("containers that fail: their images are real");
  for (const [name, node] of Object.entries(nodes)) {
    const part = (["pressures", "clockSkewMs", "diskFull", "imagePulls"] as const).find(
      (key) => node[key] !== undefined,
    );
    if (part) refuse(`${part} of node ${name}: all nodes share the kernel, the disk and the clock of this machine`);
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

/** A machine's share: what it does not get of others, and what it sends late. A link may be within a zone. `balancer`: addresses of the load balancer. */
export function troubleOf(
  station: Station,
  stations: readonly Station[],
  { links, zonesWithoutDns }: Pick<Impairments, "links" | "zonesWithoutDns">,
  balancer: readonly string[] = [],
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
  if (!reachesMasters(station, stations, links)) losses.push({ addresses: balancer, percent: 100 });
  return {
    losses: meant(losses),
    delays: meant(delays),
    withoutDns: station.role === "machines" && zonesWithoutDns.includes(station.zone),
  };
}

interface Network {
  stations: Station[];
  /** Addresses of the load balancer. */
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
    return [{ container: name, zone, role: master ? "masters" : "machines", running, addresses }];
  });
  const balancer = containers.filter(({ role }) => role === "external-load-balancer").flatMap(own);
  return { stations, balancer };
}

/** Asked again it changes nothing; nothing is changed when something of it cannot be done. */
export async function impair(context: KindContext, held: Held, impairments: Impairments): Promise<void> {
  refuseUnsupported(impairments);
  const network = await networkOf(context, held);
  const probe = network.stations.find(({ running }) => running);
  if (isLate(impairments) && probe && !(await hasNetem(context.engine, probe.container)))
    throw new BackendError("unsupported", NO_NETEM);
  held.impairments = impairments;
  await apply(context, held, network);
  await setConditions(context, held, impairments.nodes);
}

/** Machines have come or gone, or come back: all of them get what is wrong now. */
export async function reimpair(context: KindContext, held: Held): Promise<void> {
  const { links, zonesWithoutDns, nodes } = held.impairments;
  if (links.length + zonesWithoutDns.length > 0) await apply(context, held, await networkOf(context, held));
  await setConditions(context, held, nodes);
}

async function apply(context: KindContext, held: Held, { stations, balancer }: Network): Promise<void> {
  const { impairments } = held;
  await Promise.all(
    stations
      .filter(({ running }) => running)
      .map((station) =>
        setTrouble(context.engine, station.container, troubleOf(station, stations, impairments, balancer)),
      ),
  );
}

interface ReportedCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

/** Message by which conditions that eksim has set are known again. */
const MARK = "(set by eksim)";

/** What the node monitoring agent would report: no kubelet writes conditions of these types, so that they stay. */
async function setConditions(
  context: KindContext,
  held: Held,
  nodes: Readonly<Record<string, NodeImpairment>>,
): Promise<void> {
  const wantsSome = Object.values(nodes).some(({ conditions = [] }) => conditions.length > 0);
  // An API server that does not answer has nothing to be told, unless there is something.
  if (!wantsSome && !held.hasConditions) return;
  held.hasConditions = true;
  const query = { labelSelector: `!${CONTROL_PLANE_LABEL},${ZONE_LABEL}` };
  const { items } = await asBackendError(() =>
    held.client.request<{ items: Node[] }>("GET", "/api/v1/nodes", { query }),
  );
  const now = formatSeconds(context.clock.wallNow());
  for (const { metadata, status } of items) {
    const wanted = nodes[metadata.name]?.conditions ?? [];
    const present = (status?.conditions ?? []) as ReportedCondition[];
    const times = { lastHeartbeatTime: now, lastTransitionTime: now };
    const bad = wanted
      .filter(
        ({ type, reason }) =>
          !present.some((one) => one.type === type && one.status === "False" && one.reason === reason),
      )
      .map(({ type, reason, message = "" }) => ({
        type,
        status: "False",
        reason,
        message: `${message} ${MARK}`.trim(),
        ...times,
      }));
    const good = present
      .filter(
        ({ type, status: is, message }) =>
          is === "False" && message?.endsWith(MARK) && !wanted.some((one) => one.type === type),
      )
      .map(({ type }) => ({ type, status: "True", reason: type, message: "", ...times }));
    const conditions = [...bad, ...good];
    if (conditions.length === 0) continue;
    await asBackendError(() =>
      held.client.request("PATCH", `${nodePath(metadata.name)}/status`, {
        contentType: "application/strategic-merge-patch+json",
        body: { status: { conditions } },
      }),
    );
  }
  held.hasConditions = wantsSome;
}
