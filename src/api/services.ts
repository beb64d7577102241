/** The AWS services behind the gateway: who answers what requests are signed for. */
import { DomainError } from "../domain/errors.js";
import type { State } from "../state/state.js";
import { createCaller, type EksOperations, type OperationContext, operations } from "./eks/index.js";
import { iamOperations } from "./iam/index.js";
import { model } from "./model/model.js";
import { EKS_AUTH_OPERATIONS } from "./model/operation-names.js";
import { type QueryServiceName, queryModel } from "./model/query-model.js";
import { rememberReads } from "./protocol/answer-memory.js";
import { createQueryService } from "./protocol/aws-query.js";
import type { Answer } from "./protocol/errors.js";
import { coverage, createRestJson, type RestJsonRequest } from "./protocol/rest-json.js";
import { createQueryCaller, type QueryContext } from "./query/call.js";
import { stsOperations } from "./sts/index.js";

/** What every service is told of a request: EKS's context, and what STS and IAM need beside. */
type ServiceContext = OperationContext & QueryContext;
export type Service = (request: RestJsonRequest, context: ServiceContext) => Answer | Promise<Answer>;

/** What `/_eksim/coverage` answers: every operation of each model, and whether it behaves. From the tables that serve requests. */
export function eksCoverage(
  table: Partial<EksOperations> = operations,
): Record<"eks" | "eks-auth" | QueryServiceName, ReturnType<typeof coverage>> {
  return {
    eks: coverage(model(), table),
    "eks-auth": Object.fromEntries(EKS_AUTH_OPERATIONS.map((name) => [name, "implemented"])),
    sts: coverage(queryModel("sts"), stsOperations),
    iam: coverage(queryModel("iam"), iamOperations),
  };
}

export interface ServicesOptions {
  state: State;
  /** Services beside EKS, STS and IAM, by the name that requests are signed for. */
  services?: Readonly<Record<string, Service>>;
  /** Behaviour of EKS; another table than the real one is for tests. */
  operations?: Partial<EksOperations>;
}

/** The services behind this port by the name that requests are signed for. */
export function createServices(options: ServicesOptions): Record<string, Service> & Record<QueryServiceName, Service> {
  const query = {
    sts: createQueryService<QueryContext>({
      model: () => queryModel("sts"),
      dispatch: createQueryCaller("sts", stsOperations),
    }),
    iam: createQueryService<QueryContext>({
      model: () => queryModel("iam"),
      dispatch: createQueryCaller("iam", iamOperations),
    }),
  };
  return { ...options.services, ...query, eks: eksService(options) };
}

function eksService({ state, operations: table = operations }: ServicesOptions): Service {
  const eks = createRestJson<OperationContext>({ model: model(), dispatch: createCaller(model(), table) });
  const { changes } = state;
  if (!changes) return eks;
  return rememberReads<OperationContext>(eks, {
    changes,
    // Which versions are in support is a matter of the date, and so is the way back from a rotation.
    keeps: ({ url }) => !/^\/cluster-versions|^\/clusters\/[^/]+\/certificate-authorities\//.test(url),
    keyOf: ({ scope }) => `${scope.accountId} ${scope.region}`,
  });
}

/** What a request for another service is told. */
export function unknownService(service: string, target: string | string[] | undefined): DomainError {
  const asked = target === undefined ? "" : ` (${String(target)})`;
  return new DomainError(
    "NotImplementedException",
    `eksim does not emulate the AWS service '${service}'${asked}; it emulates eks, sts and iam`,
  );
}
