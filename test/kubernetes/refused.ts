import { isStatusError, type StatusError } from "../../src/kubernetes/errors.js";

/** The error with which a request is refused; fails when it is not. */
export async function refused(work: Promise<unknown>): Promise<StatusError> {
  try {
    await work;
  } catch (error) {
    if (isStatusError(error)) return error;
    throw error;
  }
  throw new Error("not refused");
}
