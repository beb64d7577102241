/** The network as the programs of a pod see it: names, and HTTP and TCP to other pods, services and the world outside. */
export interface HttpRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  /** One character a byte. */
  body: string;
  /** Who asks. */
  remoteAddress: string;
}

export interface HttpResponse {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** One character a byte. */
  body: string;
  /** Simulated time for which the answer to a client outside of the pod is held back; infinite: it never comes. */
  delayMs?: number;
}

/** Simulated time that something over the network takes; nothing where it is not said. */
export interface Taken {
  /** Until the name is known, ms. */
  lookupMs?: number;
  /** Until the connection is there, the look-up included. */
  connectMs?: number;
  /** Until the last packet of the answer is there, all of that included. */
  totalMs?: number;
}

/**
 * How an attempt to reach a server ended, and when that is known. `unreachable` is known when whoever tries gives up; `silentNames`: nobody has answered
 * the question for the name until the resolver gave up.
 */
export type Reached<T> = Taken &
  ({ answer: T | Promise<T> } | { problem: "refused" | "unreachable" | "noSuchHost" | "silentNames" });

export type Probed = Taken & {
  state: "open" | "refused" | "unreachable" | "noSuchHost" | "silentNames" | "outside";
};

/** What a name server said. */
export interface Lookup {
  /** None: there is no such name. */
  addresses: readonly string[];
  takenMs: number;
  /** No name server answered. */
  isSilent?: true;
}

export interface Network {
  /** Addresses behind a name, whether or not a name server can be asked; none when there is no such name. Addresses stand for themselves. */
  resolve(host: string): readonly string[];
  /** Asks the name server, where the host does not know the name itself. */
  lookup(host: string): Lookup;
  /** The data of DNS records of a name, by their type (A, AAAA, CNAME, SRV, PTR); whether the name server answers is another question. */
  records(name: string, type: string): readonly string[];
  /** Whether something takes connections there. `outside`: nobody here knows; the world is taken to be there. */
  probe(host: string, port: number, protocol: "TCP" | "UDP"): Probed;
  /** A packet to the host and one back (ICMP): undefined when either is lost. `ms`: the time between them. */
  ping(address: string): { ms: number } | undefined;
  http(host: string, port: number, request: Omit<HttpRequest, "remoteAddress">): Reached<HttpResponse>;
  /** One datagram, or one line over TCP, and what comes back. */
  exchange(host: string, port: number, protocol: "TCP" | "UDP", text: string): Reached<string>;
}
