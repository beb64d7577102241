import type { Clock } from "../../clock/clock.js";
import type { Pod } from "../schema/generated/types.js";

/** Service account tokens in pods: made when somebody reads the first, and made again when most of their life is over, as kubelet's token manager does. */
type Issue = (pod: Pod, request: { audience: string | undefined; expirationSeconds: number }) => Promise<string>;

const REFRESH_AFTER = 0.8;
const MOST_TOKENS = 10_000;

/** The token as it is at the moment; empty until the first has been made. */
export function createTokenCache(
  issue: Issue | undefined,
  clock: Clock,
  /** The time by the clock of the pod's node, epoch ms: by that one a kubelet judges whether a token has to be made again. */
  nodeNowMs: (pod: Pod) => number,
): (pod: Pod, audience: string | undefined, expirationSeconds: number) => string {
  const known = new Map<string, { text: string; untilMs: number }>();
  return (pod, audience, expirationSeconds) => {
    if (!issue) return "";
    const key = `${pod.metadata.uid} ${expirationSeconds} ${audience ?? ""}`;
    const entry = known.get(key);
    if (entry && entry.untilMs > nodeNowMs(pod)) return entry.text;
    const next = { text: entry?.text ?? "", untilMs: clock.now() + expirationSeconds * 1000 * REFRESH_AFTER };
    if (known.size >= MOST_TOKENS) known.clear();
    known.set(key, next);
    const work = issue(pod, { audience, expirationSeconds }).then(
      (text) => {
        next.text = text;
      },
      () => {
        // The account is gone, or the API server does not answer: the next reader tries again.
        known.delete(key);
      },
    );
    void clock.track(work);
    return next.text;
  };
}
