/** Values that JavaScript has no type of its own for, and what is thrown when an expression cannot be evaluated. */

/** Why an evaluation failed; `||`, `&&` and the quantifying macros may get over it. */
export class CelError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CelError";
  }
}

/** The evaluation cost more than it may: nothing gets over that. */
export class CelBudgetError extends Error {
  constructor() {
    super("operation cancelled: actual cost limit exceeded");
    this.name = "CelBudgetError";
  }
}

export class Uint {
  constructor(readonly value: bigint) {}
}

export class Timestamp {
  /** Nanoseconds since 1970. */
  constructor(readonly nanos: bigint) {}
}

export class Duration {
  constructor(readonly nanos: bigint) {}
}

export class TypeValue {
  constructor(readonly name: string) {}
}
