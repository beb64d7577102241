/** Members of EKS's error shapes that say what the refusal is about. Sent whenever known. */
export interface ErrorContext {
  clusterName?: string;
  nodegroupName?: string;
  fargateProfileName?: string;
  addonName?: string;
  subscriptionId?: string;
  validZones?: string[];
}

/** HTTP status of every error name that EKS answers (service model, plus the edge's own). */
export const ERROR_STATUS = {
  AccessDeniedException: 403,
  BadRequestException: 400,
  ClientException: 400,
  InvalidParameterException: 400,
  InvalidRequestException: 400,
  InvalidStateException: 400,
  NotFoundException: 404,
  ResourceInUseException: 409,
  ResourceLimitExceededException: 400,
  ResourceNotFoundException: 404,
  ResourcePropagationDelayException: 428,
  ServerException: 500,
  ServiceUnavailableException: 503,
  ThrottlingException: 429,
  UnsupportedAvailabilityZoneException: 400,
  // Not in the model: answered by the front door before an operation is reached.
  UnrecognizedClientException: 403,
  InvalidSignatureException: 403,
  MissingAuthenticationTokenException: 403,
  ExpiredTokenException: 403,
  IncompleteSignatureException: 403,
  SerializationException: 400,
  UnknownOperationException: 404,
  NotImplementedException: 501,
  RequestEntityTooLargeException: 413,
} as const;

export type ErrorName = keyof typeof ERROR_STATUS;

/** An expected refusal with a modelled name. Thrown anywhere, mapped to HTTP once at the edge. */
export class DomainError extends Error {
  constructor(
    readonly code: ErrorName,
    message: string,
    readonly context: ErrorContext = {},
  ) {
    super(message);
    this.name = "DomainError";
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}
