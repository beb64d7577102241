/**
 * Where a drill takes place: an emulator in this process, or one that runs elsewhere. The engine acts and looks through this alone; it has no other input,
 * output or time.
 */
import type { FaultRequest } from "../../domain/faults/request.js";
import type { PlannedAct } from "../../domain/foresight.js";
import type { EventRecord } from "../../domain/model.js";
import type { Look } from "../../domain/recording.js";

/** An answer of an API, refusals included. Status 0: nobody answered, and the body says why. */
export interface Answer {
  status: number;
  /** Parsed where it is JSON, otherwise text. */
  body: unknown;
}

export interface HttpCall {
  method: string;
  /** With the query. */
  path: string;
  body?: unknown;
  contentType?: string;
}

export interface StartedFault {
  id: string;
  /** A sentence: what it does to what. */
  title: string;
  zone?: string;
  /** It happened once, and is over. */
  endedAtMs?: number;
}

export interface CommandOutcome {
  /** Undefined: it could not be started, was ended by a signal, or took too long; `output` says which. */
  exitCode?: number;
  output: string;
}

export interface DrillTarget {
  /** Of Kubernetes: `embedded`, `kind`. */
  readonly backend: string;
  /** Seed of the emulator. */
  readonly seed: number;
  /** Its clock moves only when told. */
  readonly stepped: boolean;
  /** The emulator goes with the drill: nothing has to be deleted in it. */
  readonly isPrivate: boolean;
  /** Simulated time as last heard, epoch milliseconds. */
  now(): number;
  /** The machine's own time, milliseconds from anywhere: for differences. */
  wallMs(): number;
  /**
   * Lets simulated time pass: until `limitMs` have passed, or less when something has changed (`wake: "change"`). Rejects with the signal's reason.
   */
  pass(limitMs: number, options: { wake: "change" | "end"; signal?: AbortSignal }): Promise<void>;
  /** Resolves when nothing is left to do at the present time. */
  settle(): Promise<void>;
  eks(call: HttpCall): Promise<Answer>;
  kubernetes(cluster: string, call: HttpCall): Promise<Answer>;
  /** A command in a container of a pod, without input. */
  exec(
    cluster: string,
    where: { namespace: string; pod: string; container?: string },
    command: readonly string[],
  ): Promise<CommandOutcome>;
  /** For each act why it cannot be here, in a sentence; null: nothing is known that speaks against it. Changes nothing. */
  foresee(acts: readonly PlannedAct[]): Promise<readonly (string | null)[]>;
  /** Rejects with Errors that say what to do: unknown names, empty targets, what the backend cannot do. */
  startFault(request: FaultRequest): Promise<StartedFault>;
  /** Nothing when it has ended already. */
  stopFault(id: string): Promise<void>;
  /** Resolves with its id. */
  startZonalShift(shift: { cluster: string; awayFrom: string; expiresIn: string; comment: string }): Promise<string>;
  cancelZonalShift(id: string): Promise<void>;
  /** Events of the account, oldest first. */
  events(afterSequence: number): Promise<EventRecord[]>;
  record(clusters: readonly string[]): Promise<TargetRecording>;
  command(argv: readonly string[], timeoutMs: number): Promise<CommandOutcome>;
}

/** As `Recording` of the domain, from afar. */
export interface TargetRecording {
  read(): Promise<Look[]>;
  close(): Promise<void>;
}
