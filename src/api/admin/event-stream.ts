import type { FastifyReply } from "fastify";
import type { EventRecord, Scope } from "../../domain/model.js";
import type { EventLog } from "../../state/state.js";

const PAGE = 1000;
/** Unsent bytes at which a reader that does not keep up is dropped; it can resume with `after`. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

type Filter = Scope & { clusterName?: string };

const matches = (event: EventRecord, filter: Filter): boolean =>
  event.accountId === filter.accountId &&
  event.region === filter.region &&
  (!filter.clusterName || event.clusterName === filter.clusterName);

/** Server-sent events: everything after `afterSequence`, then each event as it is committed, until the reader goes away. */
export function streamEvents(log: EventLog, filter: Filter, afterSequence: number, reply: FastifyReply): void {
  reply.hijack();
  const socket = reply.raw;
  socket.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  let sent = afterSequence;
  const send = (event: EventRecord): void => {
    if (event.sequence <= sent) return;
    sent = event.sequence;
    socket.write(`id: ${event.sequence}\ndata: ${JSON.stringify(event)}\n\n`);
    if (socket.writableLength > MAX_BACKLOG_BYTES) socket.destroy();
  };
  const unsubscribe = log.subscribe((event) => {
    if (matches(event, filter)) send(event);
  });
  socket.on("close", unsubscribe);
  socket.on("error", unsubscribe);
  for (;;) {
    const page = log.read({ ...filter, afterSequence: sent, limit: PAGE });
    for (const event of page) send(event);
    if (page.length < PAGE) break;
  }
  // Headers go out even when nothing has happened yet.
  socket.write(": connected\n\n");
}
