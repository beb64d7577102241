import type { HttpRequest, HttpResponse } from "./network.js";
import type { System } from "./program.js";

/** What programs of a container listen on. */
export interface Listener {
  protocol: "TCP" | "UDP";
  /** PEM. With it, connections that begin with TLS are served with this certificate; HTTP within the pod's network does without. */
  tls?: { cert: string; key: string };
  http?: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
  /** What comes back for a datagram or a first line. */
  line?: (text: string) => string;
  /** The health that gRPC's health service tells. */
  grpc?: (service: string) => "SERVING" | "NOT_SERVING" | "UNKNOWN";
  /** Set where no program listens: answers that somebody has programmed, or a mere assumption that an unknown image listens. */
  standsFor?: "programmed" | "unknown";
}

/** Ports that programs listen on: each protocol has its own. */
export class Listeners {
  private readonly known = new Map<string, Listener>();

  get(port: number, protocol: Listener["protocol"]): Listener | undefined {
    return this.known.get(`${port}/${protocol}`);
  }

  set(port: number, listener: Listener): void {
    this.known.set(`${port}/${listener.protocol}`, listener);
  }

  clear(): void {
    this.known.clear();
  }
}

/** Where programs announce that they listen: by the view that each has of its container. */
const listenersOf = new WeakMap<System, Listeners>();

export const bindListeners = (system: System, listeners: Listeners): void => {
  listenersOf.set(system, listeners);
};

export const listen = (system: System, port: number, listener: Listener): void => {
  listenersOf.get(system)?.set(port, listener);
};
