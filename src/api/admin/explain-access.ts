/** `/_eksim/explain-access`: why a principal may or may not do something in a cluster, and which tokens it has refused lately. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AccessExplanation, AccessQuestion } from "../../domain/access-explanation.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { State } from "../../state/state.js";
import { scopeOf } from "./admin.js";

/** As `kubectl auth can-i` takes it: `get`, `deployments.apps/scale`, or a path. */
export interface AskedAccess {
  verb: string;
  resource?: string;
  path?: string;
  namespace?: string;
  name?: string;
}

export interface ExplainDependencies {
  state: Pick<State, "clusters">;
  /** Undefined: the ARN is that of nobody who could sign in. Throws DomainErrors. */
  explain(cluster: ClusterRecord, arn: string, asked: AskedAccess | undefined): Promise<AccessExplanation | undefined>;
}

interface Query extends Partial<AskedAccess> {
  account?: string;
  region?: string;
  cluster?: string;
  principal?: string;
}

const invalid = (message: string): DomainError => new DomainError("InvalidParameterException", message);

export function registerExplainAccess(app: FastifyInstance, { state, explain }: ExplainDependencies): void {
  app.get("/_eksim/explain-access", async (request: FastifyRequest<{ Querystring: Query }>) => {
    const { cluster: name, principal, ...asked } = request.query;
    if (!name) throw invalid("cluster is missing: name the cluster");
    if (!principal) throw invalid("principal is missing: give the ARN of a user, a role or a session");
    const cluster = state.clusters.get({ ...scopeOf(request.query), name });
    if (!cluster) {
      throw new DomainError("ResourceNotFoundException", `No cluster found for name: ${name}.`, { clusterName: name });
    }
    const explanation = await explain(cluster, principal, askedAccess(asked));
    if (!explanation) throw invalid(`${principal} is no ARN of an IAM user or role, of root, or of a session`);
    return explanation;
  });
}

function askedAccess({ verb, resource, path, namespace, name }: Query): AskedAccess | undefined {
  if (!verb && !resource && !path) return undefined;
  if (!verb) throw invalid("verb is missing: give one such as get, list or create");
  if ((resource === undefined) === (path === undefined))
    throw invalid("give either a resource, such as deployments.apps, or a path, such as /metrics");
  return {
    verb,
    ...(resource ? { resource } : {}),
    ...(path ? { path } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
  };
}

/** The question in the API server's words. Throws InvalidParameterException for a resource that the cluster does not have. */
export function accessQuestion(
  { verb, resource: named, path, namespace, name }: AskedAccess,
  resourceNamed: (name: string) => { group: string; resource: string; namespaced: boolean } | undefined,
): AccessQuestion {
  if (named === undefined) return { verb, path: path ?? "" };
  const [base = "", subresource] = named.split("/");
  const found = resourceNamed(base);
  // Verbs such as impersonate are about things that no API serves.
  const [resource = "", ...group] = base.split(".");
  if (!found && verb !== "impersonate" && !/[*]/.test(base)) throw invalid(`the cluster has no resource ${base}`);
  return {
    verb,
    resource: {
      ...(found ? { group: found.group, resource: found.resource } : { group: group.join("."), resource }),
      ...(subresource ? { subresource } : {}),
      ...(namespace && found?.namespaced !== false ? { namespace } : {}),
      ...(name ? { name } : {}),
    },
  };
}
