import { fromBytes } from "./files.js";
import type { Output } from "./streams.js";

/** What a container has written, line by line with times. Bounded: the oldest lines go first, as with a rotated log file. */
export interface LogLine {
  text: string;
  atMs: number;
  /** Without a newline at its end (yet). */
  partial?: boolean;
}

const MAX_LINES = 10_000;
const MAX_BYTES = 1024 * 1024;
/** A kubelet's runtime cuts longer lines. */
const MAX_LINE = 16_384;

export class ContainerLog {
  private lines: LogLine[] = [];
  private bytes = 0;
  private readonly listeners = new Set<(line: LogLine) => void>();

  /** `isFull`: what is written then is lost, as on a full disk. */
  constructor(
    private readonly now: () => number,
    private readonly isFull: () => boolean = () => false,
  ) {}

  /** All lines, the unfinished one included. */
  all(): readonly LogLine[] {
    return this.lines;
  }

  /** One of the container's two outputs. */
  output(): Output {
    let open: LogLine | undefined;
    return {
      write: (data) => {
        if (this.isFull()) return;
        let rest = data;
        while (rest !== "") {
          const end = rest.indexOf("\n");
          const piece = end < 0 ? rest : rest.slice(0, end);
          rest = end < 0 ? "" : rest.slice(end + 1);
          if (open && open.text.length + piece.length <= MAX_LINE) open.text += piece;
          else {
            open = { text: piece, atMs: this.now(), partial: true };
            this.lines.push(open);
          }
          this.bytes += piece.length + 1;
          if (end < 0) break;
          delete open.partial;
          open.text = fromBytes(open.text);
          for (const listener of this.listeners) listener(open);
          open = undefined;
        }
        this.trim();
      },
    };
  }

  /** Takes whole lines as they are. */
  add(text: string, atMs: number): void {
    const line = { text, atMs };
    this.lines.push(line);
    this.bytes += text.length + 1;
    this.trim();
    for (const listener of this.listeners) listener(line);
  }

  onLine(listener: (line: LogLine) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private trim(): void {
    let drop = Math.max(0, this.lines.length - MAX_LINES);
    let over = this.bytes - MAX_BYTES;
    for (let i = 0; i < drop; i++) over -= this.lines[i]?.text.length ?? 0;
    while (over > 0 && drop < this.lines.length - 1) over -= (this.lines[drop++]?.text.length ?? 0) + 1;
    if (drop === 0) return;
    for (const line of this.lines.splice(0, drop)) this.bytes -= line.text.length + 1;
  }
}
