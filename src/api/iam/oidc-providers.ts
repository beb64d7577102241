/** OIDC providers: whose tokens AssumeRoleWithWebIdentity takes, and for which clients. */
import type { OidcProviderRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import { iamArn } from "../../identity/directory.js";
import type { Operations } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { providerUrl } from "../sts/web-identity.js";
import { accountScope, taggedWith, tagsMember } from "./entities.js";

/** Throws InvalidInput or NoSuchEntity. */
export function findOidcProvider(context: QueryContext, arn: string): OidcProviderRecord {
  const url = /^arn:[^:]+:iam::\d{12}:oidc-provider\/(.+)$/.exec(arn)?.[1];
  if (url === undefined) throw new IamError("InvalidInput", `Invalid ARN: ${arn}`);
  const provider = context.state.iam.oidcProviders.get(accountScope(context), url);
  if (provider?.arn === arn) return provider;
  throw new IamError("NoSuchEntity", `OpenIDConnect Provider not found for arn ${arn}`);
}

const isUrl = (text: string): boolean => /^https:\/\/[^/?#]+[^?#]*$/.test(text);

const MAX_CLIENTS = 100;
const MAX_THUMBPRINTS = 5;
/** Of issuers whose certificate a known authority signed, IAM fills in the thumbprint itself; no connection is made here. */
const UNKNOWN_THUMBPRINT = "0".repeat(40);

export const oidcProviders = {
  CreateOpenIDConnectProvider({ Url, ClientIDList = [], ThumbprintList = [], Tags }, context) {
    if (!isUrl(Url)) throw new IamError("ValidationError", "Invalid Open ID Connect Provider URL");
    const url = providerUrl(Url);
    if (context.state.iam.oidcProviders.get(accountScope(context), url))
      throw new IamError("EntityAlreadyExists", `Provider with url ${Url} already exists.`);
    if (ClientIDList.length > MAX_CLIENTS)
      throw new IamError("LimitExceeded", `Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${MAX_CLIENTS}`);
    if (ThumbprintList.length > MAX_THUMBPRINTS)
      throw new IamError("InvalidInput", `Thumbprint list must contain fewer than ${MAX_THUMBPRINTS} entries.`);
    const provider: OidcProviderRecord = {
      ...accountScope(context),
      arn: iamArn(context.scope.accountId, context.scope.region, `oidc-provider/${url}`),
      url,
      clientIds: [...new Set(ClientIDList)],
      thumbprints: ThumbprintList.length === 0 ? [UNKNOWN_THUMBPRINT] : ThumbprintList,
      createdAtMs: context.clock.now(),
      tags: taggedWith({}, Tags),
    };
    context.state.iam.oidcProviders.put(provider);
    return { OpenIDConnectProviderArn: provider.arn, ...tagsMember(provider.tags) };
  },
  GetOpenIDConnectProvider({ OpenIDConnectProviderArn }, context) {
    const { url, clientIds, thumbprints, createdAtMs, tags } = findOidcProvider(context, OpenIDConnectProviderArn);
    return {
      Url: url,
      ClientIDList: clientIds,
      ThumbprintList: thumbprints,
      CreateDate: createdAtMs,
      ...tagsMember(tags),
    };
  },
  ListOpenIDConnectProviders: (_input, context) => ({
    OpenIDConnectProviderList: context.state.iam.oidcProviders
      .list(accountScope(context))
      .map(({ arn }) => ({ Arn: arn })),
  }),
  DeleteOpenIDConnectProvider({ OpenIDConnectProviderArn }, context) {
    const provider = findOidcProvider(context, OpenIDConnectProviderArn);
    context.state.iam.oidcProviders.remove(provider, provider.url);
    return {};
  },
  AddClientIDToOpenIDConnectProvider({ OpenIDConnectProviderArn, ClientID }, context) {
    const provider = findOidcProvider(context, OpenIDConnectProviderArn);
    context.state.iam.oidcProviders.put({ ...provider, clientIds: [...new Set([...provider.clientIds, ClientID])] });
    return {};
  },
  RemoveClientIDFromOpenIDConnectProvider({ OpenIDConnectProviderArn, ClientID }, context) {
    const provider = findOidcProvider(context, OpenIDConnectProviderArn);
    const clientIds = provider.clientIds.filter((id) => id !== ClientID);
    context.state.iam.oidcProviders.put({ ...provider, clientIds });
    return {};
  },
  UpdateOpenIDConnectProviderThumbprint({ OpenIDConnectProviderArn, ThumbprintList }, context) {
    const provider = findOidcProvider(context, OpenIDConnectProviderArn);
    context.state.iam.oidcProviders.put({ ...provider, thumbprints: ThumbprintList });
    return {};
  },
} satisfies QueryOperations<Operations<QueryContext>>;
