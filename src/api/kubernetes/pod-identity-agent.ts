/**
 * The EKS Pod Identity Agent, as SDKs in pods speak with it: `GET /v1/credentials` with a pod's token as the whole Authorization header. Answers under the
 * agent's link-local addresses, and at `/_eksim/pod-identity/v1/credentials` for programs on this machine that act as a pod.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { formatSeconds } from "../../clock/clock.js";
import { AGENT_ADDRESSES, AGENT_PATH } from "../../domain/pod-identity.js";
import { parseJwt } from "../../identity/jwt.js";
import { nodePrincipalArn } from "../eks-auth/caller.js";
import { EksAuthError } from "../eks-auth/errors.js";
import { assumeRoleForPodIdentity, type EksAuthDependencies } from "../eks-auth/pod-credentials.js";

/** Where this server answers as the agent whatever name it is reached under. */
const LOCAL_AGENT = "/_eksim/pod-identity";

export function registerPodIdentityAgent(app: FastifyInstance, dependencies: EksAuthDependencies): void {
  app.all(AGENT_PATH, async (request, reply) => {
    const host = hostOf(request.headers.host ?? "");
    const known: readonly string[] = Object.values(AGENT_ADDRESSES);
    if (known.includes(host)) return credentials(dependencies, request, reply);
    return refuse(
      reply,
      403,
      `Access Denied. Called agent through invalid address, please use either [${known.join(" ")}] address not ${host}`,
    );
  });
  app.all(`${LOCAL_AGENT}${AGENT_PATH}`, (request, reply) => credentials(dependencies, request, reply));
}

/** Without port and brackets. */
const hostOf = (host: string): string => host.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^([^:]*):\d+$/, "$1");

async function credentials(
  dependencies: EksAuthDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const token = request.headers.authorization ?? "";
  const problem = tokenProblem(token, dependencies.clock.now());
  if (problem !== undefined) return refuse(reply, 400, problem);
  const { iss, "kubernetes.io": kubernetes } = parseJwt(token)?.claims ?? {};
  const cluster = dependencies.issuers.clusterOf(String(iss));
  try {
    // Every node knows its cluster; here the token tells, and is checked against that cluster's keys next.
    if (!cluster)
      throw new EksAuthError("InvalidTokenException", "The issuer of the service account token is unknown.");
    const { accountId, region, name: clusterName } = cluster;
    const nodeName = (kubernetes as { node?: { name?: string } } | undefined)?.node?.name;
    const caller = {
      scope: { accountId, region },
      principalArn: nodePrincipalArn(dependencies.state, cluster, nodeName),
      requestId: request.id,
    };
    const { session } = await assumeRoleForPodIdentity(dependencies, caller, { clusterName, token });
    return reply.header("content-type", "application/json").send({
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      Token: session.sessionToken,
      AccountId: session.accountId,
      Expiration: formatSeconds(session.expiresAtMs),
    });
  } catch (error) {
    if (!(error instanceof EksAuthError)) throw error;
    return refuse(reply, error.status, `[${request.id}]: (${error.code}): ${error.message}, fault: ${error.fault}`);
  }
}

/** What the agent looks at before it asks EKS Auth, in its words and those of its library (golang-jwt). */
function tokenProblem(token: string, nowMs: number): string | undefined {
  if (token === "") return "Service account token cannot be empty";
  const cannotParse = (why: string): string => `Service account token cannot be parsed: token is malformed: ${why}`;
  if (token.split(".").length !== 3) return cannotParse("token contains an invalid number of segments");
  const jwt = parseJwt(token);
  if (!jwt) return cannotParse("could not JSON decode claim");
  const { exp, nbf } = jwt.claims;
  const invalid = [
    ...(typeof exp === "number" && exp * 1000 <= nowMs ? ["token is expired"] : []),
    ...(typeof nbf === "number" && nbf * 1000 > nowMs ? ["token is not valid yet"] : []),
  ];
  return invalid.length > 0 ? `Service account token failed basic claim validations: ${invalid.join(", ")}` : undefined;
}

/** Go's http.Error. */
const refuse = (reply: FastifyReply, status: number, message: string): FastifyReply =>
  reply
    .code(status)
    .header("content-type", "text/plain; charset=utf-8")
    .header("x-content-type-options", "nosniff")
    .send(`${message}\n`);
