/**
 * The control-plane members of a cluster and the rules they follow: one of them leads as long as it reaches a majority of all; those that it reaches serve
 * with it, the others do not count; and without a leader nothing can be written or read for certain.
 */
import { hash32 } from "../clock/random.js";

export type MemberState = "up" | "down";

export interface Member {
  id: string;
  zone: string;
  /** Of its machine. */
  state: MemberState;
  /** It is up and belongs to the majority. */
  serving: boolean;
  /** Where its API server is reached from inside the cluster. */
  address: string;
}

/** A member as it is asked for; without an address it is given one. */
export interface MemberSpec {
  id: string;
  zone: string;
  address?: string;
}

export interface Members {
  list(): readonly Member[];
  /** Ignores members that do not exist (any more). */
  set(id: string, state: MemberState): void;
  /** New members are up; those that stay keep their state. */
  replace(members: readonly MemberSpec[]): void;
  /** Looks anew at who reaches whom. */
  recheck(): void;
  /** Calls `listener` after every change, of members or of their state. Returns how to stop. */
  onChange(listener: () => void): () => void;
}

/** An address in a part of 10.0.0.0/16 where no nodes are, following from the id alone, so that it is the same after a restart. */
function addressOf(id: string, taken: readonly Member[]): string {
  for (let attempt = 0; ; attempt++) {
    const hash = hash32(`${id}#${attempt}`);
    const address = `10.0.${192 + ((hash >>> 8) & 63)}.${4 + (hash % 250)}`;
    if (!taken.some((member) => member.address === address)) return address;
  }
}

type Connected = (one: Pick<Member, "zone">, other: Pick<Member, "zone">) => boolean;

/** Those who serve with a leader: itself and whom it reaches. */
const followersOf = (leader: Member, members: readonly Member[], connected: Connected): Member[] =>
  members.filter((member) => member.state === "up" && (member.id === leader.id || connected(leader, member)));

/**
 * Who leads: the present leader as long as it keeps a majority, as nobody is elected while somebody still hears of a leader (etcd's pre-vote); else the one
 * that reaches most. Undefined: nobody reaches a majority.
 */
export function leaderOf(
  members: readonly Member[],
  present: string | undefined,
  connected: Connected,
): Member | undefined {
  let best: { member: Member; reached: number } | undefined;
  for (const member of members) {
    if (member.state !== "up") continue;
    const reached = followersOf(member, members, connected).length;
    if (reached * 2 <= members.length) continue;
    if (member.id === present) return member;
    if (!best || reached > best.reached) best = { member, reached };
  }
  return best?.member;
}

/**
 * `onQuorum` hears of every change of whether there is a leader. A cluster without members has its quorum. `connected`: whether two members reach each other;
 * everybody does unless given.
 */
export function createMembers(
  initial: readonly MemberSpec[],
  onQuorum: (hasQuorum: boolean) => void,
  connected: Connected = () => true,
): Members {
  let members: Member[] = [];
  for (const member of initial)
    members.push({ ...member, state: "up", serving: true, address: member.address ?? addressOf(member.id, members) });
  let hadQuorum = true;
  let leader = members[0]?.id;
  const listeners = new Set<() => void>();

  function judge(): void {
    const leading = leaderOf(members, leader, connected);
    leader = leading?.id;
    const serving = new Set(leading ? followersOf(leading, members, connected).map(({ id }) => id) : []);
    members = members.map((member) => ({ ...member, serving: serving.has(member.id) }));
    const hasQuorum = members.length === 0 || leading !== undefined;
    if (hasQuorum !== hadQuorum) {
      hadQuorum = hasQuorum;
      onQuorum(hasQuorum);
    }
    for (const listener of listeners) listener();
  }

  return {
    list: () => members.map((member) => ({ ...member })),
    set(id, state) {
      members = members.map((member) => (member.id === id ? { ...member, state } : member));
      judge();
    },
    replace(next) {
      const before = new Map(members.map((member) => [member.id, member]));
      members = [];
      for (const { id, zone, address } of next) {
        const known = before.get(id);
        const at = address ?? known?.address ?? addressOf(id, members);
        members.push({ id, zone, state: known?.state ?? "up", serving: false, address: at });
      }
      judge();
    },
    recheck: judge,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
