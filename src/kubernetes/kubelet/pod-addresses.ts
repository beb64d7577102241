/** Hands out the addresses of one node's prefix to its pods: in turn, so that an address rests as long as possible before it is used again. */
export interface PodAddresses {
  /** A free address; undefined when all are taken. */
  take(): string | undefined;
  /** Marks an address as taken that a pod has already. False when it is not of this prefix. */
  claim(address: string): boolean;
  release(address: string): void;
}

interface Prefix {
  /** Number of addresses, network and broadcast included. */
  size: number;
  addressOf(index: number): string;
  indexOf(address: string): number | undefined;
}

const MAX_HOSTS = 65_536;

function ipv4Prefix(base: string, length: number): Prefix {
  const number = (address: string): number => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = Math.min(MAX_HOSTS, 2 ** (32 - length));
  const first = Math.floor(number(base) / size) * size;
  return {
    size,
    addressOf: (index) => {
      const value = first + index;
      return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
    },
    indexOf: (address) => {
      const index = number(address) - first;
      return index >= 0 && index < size ? index : undefined;
    },
  };
}

function ipv6Prefix(base: string): Prefix {
  const head = base.replace(/::.*$/, "");
  return {
    size: MAX_HOSTS,
    addressOf: (index) => `${head}::${index.toString(16)}`,
    indexOf: (address) => {
      const [start, end = ""] = address.split("::");
      const index = Number.parseInt(end, 16);
      return start === head && index < MAX_HOSTS ? index : undefined;
    },
  };
}

export function createPodAddresses(cidr: string): PodAddresses {
  const [base = "", length = "32"] = cidr.split("/");
  const prefix = base.includes(":") ? ipv6Prefix(base) : ipv4Prefix(base, Number(length));
  const taken = new Set<number>();
  // The first and the last address of a network are not for hosts; a prefix of a single address is that host's.
  const first = prefix.size === 1 ? 0 : 1;
  const last = Math.max(first, prefix.size - 2);
  let next = first;
  return {
    take() {
      for (let tries = first; tries <= last; tries++) {
        const index = next;
        next = next >= last ? first : next + 1;
        if (taken.has(index)) continue;
        taken.add(index);
        return prefix.addressOf(index);
      }
      return undefined;
    },
    claim(address) {
      const index = prefix.indexOf(address);
      if (index === undefined) return false;
      taken.add(index);
      return true;
    },
    release(address) {
      const index = prefix.indexOf(address);
      if (index !== undefined) taken.delete(index);
    },
  };
}
