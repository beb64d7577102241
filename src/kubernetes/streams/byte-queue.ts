/** Bytes on their way from a connection to whoever reads them, in order. The one who fills it is told when to pause. */
export interface ByteQueue extends AsyncIterable<Uint8Array> {
  push(bytes: Uint8Array): void;
  /** No more will come; what is there is still read. */
  end(): void;
}

/** More than this waiting: the connection is to be paused. Bytes. */
const HIGH_WATER_BYTES = 256 * 1024;

/** `onFull(true)` when too much waits, `onFull(false)` when it has been read. Meant for one reader. */
export function createByteQueue(onFull: (full: boolean) => void = () => {}): ByteQueue {
  const chunks: Uint8Array[] = [];
  let waitingBytes = 0;
  let full = false;
  let ended = false;
  let wake = (): void => {};

  const weigh = (): void => {
    const next = waitingBytes > (full ? 0 : HIGH_WATER_BYTES);
    if (next === full) return;
    full = next;
    onFull(full);
  };

  return {
    push(bytes) {
      if (ended || bytes.length === 0) return;
      chunks.push(bytes);
      waitingBytes += bytes.length;
      weigh();
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk) {
          waitingBytes -= chunk.length;
          weigh();
          yield chunk;
        } else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}
