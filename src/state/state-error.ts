/** The state cannot be opened, for a reason that the person who started eksim can do something about. Says so in one line; nothing was touched. */
export class StateError extends Error {
  /** Exit code of the process: wrong use or surroundings, as for a wrong flag. */
  readonly exitCode = 2;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StateError";
  }
}
