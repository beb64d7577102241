/** The control-plane members of a cluster and the one rule they follow: without a majority up, etcd has no leader and nothing works. */
import { hash32 } from "../clock/random.js";

export type MemberState = "up" | "down";

export interface Member {
  id: string;
  zone: string;
  state: MemberState;
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

/** `onQuorum` hears of every change of whether a majority is up. A cluster without members has its quorum. */
export function createMembers(initial: readonly MemberSpec[], onQuorum: (hasQuorum: boolean) => void): Members {
  let members: Member[] = [];
  for (const member of initial)
    members.push({ ...member, state: "up", address: member.address ?? addressOf(member.id, members) });
  let hadQuorum = true;
  const listeners = new Set<() => void>();

  function judge(): void {
    const up = members.filter(({ state }) => state === "up").length;
    const hasQuorum = members.length === 0 || up > members.length / 2;
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
        members.push({ id, zone, state: known?.state ?? "up", address: at });
      }
      judge();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
