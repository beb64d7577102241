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

/** How an attempt to reach a server ended. */
export type Reached<T> = { answer: T | Promise<T> } | { problem: "refused" | "unreachable" | "noSuchHost" };

export interface Network {
  /** Addresses behind a name; none when there is no such name. Addresses stand for themselves. */
  resolve(host: string): readonly string[];
  /** The data of DNS records of a name, by their type (A, AAAA, CNAME, SRV, PTR). */
  records(name: string, type: string): readonly string[];
  /** True when something takes connections there. `outside`: nobody here knows; the world is taken to be there. */
  probe(
    host: string,
    port: number,
    protocol: "TCP" | "UDP",
  ): "open" | "refused" | "unreachable" | "noSuchHost" | "outside";
  http(host: string, port: number, request: Omit<HttpRequest, "remoteAddress">): Reached<HttpResponse>;
  /** One datagram, or one line over TCP, and what comes back. */
  exchange(host: string, port: number, protocol: "TCP" | "UDP", text: string): Reached<string>;
}
