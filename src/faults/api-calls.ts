/** Which calls of AWS's APIs the faults that are on befall. Each fault draws by its own seed, call by call. */
import { createRandom, type Random } from "../clock/random.js";
import type { CallTrouble, CallTroubles } from "../domain/call-trouble.js";
import { type ApiTrouble, knownFault, meansOperation } from "../domain/faults/index.js";
import type { FaultRecord, Scope } from "../domain/model.js";
import type { State } from "../state/state.js";

const REFUSALS = { 500: "internal-failure", 503: "unavailable" } as const;

export function createCallTroubles({ faults }: Pick<State, "faults">): CallTroubles {
  const draws = new Map<string, Random>();

  const drawOf = ({ id, seed }: FaultRecord): Random => {
    const known = draws.get(id);
    if (known) return known;
    for (const other of draws.keys()) if (faults.get(other)?.phase === "ended") draws.delete(other);
    const random = createRandom(seed, `calls ${id}`);
    draws.set(id, random);
    return random;
  };

  return (scope: Scope, service, operation) => {
    const acting = faults.active(scope).flatMap((fault) => {
      const trouble = knownFault(fault)?.api?.(fault.parameters);
      return trouble?.services.includes(service) ? [{ fault, trouble }] : [];
    });
    if (acting.length === 0) return undefined;
    const name = operation();
    // What is no operation is refused as always.
    if (name === undefined) return undefined;
    let latencyMs = 0;
    let refusal: CallTrouble["refusal"];
    for (const { fault, trouble } of acting) {
      if (!trouble.operations.some((pattern) => meansOperation(pattern, name))) continue;
      const random = drawOf(fault);
      if (random.next() * 100 >= trouble.share) continue;
      if (trouble.answer.kind === "late") latencyMs += lateness(trouble.answer, random);
      else refusal ??= trouble.answer.kind === "throttled" ? "throttled" : REFUSALS[trouble.answer.status];
    }
    return latencyMs > 0 || refusal ? { latencyMs, ...(refusal ? { refusal } : {}) } : undefined;
  };
}

const lateness = ({ latencyMs, jitterMs }: Extract<ApiTrouble["answer"], { kind: "late" }>, random: Random): number =>
  latencyMs + (jitterMs > 0 ? random.integer(0, jitterMs) : 0);
