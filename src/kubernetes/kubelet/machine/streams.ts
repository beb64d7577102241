/** What processes of the machine read from and write to. */
export interface Output {
  /** Throws BrokenPipe when nobody will ever read it. */
  write(data: string): void;
  /** True while a writer should wait. */
  readonly isFull?: boolean;
  /** One writer less: a pipe ends with its last. */
  close?(): void;
}

export interface Input {
  /** What is there (at most `most` characters); undefined: nothing yet; null: the end. */
  read(most?: number): string | undefined | null;
  /** Gives back what was read too much. */
  unread(data: string): void;
  /** The reader is gone. */
  close?(): void;
  readonly isTerminal?: boolean;
}

export class BrokenPipe extends Error {}

const PIPE_BYTES = 65_536;

/** A pipe with one reader; ends when `writers` of them have closed it. */
export class Pipe implements Input, Output {
  private chunks: string[] = [];
  private length = 0;
  private readerGone = false;

  constructor(private writers = 1) {}

  write(data: string): void {
    if (this.readerGone) throw new BrokenPipe();
    if (data === "") return;
    this.chunks.push(data);
    this.length += data.length;
  }

  get isFull(): boolean {
    return this.length >= PIPE_BYTES && !this.readerGone;
  }

  read(most = Number.POSITIVE_INFINITY): string | undefined | null {
    if (this.length === 0) return this.writers <= 0 ? null : undefined;
    const all = this.chunks.length === 1 ? (this.chunks[0] as string) : this.chunks.join("");
    const data = all.slice(0, most);
    this.chunks = all.length > data.length ? [all.slice(data.length)] : [];
    this.length = all.length - data.length;
    return data;
  }

  unread(data: string): void {
    if (data === "") return;
    this.chunks.unshift(data);
    this.length += data.length;
  }

  /** A writer is done. */
  close(): void {
    this.writers--;
  }

  hangUp(): void {
    this.readerGone = true;
    this.chunks = [];
    this.length = 0;
  }
}

/** An input that holds a text, or nothing. */
export function textInput(text = ""): Input {
  let rest = text;
  return {
    read(most = Number.POSITIVE_INFINITY) {
      if (rest === "") return null;
      const data = rest.slice(0, most);
      rest = rest.slice(data.length);
      return data;
    },
    unread(data) {
      rest = data + rest;
    },
  };
}

/** Collects what is written, up to a limit. */
export class TextOutput implements Output {
  text = "";
  constructor(private readonly limit = 16 * 1024 * 1024) {}
  write(data: string): void {
    if (this.text.length < this.limit) this.text += data;
  }
}

export const discard: Output = { write: () => {} };
