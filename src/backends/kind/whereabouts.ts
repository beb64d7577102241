/**
 * Where eksim itself runs, as kind's containers see it. Usually on the engine's machine: they reach it at the gateway of their network, and it reaches them at
 * the ports that they publish. In a container with a network of its own it joins kind's network, and everybody is reached at his own address.
 */
import { readFile } from "node:fs/promises";
import { spareAddress } from "./addresses.js";
import type { Engine } from "./engine.js";
import type { Files } from "./files.js";
import { joinEndpoint, LABELS } from "./names.js";

export interface Whereabouts {
  /** Addresses of eksim on kind's network, IPv4 first. Makes the network when there is none. */
  addresses(): Promise<readonly string[]>;
  /** The addresses are there only while a container is: who listens at them has to wait. */
  readonly addressesComeLate: boolean;
  /** Where a cluster's API servers are reached from here, instead of `published`. */
  server(cluster: { kindName: string; masters: number }, published: string): Promise<string>;
  /** Removes the network that eksim has made when nobody else is in it. Gives whether it is gone. */
  leave(): Promise<boolean>;
}

/** As the kernel tells a process what is mounted where: engines mount a file of the container's own directory there, and that has its id in its name. */
const HOSTNAME_MOUNT = /\/([0-9a-f]{64})\/(?:userdata\/)?hostname \/etc\/hostname /;

/** The id of the container that a process runs in; undefined: in none, as far as one can see. */
export const containerIn = (mounts: string): string | undefined => HOSTNAME_MOUNT.exec(mounts)?.[1];

/** What a process has mounted; nothing where there is no such file. */
const ownMounts = (): Promise<string> => readFile("/proc/self/mountinfo", "utf8").catch(() => "");

export function createWhereabouts({
  engine,
  files,
  mounts = ownMounts,
}: {
  engine: Engine;
  files: Files;
  mounts?: () => Promise<string>;
}): Whereabouts {
  let looking: Promise<string | undefined> | undefined;

  /** eksim's own container, if it is one of this engine and has a network of its own. */
  const look = async (): Promise<string | undefined> => {
    const id = containerIn(await mounts());
    const [own] = id === undefined ? [] : await engine.inspect([id]);
    return own && !own.onHostNetwork ? own.name : undefined;
  };
  const guest = (): Promise<string | undefined> => {
    looking ??= look();
    looking.catch(() => {
      looking = undefined;
    });
    return looking;
  };
  const marks = async (): Promise<Record<string, string>> => ({ [LABELS.owner]: await files.owner() });

  return {
    addressesComeLate: engine.dialect.addressComesLate,
    addresses: async () => {
      const { gateways, subnet, holders } = await engine.network(await marks());
      const own = await guest();
      if (own === undefined) return gateways;
      // It keeps that over restarts, and no master's can be given to it meanwhile.
      const spare = subnet === undefined ? undefined : spareAddress(subnet, Object.keys(holders));
      if (!Object.values(holders).includes(own)) await engine.join(own, spare);
      const [found] = await engine.inspect([own]);
      return [found?.address ?? "", found?.address6 ?? ""].filter((address) => address !== "");
    },
    server: async ({ kindName, masters }, published) =>
      (await guest()) === undefined ? published : `https://${joinEndpoint(kindName, masters)}`,
    leave: async () => engine.removeNetwork(await marks(), await guest()),
  };
}
