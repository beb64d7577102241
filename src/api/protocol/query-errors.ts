/** Errors of the aws-query protocol. What the front door refuses has other codes there than in JSON. */
import { DomainError, type ErrorName } from "../../domain/errors.js";
import { IamError, type IamErrorCode } from "../../domain/iam-errors.js";
import type { Answer } from "./errors.js";
import { escapeXml } from "./xml.js";

const CODES: Readonly<Partial<Record<ErrorName, IamErrorCode>>> = {
  UnrecognizedClientException: "InvalidClientTokenId",
  InvalidSignatureException: "SignatureDoesNotMatch",
  MissingAuthenticationTokenException: "MissingAuthenticationToken",
  ExpiredTokenException: "ExpiredToken",
  IncompleteSignatureException: "IncompleteSignature",
  AccessDeniedException: "AccessDenied",
  SerializationException: "MalformedInput",
  RequestEntityTooLargeException: "RequestEntityTooLarge",
  NotImplementedException: "NotImplemented",
  UnknownOperationException: "InvalidAction",
  ThrottlingException: "Throttling",
  ServerException: "InternalFailure",
  ServiceUnavailableException: "ServiceUnavailable",
};

/** The answer for anything thrown. What is not a refusal is a bug: told to `report`, and to the client without its details. */
export function queryErrorAnswer(
  error: unknown,
  { namespace, requestId, report }: { namespace: string; requestId: string; report: (error: unknown) => void },
): Answer {
  const refusal = refusalOf(error);
  if (!refusal) report(error);
  const { code, message, status } =
    refusal ??
    new IamError(
      "InternalFailure",
      `An internal error occurred; the log of eksim has it under request id ${requestId}`,
    );
  return {
    status,
    headers: { "content-type": "text/xml", "x-amzn-requestid": requestId },
    body: `<ErrorResponse xmlns="${namespace}"><Error><Type>${status < 500 ? "Sender" : "Receiver"}</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
  };
}

function refusalOf(error: unknown): IamError | undefined {
  if (error instanceof IamError) return error;
  if (!(error instanceof DomainError)) return undefined;
  const code = CODES[error.code];
  return code && new IamError(code, error.message);
}
