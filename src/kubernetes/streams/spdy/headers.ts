import { constants, createInflate } from "node:zlib";

/**
 * Header blocks of SPDY/3.1: pairs of texts, each with its length before it, in one zlib stream for each direction of a connection, which begins with a
 * dictionary that both sides know.
 */

const WORDS =
  "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection " +
  "content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host " +
  "if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization " +
  "range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version " +
  "HTTP/1.1 url public set-cookie keep-alive origin";
const STATUS_NUMBERS = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505";
const STATUS_LINES =
  "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error" +
  "501 Not Implemented503 Service Unavailable";
const DATES = "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT";
const TYPES =
  "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public" +
  "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The dictionary of the protocol's specification, section 2.6.10.1. */
export const DICTIONARY: Buffer = Buffer.concat([
  ...WORDS.split(" ").map((word) => lengthAndText(word.replace("_", " "))),
  Buffer.from(STATUS_NUMBERS + STATUS_LINES + DATES + TYPES),
]);

export type Headers = ReadonlyMap<string, string>;

function parseBlock(block: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    const value = block.readUInt32BE(at);
    at += 4;
    return value;
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new Error("a block of SPDY headers ends too early");
    at += length;
    return block.toString("utf8", at - length, at);
  };
  const headers = new Map<string, string>();
  for (let count = number(); count > 0; count--) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}

/** Largest block taken, decompressed bytes. */
const MAX_BLOCK_BYTES = 1024 * 1024;

/** Reads header blocks in the order in which they came. Rejects for what is no such block. */
export function createHeaderReader(): { read(block: Buffer): Promise<Headers>; close(): void } {
  const inflate = createInflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  let chunks: Buffer[] = [];
  let size = 0;
  inflate.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BLOCK_BYTES) chunks.push(chunk);
  });
  // The callback of a write is not called when its bytes are no deflate stream.
  let refuse = (_error: Error): void => {};
  inflate.on("error", (error) => refuse(error));
  inflate.on("close", () => refuse(new Error("the connection is closed")));
  return {
    read: (block) =>
      new Promise((resolve, reject) => {
        chunks = [];
        size = 0;
        refuse = reject;
        inflate.write(block, (error) => {
          if (error) return reject(error);
          try {
            if (size > MAX_BLOCK_BYTES) throw new Error("a block of SPDY headers is too large");
            resolve(parseBlock(Buffer.concat(chunks)));
          } catch (problem) {
            reject(problem);
          }
        });
      }),
    close: () => inflate.close(),
  };
}

/** An empty stored part: here readers have to give out what they have. */
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);
/** Longest part of a deflate stream that can be stored as it is. */
const MAX_STORED_BYTES = 0xffff;

/**
 * Writes header blocks. They go out uncompressed, as stored parts of a zlib stream that uses no dictionary, which every inflater reads: what a server of
 * Kubernetes streams has to say is an empty block.
 */
export function createHeaderWriter(): { write(headers: Headers): Buffer } {
  let begun = false;
  return {
    write(headers) {
      const count = Buffer.allocUnsafe(4);
      count.writeUInt32BE(headers.size);
      const block = Buffer.concat([count, ...[...headers].flat().map(lengthAndText)]);
      if (block.length > MAX_STORED_BYTES) throw new Error("a block of SPDY headers is too large");
      const part = Buffer.allocUnsafe(5);
      part[0] = 0;
      part.writeUInt16LE(block.length, 1);
      part.writeUInt16LE(~block.length & 0xffff, 3);
      const start = begun ? [] : [Buffer.from([0x78, 0x01])];
      begun = true;
      return Buffer.concat([...start, part, block, FLUSH]);
    },
  };
}
