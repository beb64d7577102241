/** Calls that faults befall: answered late, or refused in the words of AWS, before the service sees them. */
import type { Clock } from "../clock/clock.js";
import type { CallTrouble } from "../domain/call-trouble.js";
import { DomainError, type ErrorName } from "../domain/errors.js";
import { EksAuthError } from "./eks-auth/errors.js";
import { model } from "./model/model.js";
import { queryParameters } from "./protocol/aws-query.js";
import type { RestJsonRequest } from "./protocol/rest-json.js";
import { createRouter } from "./protocol/router.js";

/** Finds the operation that a call of a service of the gateway is for; undefined when it is none, or the service looks after its calls itself. */
export function createOperationFinder(): (service: string, request: RestJsonRequest) => string | undefined {
  let route: ReturnType<typeof createRouter> | undefined;
  return (service, request) => {
    if (service === "sts" || service === "iam") return queryParameters(request).get("Action");
    if (service !== "eks") return undefined;
    route ??= createRouter(model());
    try {
      return route(request.method, request.url.split("?")[0] ?? "").operation;
    } catch (error) {
      if (error instanceof DomainError) return undefined;
      throw error;
    }
  };
}

type Refusal = NonNullable<CallTrouble["refusal"]>;

const MESSAGES: Readonly<Record<Refusal, string>> = {
  throttled: "Rate exceeded",
  "internal-failure": "An internal error has occurred.",
  unavailable: "The service is unavailable. Please try again.",
};

/** As EKS names them; the aws-query protocol has its own name for each. */
const EKS_NAMES: Readonly<Record<Refusal, ErrorName>> = {
  throttled: "ThrottlingException",
  "internal-failure": "ServerException",
  unavailable: "ServiceUnavailableException",
};

const EKS_AUTH_NAMES: Readonly<Record<Refusal, EksAuthError["code"]>> = {
  throttled: "ThrottlingException",
  "internal-failure": "InternalServerException",
  unavailable: "ServiceUnavailableException",
};

/** Waits as long as the call is late, and throws when it is refused. */
export async function suffer({ latencyMs, refusal }: CallTrouble, clock: Clock): Promise<void> {
  if (latencyMs > 0) await clock.sleep(latencyMs);
  if (refusal) throw new DomainError(EKS_NAMES[refusal], MESSAGES[refusal]);
}

/** As `suffer`, for calls of EKS Auth: throws EksAuthError. */
export async function sufferEksAuth({ latencyMs, refusal }: CallTrouble, clock: Clock): Promise<void> {
  if (latencyMs > 0) await clock.sleep(latencyMs);
  if (refusal) throw new EksAuthError(EKS_AUTH_NAMES[refusal], MESSAGES[refusal]);
}
