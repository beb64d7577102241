/** Refusals of STS and IAM: the codes that are on the wire of the aws-query protocol, with their statuses. */

const IAM_ERROR_STATUS = {
  AccessDenied: 403,
  ConcurrentModification: 409,
  DeleteConflict: 409,
  EntityAlreadyExists: 409,
  ExpiredToken: 403,
  ExpiredTokenException: 400,
  IDPCommunicationError: 400,
  IDPRejectedClaim: 403,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidAuthorizationMessageException: 400,
  InvalidClientTokenId: 403,
  InvalidIdentityToken: 400,
  InvalidInput: 400,
  InvalidParameterValue: 400,
  LimitExceeded: 409,
  MalformedInput: 400,
  MalformedPolicyDocument: 400,
  MissingAction: 400,
  MissingAuthenticationToken: 403,
  NoSuchEntity: 404,
  NotImplemented: 501,
  PackedPolicyTooLarge: 400,
  PolicyNotAttachable: 400,
  RequestEntityTooLarge: 413,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  UnmodifiableEntity: 400,
  ValidationError: 400,
} as const;

export type IamErrorCode = keyof typeof IAM_ERROR_STATUS;

/** An expected refusal of STS or IAM. Mapped to XML once, at the edge. */
export class IamError extends Error {
  constructor(
    readonly code: IamErrorCode,
    message: string,
  ) {
    super(message);
    this.name = "IamError";
  }

  get status(): number {
    return IAM_ERROR_STATUS[this.code];
  }
}

export const noSuchEntity = (kind: "role" | "user" | "group", name: string): IamError =>
  new IamError("NoSuchEntity", `The ${kind} with name ${name} cannot be found.`);

export const accessDenied = (callerArn: string, action: string, resource: string): IamError =>
  new IamError("AccessDenied", `User: ${callerArn} is not authorized to perform: ${action} on resource: ${resource}`);
