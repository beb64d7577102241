/** Fills Secrets of type kubernetes.io/service-account-token with a token, and removes them when their account goes (upstream: tokens-controller). */
import type { Controller } from "../controller.js";
import { defineController, on } from "../controllers/define-controller.js";
import { keyOf, parseKey } from "../object.js";
import type { Secret, ServiceAccount } from "../schema/generated/types.js";
import { SERVICE_ACCOUNT_TOKEN_TYPE, type ServiceAccountTokens } from "./service-account-tokens.js";

const NAME = "kubernetes.io/service-account.name";
const UID = "kubernetes.io/service-account.uid";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

export function tokenSecretsController({
  tokens,
}: {
  tokens: Pick<ServiceAccountTokens, "issueForSecret">;
}): Controller {
  return defineController({ name: "tokens-controller", publishesCa: true }, ({ api, caCert }) => {
    const secretsOf = (account: ServiceAccount): string[] =>
      api
        .list<Secret>("secrets", { namespace: account.metadata.namespace })
        .filter(
          ({ type, metadata }) =>
            type === SERVICE_ACCOUNT_TOKEN_TYPE && metadata.annotations?.[NAME] === account.metadata.name,
        )
        .map(keyOf);
    return {
      watches: [
        on<Secret>("secrets", ({ object, type }) =>
          type !== "DELETED" && object.type === SERVICE_ACCOUNT_TOKEN_TYPE ? keyOf(object) : undefined,
        ),
        on<ServiceAccount>("serviceaccounts", ({ object, type }) =>
          type === "MODIFIED" ? undefined : secretsOf(object),
        ),
      ],
      async reconcile(key) {
        const found = parseKey(key);
        const secret = api.get<Secret>("secrets", found);
        if (!secret || secret.type !== SERVICE_ACCOUNT_TOKEN_TYPE) return;
        const name = secret.metadata.annotations?.[NAME] ?? "";
        const account = api.get<ServiceAccount>("serviceaccounts", { namespace: found.namespace, name });
        const uid = secret.metadata.annotations?.[UID];
        if (!account || (uid && uid !== account.metadata.uid)) {
          await api.delete("secrets", found, { preconditions: { uid: secret.metadata.uid } });
          return;
        }
        const { data = {} } = secret;
        if (data.token && data["ca.crt"] === base64(caCert) && data.namespace && uid) return;
        const token = data.token ?? base64(await tokens.issueForSecret(account, secret));
        await api.update<Secret>("secrets", {
          ...secret,
          metadata: {
            ...secret.metadata,
            annotations: { ...secret.metadata.annotations, [UID]: account.metadata.uid },
          },
          data: {
            ...data,
            token,
            "ca.crt": base64(caCert),
            namespace: data.namespace ?? base64(found.namespace ?? ""),
          },
        });
      },
    };
  });
}
