/**
 * The masters of a simulated cluster and the network that they share with its machines: who serves, who hears whom, and what follows from a change of either
 * for the API server, its clients and the kubelets.
 */
import type { Clock } from "../clock/clock.js";
import type { KubeApi } from "./api.js";
import type { OutsideAnswer, OutsideRequest } from "./cluster.js";
import { createElection } from "./election.js";
import type { ApiServerDoor } from "./kubelet/cluster-world.js";
import type { KubeletNetwork } from "./kubelet/kubelets.js";
import { createMembers, type MemberSpec, type Members } from "./members.js";
import { createKubeletLinks } from "./network/kubelet-links.js";
import type { LinkTrouble } from "./network/links.js";
import { createMasterPaths, mastersConnected } from "./network/master-paths.js";
import { createZoneNetwork } from "./network/zone-network.js";
import type { Endpoints, Service } from "./schema/generated/types.js";
import { type ApiServerTrouble, type ApiTroubles, createApiTroubles } from "./server/api-troubles.js";

export interface ControlPlane {
  readonly members: Members;
  readonly troubles: ApiTroubles;
  /** For kubelets and pods. */
  readonly network: KubeletNetwork;
  /** Whether any API server stands behind the endpoint. */
  answers(): boolean;
  setLinks(links: readonly LinkTrouble[]): void;
  setZonesWithoutDns(zones: readonly string[]): void;
  setApiServerTrouble(trouble: ApiServerTrouble | undefined): void;
  stop(): void;
}

export interface ControlPlaneOptions {
  clock: Clock;
  api: KubeApi;
  members: readonly MemberSpec[];
  setAvailable: (available: boolean) => void;
  /** Ends a share of the connections to the endpoint, 0 to 1. */
  breakConnections: (share: number) => void;
  /** Begin and end what runs on the masters under a lease. */
  loops: { begin(): void; end(): void };
  /** Has every kubelet ask again whether it is heard. */
  reviewKubelets: () => void;
  zoneOfNode: (nodeName: string) => string | undefined;
  /** Asks the API server; undefined: nobody serves yet. */
  ask: (request: OutsideRequest) => Promise<OutsideAnswer> | undefined;
}

const API_SERVICE = { namespace: "default", name: "kubernetes" };
/** A try of a kubelet to renew its lease lasts no longer. */
const RENEWAL_TIMEOUT_MS = 10_000;

export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { clock, api } = options;
  const zones = createZoneNetwork(clock.random("zone-network"));
  const troubles = createApiTroubles(clock.random("api-troubles"));
  const zonesWithoutDns = new Set<string>();
  const election = createElection(clock, options.loops);
  const members = createMembers(
    options.members,
    (hasQuorum) => {
      options.setAvailable(hasQuorum);
      election.setQuorum(hasQuorum);
    },
    mastersConnected(zones),
  );
  const paths = createMasterPaths({ network: zones, members, random: clock.random("master-paths") });
  const isSlow = (): boolean => (troubles.present?.latencyMs ?? 0) >= RENEWAL_TIMEOUT_MS;
  const links = createKubeletLinks({
    clock,
    chance: (zone) => (isSlow() ? 0 : paths.chanceFrom(zone) * troubles.spared),
    review: options.reviewKubelets,
  });
  zones.onChange(() => members.recheck());
  troubles.onChange(links.recheck);

  let answering = new Set(paths.answering().map(({ id }) => id));
  members.onChange(() => {
    const now = new Set(paths.answering().map(({ id }) => id));
    const gone = [...answering].filter((id) => !now.has(id)).length;
    if (gone > 0) options.breakConnections(gone / answering.size);
    answering = now;
    links.recheck();
  });

  const addresses = (): string[] => {
    const { subsets = [] } = api.get<Endpoints>("endpoints", API_SERVICE) ?? {};
    return subsets.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));
  };
  /** Programs in containers reach the API server by its Service, whoever the endpoint lets in from elsewhere. */
  const apiServer: ApiServerDoor = {
    isAt(pod, host, port) {
      if (port !== 443) return false;
      if (host === "kubernetes") return pod.metadata.namespace === API_SERVICE.namespace;
      const isName = /^kubernetes\.default(\.svc(\.cluster\.local\.?)?)?$/.test(host);
      return isName || host === api.get<Service>("services", API_SERVICE)?.spec?.clusterIP;
    },
    reach: (pod) => paths.toAddress(options.zoneOfNode(pod.spec?.nodeName ?? "") ?? "", addresses()),
    ask(request) {
      // Programs read answers whole, and a watch has no end.
      if (/[?&](watch|follow)=(1|t|true)(&|$)/i.test(request.path)) return undefined;
      const answer = options.ask(request);
      return answer && { answer, waitMs: troubles.present?.latencyMs ?? 0 };
    },
  };

  return {
    members,
    troubles,
    network: { zones, zonesWithoutDns, apiServer, isHeard: links.isHeard, toMachine: paths.toMachine },
    answers: () => members.list().length === 0 || answering.size > 0,
    setLinks: (next) => zones.set(next),
    setZonesWithoutDns(next) {
      zonesWithoutDns.clear();
      for (const zone of next) zonesWithoutDns.add(zone);
    },
    setApiServerTrouble: (trouble) => troubles.set(trouble),
    stop() {
      election.stop();
      links.stop();
    },
  };
}
