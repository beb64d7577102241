/** Failures of backends. */
/** An expected failure of a backend: never a bug of ours. */
export class BackendError extends Error {
  constructor(
    readonly code: "missing" | "unavailable" | "failed" | "timeout" | "unsupported",
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "BackendError";
  }
}
