/** EKS Auth on the wire: one operation of the rest-json protocol. */
import { type Answer, namedAnswer } from "../protocol/errors.js";
import type { RestJsonRequest } from "../protocol/rest-json.js";
import type { EksAuthCaller } from "./caller.js";
import { EksAuthError } from "./errors.js";
import { assumeRoleForPodIdentity, type EksAuthDependencies, type PodCredentials } from "./pod-credentials.js";

const PATH = /^\/clusters\/([^/?]+)\/assume-role-for-pod-identity\/?(?:\?|$)/;
const CLUSTER_NAME = /^[0-9A-Za-z][A-Za-z0-9\-_]{0,99}$/;
const TOKEN = /^[A-Za-z0-9\-_=]+\.[A-Za-z0-9\-_=]+\.[A-Za-z0-9\-_=]+$/;

/** The service; what it refuses is answered, anything else thrown is a bug. */
export function createEksAuth(
  dependencies: EksAuthDependencies,
): (request: RestJsonRequest, caller: EksAuthCaller) => Promise<Answer> {
  return async (request, caller) => {
    const [, clusterName] = PATH.exec(request.url) ?? [];
    if (request.method !== "POST" || clusterName === undefined) {
      const message = `EKS Auth has no operation ${request.method} ${request.url}`;
      return namedAnswer("UnknownOperationException", message, caller.requestId);
    }
    try {
      const credentials = await assumeRoleForPodIdentity(dependencies, caller, readInput(clusterName, request.body));
      return answer(200, caller.requestId, view(credentials));
    } catch (error) {
      if (!(error instanceof EksAuthError)) throw error;
      const { status, code, message } = error;
      return answer(status, caller.requestId, { message }, code);
    }
  };
}

function readInput(rawName: string, body: RestJsonRequest["body"]): { clusterName: string; token: string } {
  let token: unknown;
  let clusterName = "";
  try {
    clusterName = decodeURIComponent(rawName);
    token = (JSON.parse(String(body ?? "{}")) as { token?: unknown } | null)?.token;
  } catch {
    throw new EksAuthError("InvalidRequestException", "The request is not valid JSON.");
  }
  if (!CLUSTER_NAME.test(clusterName)) throw invalid("clusterName", CLUSTER_NAME);
  if (token === undefined || token === null)
    throw new EksAuthError("InvalidParameterException", "The parameter token is required.");
  if (typeof token !== "string" || !TOKEN.test(token)) throw invalid("token", TOKEN);
  return { clusterName, token };
}

const invalid = (parameter: string, { source }: RegExp): EksAuthError =>
  new EksAuthError(
    "InvalidParameterException",
    `The parameter ${parameter} is not valid. It should conform to the regular expression "${source}"`,
  );

/** Members in the model's order. */
const view = ({ token, association, session }: PodCredentials): object => ({
  subject: { namespace: token.namespace, serviceAccount: token.serviceAccount },
  audience: "pods.eks.amazonaws.com",
  podIdentityAssociation: { associationArn: association.arn, associationId: association.id },
  assumedRoleUser: { arn: session.arn, assumeRoleId: session.userId },
  credentials: {
    sessionToken: session.sessionToken,
    secretAccessKey: session.secretAccessKey,
    accessKeyId: session.accessKeyId,
    expiration: session.expiresAtMs / 1000,
  },
});

const answer = (status: number, requestId: string, body: object, errorType?: string): Answer => ({
  status,
  headers: {
    "content-type": "application/json",
    "x-amzn-requestid": requestId,
    ...(errorType === undefined ? {} : { "x-amzn-errortype": errorType }),
  },
  body: JSON.stringify(body),
});
