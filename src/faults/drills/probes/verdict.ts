/** What a probe says of a moment. */
export interface ProbeVerdict {
  ok: boolean;
  /** What is so, in a few words: `4 ready nodes, at least 6 wanted`. */
  message: string;
}

export const verdict = (ok: boolean, message: string): ProbeVerdict => ({ ok, message });

/** `5 ready nodes` against bounds. */
export function bounded(
  count: number,
  what: string,
  { atLeast, atMost }: { atLeast?: number | undefined; atMost?: number | undefined },
): ProbeVerdict {
  if (atLeast !== undefined && count < atLeast) return verdict(false, `${count} ${what}, at least ${atLeast} wanted`);
  if (atMost !== undefined && count > atMost) return verdict(false, `${count} ${what}, at most ${atMost} wanted`);
  return verdict(true, `${count} ${what}`);
}
