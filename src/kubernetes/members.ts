/** The control-plane members of a cluster and the one rule they follow: without a majority up, etcd has no leader and nothing works. */

export type MemberState = "up" | "down";

export interface Member {
  id: string;
  zone: string;
  state: MemberState;
}

export interface Members {
  list(): readonly Member[];
  /** Ignores members that do not exist (any more). */
  set(id: string, state: MemberState): void;
  /** New members are up; those that stay keep their state. */
  replace(members: readonly { id: string; zone: string }[]): void;
}

/** `onQuorum` hears of every change of whether a majority is up. A cluster without members has its quorum. */
export function createMembers(
  initial: readonly { id: string; zone: string }[],
  onQuorum: (hasQuorum: boolean) => void,
): Members {
  let members: Member[] = initial.map((member) => ({ ...member, state: "up" }));
  let hadQuorum = true;

  function judge(): void {
    const up = members.filter(({ state }) => state === "up").length;
    const hasQuorum = members.length === 0 || up > members.length / 2;
    if (hasQuorum === hadQuorum) return;
    hadQuorum = hasQuorum;
    onQuorum(hasQuorum);
  }

  return {
    list: () => members.map((member) => ({ ...member })),
    set(id, state) {
      members = members.map((member) => (member.id === id ? { ...member, state } : member));
      judge();
    },
    replace(next) {
      const states = new Map(members.map(({ id, state }) => [id, state]));
      members = next.map((member) => ({ ...member, state: states.get(member.id) ?? "up" }));
      judge();
    },
  };
}
