/** One cause inside `Status.details.causes`, the form of field errors. */
export interface StatusCause {
  reason?: string;
  message: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/**
 * A refusal of the Kubernetes API server: thrown anywhere below the HTTP layer, rendered there as a `Status` object with this code.
 * Reasons, codes and texts follow apimachinery's `api/errors`. Anything else that is thrown is a bug and answered as InternalError.
 */
export class StatusError extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
    readonly details?: StatusDetails,
  ) {
    super(message);
    this.name = "StatusError";
  }

  /** The `Status` object of apiVersion v1 that goes over the wire. */
  toStatus(): Record<string, unknown> {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      ...(this.reason ? { reason: this.reason } : {}),
      ...(this.details ? { details: withoutEmpty(this.details) } : {}),
      code: this.code,
    };
  }
}

/** Details as they go over the wire, where an empty text is none. */
const withoutEmpty = (details: StatusDetails): StatusDetails =>
  Object.fromEntries(Object.entries(details).filter(([, value]) => value !== "" && value !== undefined));

/** The API server has too much to do (priority and fairness): try again in a second. */
export class TooManyRequests extends StatusError {
  constructor() {
    super(429, "TooManyRequests", "Too many requests, please try again later.", { retryAfterSeconds: 1 });
    this.name = "TooManyRequests";
  }
}

/** What is no error of the API server's own, but of somebody it asked: upstream passes the words on without a reason. */
export const foreignError = (message: string): StatusError => new StatusError(500, "", message);

/** `pods`, or `deployments.apps`: how messages name a resource. */
const qualified = (resource: string, group: string): string => (group ? `${resource}.${group}` : resource);

export function notFound(group: string, resource: string, name: string): StatusError {
  return new StatusError(404, "NotFound", `${qualified(resource, group)} "${name}" not found`, {
    name,
    ...(group ? { group } : {}),
    kind: resource,
  });
}

export function alreadyExists(group: string, resource: string, name: string): StatusError {
  return new StatusError(409, "AlreadyExists", `${qualified(resource, group)} "${name}" already exists`, {
    name,
    ...(group ? { group } : {}),
    kind: resource,
  });
}

export function conflict(group: string, resource: string, name: string, why: string): StatusError {
  return new StatusError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(resource, group)} "${name}": ${why}`,
    {
      name,
      ...(group ? { group } : {}),
      kind: resource,
    },
  );
}

/** The text of a stale resourceVersion. */
export const STALE_OBJECT =
  "the object has been modified; please apply your changes to the latest version and try again";

/** 422: `causes` are field errors; one message is made of all of them as upstream does. */
export function invalid(group: string, kind: string, name: string, causes: StatusCause[]): StatusError {
  // What two rules say alike is said once; it stays two causes.
  const texts = [...new Set(causes.map((cause) => (cause.field ? `${cause.field}: ${cause.message}` : cause.message)))];
  const listed = texts.length === 1 ? (texts[0] as string) : `[${texts.join(", ")}]`;
  return new StatusError(422, "Invalid", `${qualified(kind, group)} "${name}" is invalid: ${listed}`, {
    name,
    ...(group ? { group } : {}),
    kind,
    causes,
  });
}

export const badRequest = (message: string): StatusError => new StatusError(400, "BadRequest", message);
export const unauthorized = (): StatusError => new StatusError(401, "Unauthorized", "Unauthorized");
export const methodNotAllowed = (): StatusError =>
  new StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
export const unsupportedMediaType = (message: string): StatusError =>
  new StatusError(415, "UnsupportedMediaType", message);
export const expired = (message: string): StatusError => new StatusError(410, "Expired", message);
export const internalError = (message: string): StatusError =>
  new StatusError(500, "InternalError", `Internal error occurred: ${message}`);

export function forbidden(group: string, resource: string, name: string, why: string): StatusError {
  const text = name
    ? `${qualified(resource, group)} "${name}" is forbidden: ${why}`
    : `${qualified(resource, group)} is forbidden: ${why}`;
  return new StatusError(403, "Forbidden", text, {
    ...(name ? { name } : {}),
    ...(group ? { group } : {}),
    kind: resource,
  });
}

export const isStatusError = (error: unknown, reason?: string): error is StatusError =>
  error instanceof StatusError && (reason === undefined || error.reason === reason);
