/**
 * Keeps answers of reads until the state changes. Clients poll: waiters, controllers and consoles ask for the same few resources over and over, and between
 * two writes the answer is the same, byte for byte.
 */
import type { Answer } from "./errors.js";
import type { RestJsonRequest } from "./rest-json.js";

const MAX_ANSWERS = 1000;

export interface MemoryOptions<Context> {
  /** Grows with every write. */
  changes(): number;
  /** Whether an answer depends on the state alone, and not on the time as well. */
  keeps(request: RestJsonRequest): boolean;
  /** What the answer depends on besides the request. */
  keyOf(context: Context): string;
}

/** The same service, faster. Refusals are not kept. */
export function rememberReads<Context extends { requestId: string }>(
  service: (request: RestJsonRequest, context: Context) => Answer,
  { changes, keeps, keyOf }: MemoryOptions<Context>,
): (request: RestJsonRequest, context: Context) => Answer {
  const answers = new Map<string, Answer>();
  let asOf = -1;
  return (request, context) => {
    if (request.method !== "GET" || !keeps(request)) return service(request, context);
    const now = changes();
    if (now !== asOf || answers.size >= MAX_ANSWERS) {
      answers.clear();
      asOf = now;
    }
    const key = `${keyOf(context)} ${request.url}`;
    const known = answers.get(key);
    if (known) return { ...known, headers: { ...known.headers, "x-amzn-requestid": context.requestId } };
    const answer = service(request, context);
    answers.set(key, answer);
    return answer;
  };
}
