import type { UserInfo } from "./api.js";

/** What the API server asks an authenticator outside of it (IAM on EKS). The first that knows the token's form decides. */
export interface TokenAuthenticator {
  name: string;
  /**
   * `undefined`: not a token of my kind, ask the next. `{user}`: authenticated. `{error}`: mine, but refused: 401; `error` is for logs and
   * explanations, never for the client.
   */
  authenticate(token: string): Promise<AuthenticationResult | undefined> | AuthenticationResult | undefined;
}

export type AuthenticationResult = { user: UserInfo } | { error: string };

export interface AccessAttributes {
  user: UserInfo;
  verb: string;
  /** Present for resource requests. */
  resource?: {
    group: string;
    version: string;
    resource: string;
    subresource?: string;
    namespace?: string;
    name?: string;
  };
  /** Present for non-resource requests: the path. */
  path?: string;
}

/** Judges beside RBAC (EKS access policies). `allow` ends the search; `no-opinion` asks the next; all without opinion is a refusal. */
export interface Authorizer {
  name: string;
  authorize(attributes: AccessAttributes): { decision: "allow" | "deny" | "no-opinion"; reason: string };
}
