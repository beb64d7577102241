/** OIDC identity providers: associated and taken away by updates of the cluster, as the API servers are started anew for it. */
import { updateParams } from "../../domain/eks/cluster-updates.js";
import { checkIdentityProvider, checkRoomForProvider, newIdentityProvider } from "../../domain/eks/oidc-rules.js";
import { checkUpdatable, invalidParameter } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { IdentityProviderConfigRecord } from "../../domain/identity-provider-config.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { Update } from "../model/generated/operations.js";
import type { EksOperations, OperationContext } from "./context.js";
import { resourceUuid } from "./identifiers.js";
import { findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";
import { startClusterUpdate } from "./start-update.js";
import { oidcView } from "./views/access.js";

/** The only kind of provider that there is. */
const TYPE = "oidc";

interface Named {
  clusterName: string;
  identityProviderConfig: { type: string; name: string };
}

function findProvider(
  context: OperationContext,
  { clusterName, identityProviderConfig }: Named,
): { cluster: ClusterRecord; provider: IdentityProviderConfigRecord } {
  const { type, name } = identityProviderConfig;
  if (type !== TYPE) throw invalidParameter(`The identity provider config type must be ${TYPE}`);
  const cluster = findCluster(context, clusterName);
  const provider = context.state.identityProviderConfigs.get(cluster.id, name);
  if (provider) return { cluster, provider };
  throw new DomainError("ResourceNotFoundException", `No identity provider config found for name: ${name}.`, {
    clusterName,
  });
}

/** Puts the provider down as it is now, and has the update carry on from there. */
function startUpdate(
  context: OperationContext,
  cluster: ClusterRecord,
  provider: IdentityProviderConfigRecord,
  type: "AssociateIdentityProviderConfig" | "DisassociateIdentityProviderConfig",
): Update {
  context.state.identityProviderConfigs.put(provider);
  return startClusterUpdate(context, cluster, {
    type,
    params: updateParams({ IdentityProviderConfig: [{ type: TYPE, name: provider.name }] }),
    plan: { kind: type, identityProviderConfigName: provider.name },
  });
}

export const identityProviderConfigs = {
  AssociateIdentityProviderConfig(input, context) {
    const { state } = context;
    const { oidc } = input;
    checkIdentityProvider(oidc);
    const cluster = findCluster(context, input.clusterName);
    checkUpdatable(cluster, "AssociateIdentityProviderConfig", state.updates.inProgress(cluster.id));
    checkRoomForProvider(cluster, oidc, state.identityProviderConfigs.list(cluster.id));
    const uuid = resourceUuid(context, "identity provider", cluster.id, oidc.identityProviderConfigName);
    const provider = newIdentityProvider(cluster, oidc, { uuid, tags: input.tags });
    const update = startUpdate(context, cluster, provider, "AssociateIdentityProviderConfig");
    return { update, tags: provider.tags };
  },

  DescribeIdentityProviderConfig(input, context) {
    return { identityProviderConfig: { oidc: oidcView(findProvider(context, input).provider) } };
  },

  ListIdentityProviderConfigs(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const { keys, nextToken } = pageOf(context, ["ListIdentityProviderConfigs", cluster.id], input, (page) =>
      context.state.identityProviderConfigs.names(cluster.id, page),
    );
    return { identityProviderConfigs: keys.map((name) => ({ type: TYPE, name })), nextToken };
  },

  DisassociateIdentityProviderConfig(input, context) {
    const { state } = context;
    const { cluster, provider } = findProvider(context, input);
    checkUpdatable(cluster, "DisassociateIdentityProviderConfig", state.updates.inProgress(cluster.id));
    const leaving = { ...provider, status: "DELETING" as const };
    return { update: startUpdate(context, cluster, leaving, "DisassociateIdentityProviderConfig") };
  },
} satisfies Partial<EksOperations>;
