import { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import {
  createFrameReader,
  dataFrame,
  FLAG_FIN,
  FRAME,
  type Frame,
  goAwayFrame,
  MAX_DATA_BYTES,
  pingFrame,
  RST,
  rstFrame,
  streamIdOf,
  synReplyFrame,
  windowUpdateFrame,
} from "./frames.js";
import { createHeaderReader, createHeaderWriter, type Headers } from "./headers.js";

/**
 * The server's side of a SPDY/3.1 connection: streams that the client opens, each a Duplex with headers. As much of the protocol as Kubernetes' clients use; as
 * their own library does, it neither waits for the peer's flow control windows nor pushes streams; window updates are sent for what has been read.
 */
export interface SpdySession {
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  /** Ends what is open after what has been written, and says good-bye. */
  close(): Promise<void>;
}

export interface SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  readonly data: Duplex;
}

const NOTHING = Buffer.alloc(0);
const NO_HEADERS: Headers = new Map();

export interface SpdySessionOptions {
  carrier: Duplex;
  /** A stream of the client. What is thrown resets the stream. */
  onStream(stream: SpdyStream): void;
}

export function serveSpdy({ carrier, onStream }: SpdySessionOptions): SpdySession {
  const streams = new Map<number, SessionStream>();
  const frames = createFrameReader();
  const headerReader = createHeaderReader();
  const headerWriter = createHeaderWriter();
  let lastStream = 0;
  let closing = false;

  const write = (frame: Buffer): boolean => carrier.writable && carrier.write(frame);
  const drained = (): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        carrier.off("drain", done).off("close", done);
        resolve();
      };
      carrier.on("drain", done).on("close", done);
    });

  async function open(payload: Buffer, flags: number): Promise<void> {
    const id = streamIdOf(payload);
    const headers = await headerReader.read(payload.subarray(10));
    lastStream = id;
    const stream = createSessionStream({ id, write, drained, forget: () => streams.delete(id) });
    streams.set(id, stream);
    try {
      onStream({ id, headers, data: stream.data });
    } catch {
      streams.delete(id);
      write(rstFrame(id, RST.refusedStream));
      return;
    }
    write(synReplyFrame(id, headerWriter.write(NO_HEADERS)));
    if (flags & FLAG_FIN) stream.receiveEnd();
  }

  async function take(frame: Frame): Promise<void> {
    if (frame.kind === "data") {
      const stream = streams.get(frame.stream);
      if (!stream || closing) return;
      if (frame.payload.length > 0) await stream.receive(frame.payload);
      if (frame.flags & FLAG_FIN) stream.receiveEnd();
      return;
    }
    const { type, payload, flags } = frame;
    if (type === FRAME.synStream) await open(payload, flags);
    else if (type === FRAME.rstStream) streams.get(streamIdOf(payload))?.data.destroy();
    else if (type === FRAME.ping) write(pingFrame(payload));
    // Headers have to go through the decompressor even if nobody wants them; everything else (settings, windows, good-byes) asks for nothing.
    else if (type === FRAME.headers) await headerReader.read(payload.subarray(4));
  }

  const endStreams = (): void => {
    for (const { data } of streams.values()) data.destroy();
  };

  async function run(): Promise<void> {
    // At once, because the loop below may be waiting for the reader of a stream.
    carrier.once("close", endStreams);
    try {
      for await (const chunk of carrier) for (const frame of frames.feed(chunk as Buffer)) await take(frame);
    } catch {
      // A broken connection, or one that speaks something else: it ends here.
    }
    carrier.destroy();
    endStreams();
    headerReader.close();
  }

  return {
    closed: run(),
    async close() {
      closing = true;
      const open = [...streams.values()];
      for (const { data } of open) if (!data.writableEnded) data.end();
      await Promise.allSettled(open.map(({ data }) => finished(data, { readable: false })));
      // The client closes its half when it has read everything, and the loop above ends with it.
      if (write(goAwayFrame(lastStream)) || carrier.writable) carrier.end();
    },
  };
}

interface SessionStream {
  readonly data: Duplex;
  /** Resolves when there is room for more. */
  receive(bytes: Buffer): Promise<void>;
  receiveEnd(): void;
}

interface SessionStreamOptions {
  id: number;
  /** False when the connection is full. */
  write(frame: Buffer): boolean;
  drained(): Promise<void>;
  forget(): void;
}

function createSessionStream({ id, write, drained, forget }: SessionStreamOptions): SessionStream {
  let wanted = (): void => {};
  let receivedEnd = false;
  const data = new Duplex({
    read: () => wanted(),
    write(chunk: Buffer, _encoding, done) {
      let room = true;
      for (let at = 0; at < chunk.length; at += MAX_DATA_BYTES)
        room = write(dataFrame(id, chunk.subarray(at, at + MAX_DATA_BYTES)));
      if (room) done();
      else void drained().then(() => done());
    },
    final(done) {
      write(dataFrame(id, NOTHING, FLAG_FIN));
      done();
    },
    destroy(error, done) {
      wanted();
      forget();
      if (!data.writableFinished) write(rstFrame(id, RST.cancel));
      done(error);
    },
  });
  data.on("error", () => {});
  return {
    data,
    async receive(bytes) {
      if (receivedEnd || data.destroyed) return;
      if (!data.push(bytes) && !data.destroyed)
        await new Promise<void>((resolve) => {
          wanted = resolve;
        });
      write(windowUpdateFrame(id, bytes.length));
    },
    receiveEnd() {
      if (receivedEnd || data.destroyed) return;
      receivedEnd = true;
      data.push(null);
    },
  };
}
