import type { Clock } from "../../clock/clock.js";
import { keyOf } from "../object.js";
import type { Pod } from "../schema/generated/types.js";

/**
 * Service account tokens in pods: made when somebody may read the first, made again when most of their life is over, as kubelet's token manager does, and
 * asked for again with a kubelet's back-off as long as there is none to be had.
 */
type Issue = (pod: Pod, request: { audience: string | undefined; expirationSeconds: number }) => Promise<string>;

/** A token as it is at the moment. */
export interface PodToken {
  /** Empty: there is none yet. */
  text: string;
  /** There is none yet, and it is being made or will be asked for again. */
  isMissing: boolean;
  /** Why the last try has failed, and when the next one may be made, epoch ms. Absent while that is under way: `onSettled` tells of its end. */
  problem?: { message: string; retryMs: number };
}

export type TokenSource = (pod: Pod, audience: string | undefined, expirationSeconds: number) => PodToken;

export interface TokenCacheOptions {
  /** Absent: tokens are empty, and nobody waits for them. */
  issue: Issue | undefined;
  clock: Clock;
  /** The time by the clock of the pod's node, epoch ms: by that one a kubelet judges whether a token has to be made again. */
  nodeNowMs: (pod: Pod) => number;
  /** A token of the pod is there, or cannot be had for now. */
  onSettled: (podKey: string) => void;
}

const REFRESH_AFTER = 0.8;
const MOST_TOKENS = 10_000;
/** kubelet's exponentialbackoff for mounts: 500 ms, doubled, at most two minutes and two seconds. */
const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 122_000;

interface Entry {
  text: string;
  /** Good until then, by the node's clock. */
  untilMs: number;
  isBeingMade: boolean;
  failures: number;
  problem?: PodToken["problem"];
}

export function createTokenCache({ issue, clock, nodeNowMs, onSettled }: TokenCacheOptions): TokenSource {
  const known = new Map<string, Entry>();
  return (pod, audience, expirationSeconds) => {
    if (!issue) return { text: "", isMissing: false };
    const key = `${pod.metadata.uid} ${expirationSeconds} ${audience ?? ""}`;
    let entry = known.get(key);
    if (!entry) {
      if (known.size >= MOST_TOKENS) known.clear();
      entry = { text: "", untilMs: Number.NEGATIVE_INFINITY, isBeingMade: false, failures: 0 };
      known.set(key, entry);
    }
    if (entry.untilMs <= nodeNowMs(pod) && !entry.isBeingMade && (entry.problem?.retryMs ?? 0) <= clock.now())
      void clock.track(make(entry, issue(pod, { audience, expirationSeconds }), expirationSeconds, keyOf(pod)));
    return tokenOf(entry);
  };

  async function make(entry: Entry, work: Promise<string>, expirationSeconds: number, podKey: string): Promise<void> {
    const askedMs = clock.now();
    entry.isBeingMade = true;
    try {
      const text = await work;
      Object.assign(entry, { text, untilMs: askedMs + expirationSeconds * 1000 * REFRESH_AFTER, failures: 0 });
      delete entry.problem;
    } catch (error) {
      // What there was before serves on.
      const waitMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** entry.failures++);
      const message = error instanceof Error ? error.message : String(error);
      entry.problem = { message, retryMs: clock.now() + waitMs };
    } finally {
      entry.isBeingMade = false;
    }
    onSettled(podKey);
  }
}

const tokenOf = ({ text, problem, isBeingMade }: Entry): PodToken => ({
  text,
  isMissing: text === "",
  ...(problem && !isBeingMade ? { problem } : {}),
});
