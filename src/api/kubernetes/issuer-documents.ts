/**
 * The OIDC documents of clusters' issuers. In AWS they are at `https://oidc.eks.<region>.amazonaws.com/id/<ID>`; here the same paths answer under any host
 * name, so that who points that name at this machine finds them, and `/_eksim/oidc/<ID>` has them for everybody else, with addresses that can be followed.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { oidcIssuer } from "../../domain/eks/arns.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { ClusterIssuers } from "../../identity/cluster-issuers.js";

type Request = FastifyRequest<{ Params: { id: string } }>;

/** Below an issuer's URL. */
const DISCOVERY = "/.well-known/openid-configuration";
const KEYS = "/keys";
/** Issuers under this server's own name. */
const LOCAL = "/_eksim/oidc";

const discovery = (issuer: string, jwksUri: string): object => ({
  issuer,
  jwks_uri: jwksUri,
  authorization_endpoint: "urn:kubernetes:programmatic_authorization",
  response_types_supported: ["id_token"],
  subject_types_supported: ["public"],
  claims_supported: ["sub", "iss"],
  id_token_signing_alg_values_supported: ["RS256"],
});

export function registerIssuerDocuments(app: FastifyInstance, { issuers }: { issuers: ClusterIssuers }): void {
  const answer = async (
    request: Request,
    reply: FastifyReply,
    documentOf: (cluster: ClusterRecord) => object | undefined | Promise<object | undefined>,
  ): Promise<FastifyReply> => {
    const cluster = issuers.clusterOfId(request.params.id);
    if (!cluster) return reply.code(404).send({ message: "Not Found" });
    const document = await documentOf(cluster);
    if (!document) return reply.code(503).send({ message: "Service Unavailable" });
    return reply
      .header("content-type", "application/json")
      .header("cache-control", "max-age=300, public")
      .send(document);
  };
  const keys = async (cluster: ClusterRecord): Promise<object | undefined> => {
    const known = await issuers.keysOf(cluster);
    return known && { keys: known };
  };

  app.get(`/id/:id${DISCOVERY}`, (request: Request, reply) =>
    answer(request, reply, (cluster) => discovery(oidcIssuer(cluster), `${oidcIssuer(cluster)}${KEYS}`)),
  );
  app.get(`/id/:id${KEYS}`, (request: Request, reply) => answer(request, reply, keys));
  app.get(`${LOCAL}/:id${DISCOVERY}`, (request: Request, reply) =>
    // The issuer stays what tokens say; only the way to its keys is another one.
    answer(request, reply, (cluster) =>
      discovery(oidcIssuer(cluster), `http://${request.headers.host ?? "127.0.0.1"}${LOCAL}/${cluster.id}${KEYS}`),
    ),
  );
  app.get(`${LOCAL}/:id${KEYS}`, (request: Request, reply) => answer(request, reply, keys));
}
