import type { Clock } from "../../clock/clock.js";
import type { WatchSink } from "../streams/websocket-watch.js";

/** A client that is so many characters of events behind is told so and let go; it will list and watch again. */
const MOST_BEHIND = 32 * 1024 * 1024;
/** Simulated seconds in which such a client may still read that it has been let go. */
const FAREWELL_SECONDS = 30;
/** Bytes of a write that is kept for other clients with the same events. */
const MOST_SHARED = 1024 * 1024;
/** Watchers that are written to in one turn of the event loop. Where there are more, the events of some turns share a write, which is what is dear. */
const WRITES_A_TURN = 16;

/** The way of one watch's events to its client. */
export interface WatchWriter {
  /** Sends the text of one event or more, soon. */
  push(text: string): void;
  /** Sends what is left, and no more. */
  end(): void;
}

interface Writer {
  sink: WatchSink;
  /** What the watch begins with, made as fast as the client reads. */
  initial: Iterator<string> | undefined;
  pending: string[];
  pendingLength: number;
  /** A write is on its way: the next waits for it, so that a slow client is known by what is pending. */
  writing: boolean;
  waiting: boolean;
  ended: boolean;
}

/**
 * Makes the writers of all watches of a server. What comes while a client reads goes out in one write, and clients that get the same get the same bytes.
 * `onLate` hears of a client that is too far behind, and gives it its last words.
 */
export function createWatchWriters(
  clock: Clock,
): (sink: WatchSink, options: { initial?: Iterable<string>; onLate: () => string }) => WatchWriter {
  let queue: Writer[] = [];
  let scheduled = false;
  let shared: { texts: readonly string[]; bytes: Buffer } | undefined;

  function bytesOf(texts: readonly string[]): Buffer {
    if (shared?.texts.length === texts.length && shared.texts.every((text, i) => text === texts[i]))
      return shared.bytes;
    const bytes = Buffer.from(texts.length === 1 ? (texts[0] as string) : texts.join(""));
    if (bytes.length <= MOST_SHARED) shared = { texts, bytes };
    return bytes;
  }

  function write(writer: Writer, bytes: Buffer): void {
    writer.writing = true;
    writer.sink.write(bytes, (error) => {
      writer.writing = false;
      if (error) writer.ended = true;
      flush(writer);
    });
  }

  function flush(writer: Writer): void {
    if (writer.writing || writer.ended) return;
    if (writer.initial) {
      const { value, done } = writer.initial.next();
      if (!done) {
        write(writer, Buffer.from(value));
        return;
      }
      writer.initial = undefined;
    }
    if (writer.pending.length === 0) return;
    const bytes = bytesOf(writer.pending);
    writer.pending = [];
    writer.pendingLength = 0;
    write(writer, bytes);
  }

  function turn(): void {
    const now = queue.length > WRITES_A_TURN ? queue.splice(0, WRITES_A_TURN) : queue;
    if (now === queue) queue = [];
    for (const writer of now) {
      writer.waiting = false;
      flush(writer);
    }
    shared = undefined;
    scheduled = queue.length > 0;
    if (scheduled) clock.defer(turn);
  }

  return (sink, { initial, onLate }) => {
    const writer: Writer = {
      sink,
      initial: initial?.[Symbol.iterator](),
      pending: [],
      pendingLength: 0,
      writing: false,
      waiting: false,
      ended: false,
    };
    const end = (lastWords?: string): void => {
      if (writer.ended) return;
      writer.ended = true;
      const text = lastWords ?? (writer.initial ? "" : writer.pending.join(""));
      writer.pending = [];
      writer.initial = undefined;
      sink.end(text);
    };
    const letGo = (): void => {
      end(onLate());
      const timer = clock.timer(FAREWELL_SECONDS * 1000, () => sink.destroy());
      sink.on("close", () => timer.cancel());
    };
    flush(writer);
    return {
      push(text) {
        if (writer.ended) return;
        writer.pending.push(text);
        writer.pendingLength += text.length;
        if (writer.pendingLength > MOST_BEHIND) letGo();
        else if (!writer.waiting) {
          writer.waiting = true;
          queue.push(writer);
          if (!scheduled) {
            scheduled = true;
            clock.defer(turn);
          }
        }
      },
      end: () => end(),
    };
  };
}
