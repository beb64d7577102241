/** How masters and the machines of zones reach each other over the network between zones. Where nothing is wrong with it, everybody reaches everybody. */
import type { Random } from "../../clock/random.js";
import type { Member, Members } from "../members.js";
import { AT_ONCE, type Exchange, type ZoneNetwork } from "./zone-network.js";

export interface MasterPaths {
  /** Masters whose API server answers at all: those of the majority, or while there is none those that are up. */
  answering(): readonly Member[];
  /** The best chance, 0 to 1, that a machine of the zone gets something to a master and an answer back. */
  chanceFrom(zone: string): number;
  /** A request of a master to a machine of the zone: any of them may be the one that a client's request came to. */
  toMachine(zone: string): Exchange | undefined;
  /** A request of a pod in the zone to one of the addresses behind the Service of the API server. */
  toAddress(zone: string, addresses: readonly string[]): Exchange | undefined;
}

/** etcd elects another leader when it has not heard of its own for so long (its election timeout). */
const ELECTION_MS = 1_000;
/** With less than this share of heartbeats answered no leader lasts. */
const LEAST_PASSAGE = 0.1;

/** Whether two masters can work together, as far as the network goes. */
export const mastersConnected =
  (network: ZoneNetwork) =>
  (one: Pick<Member, "zone">, other: Pick<Member, "zone">): boolean => {
    if (network.isClear) return true;
    const [a, b] = [one, other].map(({ zone }) => ({ zone, side: "masters" as const }));
    if (!a || !b) return true;
    return network.passage(a, b) >= LEAST_PASSAGE && network.roundTripMs(a, b) < ELECTION_MS;
  };

export function createMasterPaths({
  network,
  members,
  random,
}: {
  network: ZoneNetwork;
  members: Members;
  random: Random;
}): MasterPaths {
  const answering = (): readonly Member[] => {
    const all = members.list();
    const serving = all.filter((member) => member.serving);
    return serving.length > 0 ? serving : all.filter(({ state }) => state === "up");
  };

  return {
    answering,
    chanceFrom(zone) {
      const masters = network.isClear ? [] : answering();
      // Without any master there is nobody to be heard by, and nothing to be told.
      if (masters.length === 0) return 1;
      const machine = { zone, side: "machines" as const };
      return Math.max(...masters.map((master) => network.passage(machine, { zone: master.zone, side: "masters" })));
    },
    toMachine(zone) {
      if (network.isClear) return AT_ONCE;
      const master = random.pick(answering());
      return master && network.exchange({ zone: master.zone, side: "masters" }, { zone, side: "machines" });
    },
    toAddress(zone, addresses) {
      const all = members.list();
      if (network.isClear && all.every(({ serving }) => serving)) return AT_ONCE;
      const address = random.pick(addresses);
      const master = answering().find((member) => member.address === address);
      return master && network.exchange({ zone, side: "machines" }, { zone: master.zone, side: "masters" });
    },
  };
}
