/**
 * In what the command lines of Docker, Podman and nerdctl differ, as far as this backend uses them. Podman's was seen on 5.8 and 4.3; nerdctl's is that of its
 * own source and of kind's provider for it.
 */
import type { Provider } from "./engine.js";

export interface Dialect {
  /** Of `network create`, beside its driver and its range. */
  networkOptions: readonly string[];
  /** Its address on a network is there only while a container is in it: whoever wants to listen at it has to wait. */
  addressComesLate: boolean;
  /** Of `rm`, beside `--force --volumes`: without them Podman waits ten seconds for systemd. */
  removal: readonly string[];
  /** One that is not there keeps the others from being removed. */
  removesOneByOne: boolean;
  /** What volumes that no options are given for lack, and nodes need; those are not removed with their container. */
  volumeOptions?: string;
  /** Arguments of `run` that only this engine wants. */
  launch: readonly string[];
  /** `ps --format` knows `.Label`. */
  namesLabels: boolean;
  /** Filters of `events` beside the label. */
  events: readonly string[];
  /** A container whose process was killed is started again, unless that is forbidden before. */
  revives: boolean;
  /** `network connect` gives a container that does not run the address that it shall have. */
  reserves: boolean;
}

const DOCKER: Dialect = {
  networkOptions: [
    ...["-o", "com.docker.network.bridge.enable_ip_masquerade=true"],
    ...["-o", "com.docker.network.driver.mtu=1500"],
  ],
  addressComesLate: false,
  removal: [],
  removesOneByOne: false,
  launch: [],
  namesLabels: true,
  events: ["--filter", "type=container"],
  revives: false,
  reserves: true,
};

const DIALECTS: Readonly<Record<Provider, Dialect>> = {
  docker: DOCKER,
  podman: {
    ...DOCKER,
    networkOptions: [],
    addressComesLate: true,
    removal: ["--time", "0"],
    removesOneByOne: true,
    volumeOptions: "suid,exec,dev",
    // systemd goes by it.
    launch: ["-e", "container=podman"],
    // Podman 4 lacks it, and Podman 6 lacks what Podman 4 has.
    namesLabels: false,
  },
  nerdctl: {
    ...DOCKER,
    networkOptions: ["-o", "com.docker.network.driver.mtu=1500"],
    addressComesLate: true,
    events: [],
    revives: true,
    reserves: false,
  },
};

export const dialectOf = (provider: Provider): Dialect => DIALECTS[provider];
