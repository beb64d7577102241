/**
 * The second round of mutation: when a policy or webhook has changed an object, everything that mutates runs once more, so that what came earlier sees
 * the change (a sidecar that was injected gets its token volume). Policies and webhooks take part in it only if they ask for that.
 */
import { cloneJson, deepEqual } from "../patch/json.js";
import type { AdmissionRequest } from "./plugin.js";

interface Memory {
  /** Keys of those that ran in the first round and may run again. */
  readonly before: Set<string>;
  /** Keys of those that are to run again, because the object has changed since. */
  readonly again: Set<string>;
  output?: unknown;
}

/** Travels with a request; made when the first policy or webhook is about to change it. */
export interface Reinvocation {
  round: 0 | 1;
  /** Something has changed the object: a second round is due. */
  wanted: boolean;
  readonly memories: Map<string, Memory>;
}

export interface Round {
  /** False in the second round for those that are not to run again. */
  shouldRun(key: string): boolean;
  /** The object has been changed. */
  changed(): void;
  /** `key` has run; `ifNeeded`: its reinvocation policy. */
  ran(key: string, ifNeeded: boolean): void;
  /** To be called when the plugin is done with this round. */
  end(): void;
}

/** What the plugin of this name remembers from round to round. */
export function beginRound(plugin: string, request: AdmissionRequest): Round {
  request.reinvocation ??= { round: 0, wanted: false, memories: new Map() };
  const state = request.reinvocation;
  const memory: Memory = state.memories.get(plugin) ?? { before: new Set(), again: new Set() };
  state.memories.set(plugin, memory);
  const requireAgain = (): void => {
    for (const key of memory.before) memory.again.add(key);
    memory.before.clear();
  };
  if (state.round === 1 && !deepEqual(memory.output, request.object)) requireAgain();
  return {
    shouldRun: (key) => state.round === 0 || memory.again.has(key),
    changed() {
      requireAgain();
      state.wanted = true;
    },
    ran(key, ifNeeded) {
      if (ifNeeded) memory.before.add(key);
    },
    end() {
      if (memory.before.size > 0 || memory.again.size > 0) memory.output = cloneJson(request.object);
    },
  };
}
