/** Names of the operations of every service that eksim serves, by the name that requests are signed for: from the models that answer them. */
import { model } from "./model.js";
import { queryModel } from "./query-model.js";

/** Its one operation has no table of its own. */
export const EKS_AUTH_OPERATIONS = ["AssumeRoleForPodIdentity"] as const;

const NAMES: Readonly<Record<string, () => readonly string[]>> = {
  eks: () => Object.keys(model().operations),
  "eks-auth": () => EKS_AUTH_OPERATIONS,
  iam: () => Object.keys(queryModel("iam").operations),
  sts: () => Object.keys(queryModel("sts").operations),
};

/** None of a service that eksim does not serve. */
export const operationNames = (service: string): readonly string[] => NAMES[service]?.() ?? [];
