/** Refusals of EKS Auth. Its model has other statuses than EKS's under the same names. */
const EKS_AUTH_STATUS = {
  AccessDeniedException: 400,
  ExpiredTokenException: 400,
  InvalidParameterException: 400,
  InvalidRequestException: 400,
  InvalidTokenException: 400,
  ResourceNotFoundException: 404,
  ThrottlingException: 429,
  InternalServerException: 500,
  ServiceUnavailableException: 503,
} as const;

export class EksAuthError extends Error {
  constructor(
    readonly code: keyof typeof EKS_AUTH_STATUS,
    message: string,
  ) {
    super(message);
    this.name = "EksAuthError";
  }

  get status(): number {
    return EKS_AUTH_STATUS[this.code];
  }

  /** As the model marks it. */
  get fault(): "client" | "server" {
    return this.status < 500 ? "client" : "server";
  }
}
