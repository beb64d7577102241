/**
 * A small client of a cluster's API server: JSON over HTTPS with the administrator's certificate. One that does not answer, or not in time, is
 * `unavailable`; what it refuses is a KubeRefusal with the Status's own reason.
 */
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { Clock } from "../../clock/clock.js";
import { BackendError } from "../backend.js";
import type { AdminAccess } from "./kubeconfig.js";
import { lineSplitter } from "./lines.js";

/** metav1.Status of a refusal. */
export class KubeRefusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly causes: readonly { reason?: string; message?: string; field?: string }[],
  ) {
    super(message);
    this.name = "KubeRefusal";
  }
}

export interface KubeRequest {
  query?: Readonly<Record<string, string>>;
  body?: unknown;
  /** Default application/json. */
  contentType?: string;
  /** Default 15 s. */
  timeoutMs?: number;
}

export interface KubeClient {
  request<T = unknown>(method: string, path: string, options?: KubeRequest): Promise<T>;
  /** Undefined for 404. */
  get<T>(path: string, query?: Readonly<Record<string, string>>): Promise<T | undefined>;
  /**
   * Tells what there is, and then every change; begins anew whenever the API server ends it or cannot be reached. What is gone meanwhile is told as DELETED.
   * Returns how to stop.
   */
  watch<T extends WatchedObject>(
    path: string,
    listener: (event: { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }) => void,
    query?: Readonly<Record<string, string>>,
  ): () => void;
  /**
   * Begins all watches anew, on new connections. For when a master has gone, or cannot be reached: the load balancer keeps what leads to it open, and nothing
   * comes any more. Requests that are under way are left alone.
   */
  renew(): void;
  close(): void;
}

export interface WatchedObject {
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string };
}

const TIMEOUT_MS = 15_000;
/** How long an API server keeps a watch before it ends it, in seconds. */
const WATCH_SECONDS = 300;
/** A watch that says nothing for longer, bookmarks included, has died unheard. */
const WATCH_SILENCE_MS = 120_000;
/** Wait before a watch is begun again after a failure, in milliseconds. */
const AGAIN_MS = 1_000;
/** The load balancer may still send to a master that has just died: an attempt that never reached an API server is made again. */
const ATTEMPTS = 5;
const RETRY_MS = 400;
const UNREACHED: readonly (string | undefined)[] = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "EHOSTUNREACH"];

export function createKubeClient(
  access: Pick<AdminAccess, "server" | "ca" | "cert" | "key">,
  {
    clock,
    log,
    headers = {},
  }: {
    clock: Clock;
    log?: { debug(fields: Record<string, unknown>, message: string): void };
    /** Of every request. */
    headers?: Readonly<Record<string, string>>;
  },
): KubeClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, ca: access.ca, cert: access.cert, key: access.key });
  const closing = new AbortController();
  /** Of the watches that are on. */
  const followed = new Set<AbortController>();

  const urlOf = (path: string, query: Readonly<Record<string, string>> = {}): URL => {
    const url = new URL(path, access.server);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  };

  const open = (
    method: string,
    url: URL,
    { body, contentType = "application/json" }: KubeRequest,
    signal: AbortSignal,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const sent = httpsRequest(
        url,
        {
          method,
          agent,
          signal,
          headers: {
            ...headers,
            accept: "application/json",
            ...(payload ? { "content-type": contentType, "content-length": payload.length } : {}),
          },
        },
        resolve,
      );
      sent.on("error", reject);
      sent.end(payload);
    });

  const once = async (method: string, path: string, options: KubeRequest): Promise<unknown> => {
    const { timeoutMs = TIMEOUT_MS } = options;
    const limit = new AbortController();
    const timer = clock.timer(timeoutMs, () => limit.abort());
    try {
      const url = urlOf(path, options.query);
      const response = await open(method, url, options, AbortSignal.any([limit.signal, closing.signal]));
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString("utf8");
      const status = response.statusCode ?? 0;
      if (status >= 400) throw refusal(status, text);
      return parse(text);
    } catch (error) {
      if (error instanceof KubeRefusal) throw error;
      if (limit.signal.aborted)
        throw new BackendError("unavailable", `the API server has not answered within ${timeoutMs / 1000} s`);
      throw error;
    } finally {
      timer.cancel();
    }
  };

  const request = async <T>(method: string, path: string, options: KubeRequest = {}): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await once(method, path, options)) as T;
      } catch (error) {
        if (error instanceof KubeRefusal || error instanceof BackendError) throw error;
        const { code, message } = error as NodeJS.ErrnoException;
        const again = attempt < ATTEMPTS && UNREACHED.includes(code) && !closing.signal.aborted;
        if (!again)
          throw new BackendError("unavailable", `the API server cannot be reached: ${message}`, { cause: error });
        await clock.sleep(RETRY_MS, closing.signal).catch(() => {});
      }
    }
  };

  const watch: KubeClient["watch"] = (path, listener, query = {}) => {
    type Object = Parameters<typeof listener>[0]["object"];
    const stopping = new AbortController();
    const signal = AbortSignal.any([stopping.signal, closing.signal]);
    const known = new Map<string, Object>();
    const keyOf = ({ metadata }: WatchedObject): string => `${metadata.namespace ?? ""}/${metadata.name}`;

    const list = async (): Promise<string> => {
      const { items, metadata } = await request<{ items: Object[]; metadata: { resourceVersion: string } }>(
        "GET",
        path,
        {
          query,
        },
      );
      const present = new Set(items.map(keyOf));
      for (const [key, object] of known) {
        if (present.has(key)) continue;
        known.delete(key);
        if (!signal.aborted) listener({ type: "DELETED", object });
      }
      for (const object of items) {
        const before = known.get(keyOf(object));
        known.set(keyOf(object), object);
        if (before?.metadata.resourceVersion === object.metadata.resourceVersion || signal.aborted) continue;
        listener({ type: before ? "MODIFIED" : "ADDED", object });
      }
      return metadata.resourceVersion;
    };

    const follow = async (resourceVersion: string): Promise<void> => {
      const silence = new AbortController();
      followed.add(silence);
      let timer = clock.timer(WATCH_SILENCE_MS, () => silence.abort());
      const ends = AbortSignal.any([signal, silence.signal]);
      try {
        const watching = { watch: "true", allowWatchBookmarks: "true", timeoutSeconds: String(WATCH_SECONDS) };
        const url = urlOf(path, { ...query, ...watching, resourceVersion });
        const response = await open("GET", url, {}, ends);
        if (response.statusCode !== 200) {
          response.resume();
          return;
        }
        const take = lineSplitter((line) => {
          const event = JSON.parse(line) as { type: string; object: Object };
          // The version is too old by now: what there is has to be listed again.
          if (event.type === "ERROR") silence.abort();
          if (ends.aborted || event.type === "BOOKMARK") return;
          const type = event.type as "ADDED" | "MODIFIED" | "DELETED";
          if (type === "DELETED") known.delete(keyOf(event.object));
          else known.set(keyOf(event.object), event.object);
          listener({ type, object: event.object });
        });
        for await (const chunk of response as AsyncIterable<Buffer>) {
          timer.cancel();
          timer = clock.timer(WATCH_SILENCE_MS, () => silence.abort());
          take(chunk);
        }
      } finally {
        followed.delete(silence);
        timer.cancel();
      }
    };

    const loop = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          await follow(await list());
        } catch (err) {
          // Whatever it was: an API server that is not there is asked again, until it is or nobody wants to know.
          if (!signal.aborted) log?.debug({ err, path }, "a watch of a cluster is begun again");
        }
        await clock.sleep(AGAIN_MS, signal).catch(() => {});
      }
    };
    void loop();
    return () => stopping.abort();
  };

  return {
    request,
    get: async (path, query) => {
      try {
        return await request("GET", path, query ? { query } : {});
      } catch (error) {
        if (error instanceof KubeRefusal && error.status === 404) return undefined;
        throw error;
      }
    },
    watch,
    renew: () => {
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
      for (const silence of followed) silence.abort();
    },
    close: () => {
      closing.abort();
      agent.destroy();
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refusal(status: number, text: string): KubeRefusal {
  const answer = parse(text) as {
    reason?: string;
    message?: string;
    details?: { causes?: { reason?: string; message?: string; field?: string }[] };
  };
  const { reason = "", message = text, details } = typeof answer === "object" ? answer : {};
  return new KubeRefusal(status, reason, message, details?.causes ?? []);
}

/** What the API server refuses is an expected failure of this backend; anything else stays the bug it is. */
export async function asBackendError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KubeRefusal)) throw error;
    // 5xx: no quorum, so nothing is wrong with the request; 409: somebody else was faster, and the next try will do.
    const again = error.status >= 500 || error.status === 409 || error.status === 429;
    const code = error.status === 404 ? "missing" : again ? "unavailable" : "failed";
    throw new BackendError(code, error.message, { cause: error });
  }
}
