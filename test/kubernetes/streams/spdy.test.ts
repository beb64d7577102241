import { duplexPair } from "node:stream";
import { constants, createDeflate } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createFrameReader,
  dataFrame,
  FLAG_FIN,
  pingFrame,
  rstFrame,
  synStreamFrame,
} from "../../../src/kubernetes/streams/spdy/frames.js";
import { createHeaderReader, createHeaderWriter, DICTIONARY } from "../../../src/kubernetes/streams/spdy/headers.js";
import { type SpdyStream, serveSpdy } from "../../../src/kubernetes/streams/spdy/session.js";

/** Header blocks as a client compresses them: one zlib stream with the protocol's dictionary. */
function clientHeaders(): (headers: Record<string, string>) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  let chunks: Buffer[] = [];
  deflate.on("data", (chunk: Buffer) => chunks.push(chunk));
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  return (headers) =>
    new Promise((resolve) => {
      chunks = [];
      const texts = Object.entries(headers)
        .flat()
        .map((text) => Buffer.from(text));
      const block = [word(Object.keys(headers).length), ...texts.flatMap((text) => [word(text.length), text])];
      deflate.write(Buffer.concat(block), () => resolve(Buffer.concat(chunks)));
    });
}

function startSession() {
  const [client, carrier] = duplexPair();
  const streams: SpdyStream[] = [];
  const session = serveSpdy({
    carrier,
    onStream: (stream) => {
      if (stream.headers.get("streamtype") === "unwanted") throw new Error("unwanted");
      streams.push(stream);
    },
  });
  const reader = createFrameReader();
  const frames: { type: number; flags: number; stream: number; text: string }[] = [];
  client.on("data", (chunk: Buffer) => {
    for (const frame of reader.feed(chunk)) {
      if (frame.kind === "data")
        frames.push({ type: 0, flags: frame.flags, stream: frame.stream, text: String(frame.payload) });
      else frames.push({ type: frame.type, flags: frame.flags, stream: frame.payload.readUInt32BE(0), text: "" });
    }
  });
  return { client, carrier, session, streams, frames };
}

/** Waits as long as it takes: the test's own timeout is the only limit. */
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
};

describe("a SPDY session", () => {
  it("opens, answers, half-closes and resets streams, and answers pings", async () => {
    const { client, session, streams, frames } = startSession();
    const headers = clientHeaders();
    client.write(synStreamFrame(1, await headers({ StreamType: "data", Port: "80" })));
    client.write(synStreamFrame(3, await headers({ streamtype: "unwanted" })));
    client.write(dataFrame(1, Buffer.from("ping?"), FLAG_FIN));
    client.write(pingFrame(Buffer.from([0, 0, 0, 7])));
    await until(() => frames.some(({ type }) => type === 6));
    const [stream] = streams;
    expect([...(stream?.headers ?? [])]).toEqual([
      ["streamtype", "data"],
      ["port", "80"],
    ]);
    const received: string[] = [];
    stream?.data.on("data", (chunk) => received.push(String(chunk)));
    await until(() => stream?.data.readableEnded === true);
    expect(received).toEqual(["ping?"]);
    stream?.data.end("pong!");
    await until(() => frames.some(({ type, flags }) => type === 0 && flags === FLAG_FIN));
    const SYN_REPLY = 2;
    expect(frames.filter(({ type }) => type !== 9)).toEqual([
      { type: SYN_REPLY, flags: 0, stream: 1, text: "" },
      { type: 3, flags: 0, stream: 3, text: "" },
      { type: 6, flags: 0, stream: 7, text: "" },
      { type: 0, flags: 0, stream: 1, text: "pong!" },
      { type: 0, flags: FLAG_FIN, stream: 1, text: "" },
    ]);
    client.end();
    await session.closed;
  });

  it("destroys a stream that the client resets, and all when the connection ends", async () => {
    const { client, session, streams } = startSession();
    const headers = clientHeaders();
    for (const id of [1, 3]) client.write(synStreamFrame(id, await headers({ streamtype: "data" })));
    client.write(rstFrame(1, 5));
    await until(() => streams[0]?.data.destroyed === true);
    expect(streams[1]?.data.destroyed).toBe(false);
    client.end();
    await session.closed;
    expect(streams[1]?.data.destroyed).toBe(true);
  });

  it("takes no more from a client than a slow reader has room for", async () => {
    const { client, carrier, session, streams } = startSession();
    client.write(synStreamFrame(1, await clientHeaders()({ streamtype: "data" })));
    let sent = 0;
    const chunk = Buffer.alloc(16_384);
    while (client.write(dataFrame(1, chunk)) && sent < 100) sent++;
    await until(() => (streams[0]?.data.readableLength ?? 0) > 0);
    expect(sent).toBeLessThan(100);
    expect(streams[0]?.data.readableLength).toBeLessThan(200_000);
    carrier.destroy();
    await session.closed;
  });

  it("ends for whatever is no SPDY, without harm", async () => {
    const headers = clientHeaders();
    const valid = Buffer.concat([
      synStreamFrame(1, await headers({ streamtype: "data" })),
      dataFrame(1, Buffer.from("x")),
      rstFrame(1, 1),
    ]);
    const mutated = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const bytes = Buffer.from(valid);
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          mutated,
          fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        ),
        async (bytes) => {
          const { client, session } = startSession();
          client.on("error", () => {});
          client.end(bytes);
          await session.closed;
        },
      ),
      { numRuns: 200 },
    );
  });

  it("writes header blocks that its own reader understands", async () => {
    const writer = createHeaderWriter();
    const reader = createHeaderReader();
    for (const block of [
      new Map(),
      new Map([
        ["a", "b"],
        ["c", "ö"],
      ]),
    ]) {
      expect(await reader.read(writer.write(block))).toEqual(block);
    }
    reader.close();
  });
});
