/** Errors on the wire: the code in `x-amzn-ErrorType`, the message and the shape's members in the body. The only place that maps them. */
import { DomainError, ERROR_STATUS, type ErrorName } from "../../domain/errors.js";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The answer for anything thrown. What is not a DomainError is a bug: told to `report`, and to the client without its details. */
export function errorAnswer(error: unknown, requestId: string, report: (error: unknown) => void): Answer {
  if (error instanceof DomainError)
    return answer(error.status, error.code, requestId, { ...error.context, message: error.message });
  report(error);
  return namedAnswer(
    "ServerException",
    `An internal error occurred; the log of eksim has it under request id ${requestId}`,
    requestId,
  );
}

/** An answer of a code of the catalogue, for refusals that come before any operation. */
export const namedAnswer = (code: ErrorName, message: string, requestId: string): Answer =>
  answer(ERROR_STATUS[code], code, requestId, { message });

const answer = (status: number, code: string, requestId: string, body: object): Answer => ({
  status,
  headers: { "content-type": "application/json", "x-amzn-requestid": requestId, "x-amzn-errortype": code },
  body: JSON.stringify(body),
});
