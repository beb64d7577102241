/** What drills make of answers, in whichever emulator they play. */
import type { StartedFault } from "../../faults/drills/target.js";

/** A fault as the emulator tells of it. */
export interface ToldFault {
  id: string;
  title: string;
  target: { zone?: string };
  endedAtMs?: number;
}

export const startedFault = ({ id, title, target: { zone }, endedAtMs }: ToldFault): StartedFault => ({
  id,
  title,
  ...(zone ? { zone } : {}),
  ...(endedAtMs === undefined ? {} : { endedAtMs }),
});

/** Why nobody answered. Without ports and addresses: they differ from one run to the next. */
export function silence(error: unknown, { isOver, limitMs }: { isOver: boolean; limitMs: number }): string {
  if (isOver) return `no answer within ${limitMs / 1000} s`;
  const { code, cause, name } = error as { code?: string; cause?: { code?: string }; name?: string };
  return `no answer (${code ?? cause?.code ?? name})`;
}
