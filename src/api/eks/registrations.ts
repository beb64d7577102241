/** Clusters of elsewhere, connected through the EKS connector. */
import { checkPassRole, clusterArn } from "../../domain/eks/arns.js";
import { noClusterFound } from "../../domain/eks/refusals.js";
import { addTags } from "../../domain/eks/tags.js";
import { DomainError } from "../../domain/errors.js";
import {
  ACTIVATION_WINDOW_MS,
  isListed,
  MAX_REGISTRATIONS,
  type RegistrationRecord,
} from "../../domain/registration.js";
import type { Page } from "../../state/state.js";
import type { Cluster } from "../model/generated/operations.js";
import { type EksOperations, type OperationContext, registrationWorkKey, scheduleWork } from "./context.js";
import { activationCode, resourceUuid } from "./identifiers.js";

export function registrationView(registration: RegistrationRecord): Cluster {
  const { activationId, activationCode: code, activationExpiryMs, provider, roleArn } = registration;
  return {
    name: registration.name,
    arn: registration.arn,
    createdAt: registration.createdAtMs,
    status: registration.status,
    tags: registration.tags,
    connectorConfig: { activationId, activationCode: code, activationExpiry: activationExpiryMs, provider, roleArn },
  };
}

/** Names of EKS's own clusters and of registered ones together, in alphabetical order. */
export function namesWithRegistered({ state, scope }: OperationContext, page: Page): string[] {
  const registered = state.registrations.list(scope).filter(isListed);
  const after = page.after ?? "";
  return [...state.clusters.names(scope, page), ...registered.map(({ name }) => name).filter((name) => name > after)]
    .sort((a, b) => (a < b ? -1 : 1))
    .slice(0, page.limit);
}

export const registrations = {
  RegisterCluster(input, context) {
    const { state, scope, clock } = context;
    const { name } = input;
    const { roleArn, provider } = input.connectorConfig;
    checkPassRole(roleArn, scope.accountId);
    if (state.clusters.get({ ...scope, name }) || state.registrations.get(scope, name)) {
      throw new DomainError("ResourceInUseException", `Cluster already exists with name: ${name}`, {
        clusterName: name,
      });
    }
    if (state.registrations.list(scope).length >= MAX_REGISTRATIONS) {
      throw new DomainError(
        "ResourceLimitExceededException",
        `Cluster limit exceeded: an account can register ${MAX_REGISTRATIONS} clusters in a region`,
        { clusterName: name },
      );
    }
    const registration: RegistrationRecord = {
      ...scope,
      name,
      arn: clusterArn(scope, name),
      createdAtMs: clock.now(),
      status: "PENDING",
      provider,
      roleArn,
      activationId: resourceUuid(context, "activation", name),
      activationCode: activationCode(context, name),
      activationExpiryMs: clock.now() + ACTIVATION_WINDOW_MS,
      tags: addTags({}, input.tags ?? {}, "InvalidParameterException"),
    };
    state.registrations.put(registration);
    scheduleWork(context, "registration", registrationWorkKey(registration));
    return { cluster: registrationView(registration) };
  },

  DeregisterCluster(input, context) {
    const { state, scope } = context;
    const registration = state.registrations.get(scope, input.name);
    if (!registration) {
      // A cluster of EKS's own is deleted, not deregistered.
      if (state.clusters.get({ ...scope, name: input.name })) {
        throw new DomainError("ClientException", `Cluster ${input.name} is not a registered cluster`, {
          clusterName: input.name,
        });
      }
      throw noClusterFound(input.name);
    }
    state.registrations.remove(scope, registration.name);
    return { cluster: { ...registrationView(registration), status: "DELETING" } };
  },
} satisfies Partial<EksOperations>;
