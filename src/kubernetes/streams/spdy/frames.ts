/**
 * Frames of SPDY/3.1 as bytes. Control frames: a bit 1, 15 bits of version (3), 16 of type, 8 of flags, 24 of length. Data frames: a bit 0, 31 bits of stream,
 * 8 of flags, 24 of length. Numbers are big-endian.
 */
export const FRAME = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const FLAG_FIN = 1;
export const RST = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

export interface ControlFrame {
  kind: "control";
  type: number;
  flags: number;
  payload: Buffer;
}

export interface DataFrame {
  kind: "data";
  stream: number;
  flags: number;
  payload: Buffer;
}

export type Frame = ControlFrame | DataFrame;

const HEAD_BYTES = 8;
const VERSION = 3;
const STREAM_ID = 0x7fffffff;
const LENGTH_MASK = 0xffffff;
/** Longest data frame that is written, bytes. */
export const MAX_DATA_BYTES = 32 * 1024;

/** Cuts whole frames out of what has come so far. Throws for another version of the protocol. */
export function createFrameReader(): { feed(chunk: Buffer): Frame[] } {
  let rest: Buffer = Buffer.alloc(0);
  return {
    feed(chunk) {
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      const frames: Frame[] = [];
      let at = 0;
      while (bytes.length - at >= HEAD_BYTES) {
        const word = bytes.readUInt32BE(at + 4);
        const end = at + HEAD_BYTES + (word & LENGTH_MASK);
        if (end > bytes.length) break;
        const payload = bytes.subarray(at + HEAD_BYTES, end);
        const flags = word >>> 24;
        const first = bytes.readUInt32BE(at);
        if (first <= STREAM_ID) frames.push({ kind: "data", stream: first, flags, payload });
        else {
          const version = (first >>> 16) & 0x7fff;
          if (version !== VERSION) throw new Error(`SPDY version ${version} is not spoken here`);
          frames.push({ kind: "control", type: first & 0xffff, flags, payload });
        }
        at = end;
      }
      rest = bytes.subarray(at);
      return frames;
    },
  };
}

export function dataFrame(stream: number, payload: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  frame.writeUInt32BE(stream, 0);
  frame.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  frame.set(payload, HEAD_BYTES);
  return frame;
}

function controlFrame(type: number, payload: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  frame.writeUInt32BE((0x80000000 | (VERSION << 16) | type) >>> 0, 0);
  frame.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  frame.set(payload, HEAD_BYTES);
  return frame;
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

/** `headers`: a compressed block. */
export const synReplyFrame = (stream: number, headers: Uint8Array): Buffer =>
  controlFrame(FRAME.synReply, Buffer.concat([words(stream), headers]));
/** A client's: opens a stream. */
export const synStreamFrame = (stream: number, headers: Uint8Array): Buffer =>
  controlFrame(FRAME.synStream, Buffer.concat([words(stream, 0), Buffer.alloc(2), headers]));
export const rstFrame = (stream: number, status: number): Buffer =>
  controlFrame(FRAME.rstStream, words(stream, status));
export const pingFrame = (id: Uint8Array): Buffer => controlFrame(FRAME.ping, id);
export const goAwayFrame = (lastStream: number): Buffer => controlFrame(FRAME.goAway, words(lastStream, 0));
export const windowUpdateFrame = (stream: number, bytes: number): Buffer =>
  controlFrame(FRAME.windowUpdate, words(stream, bytes));

export const streamIdOf = (payload: Buffer, at = 0): number => payload.readUInt32BE(at) & STREAM_ID;
