/** Repositories of what IAM and STS keep. */
import type { Database } from "better-sqlite3";
import { iamKey } from "../../domain/iam.js";
import type { IamState } from "../state.js";
import { accountResourceRepository } from "./resources.js";

export function iamState(db: Database): IamState {
  return {
    users: accountResourceRepository(db, "iam-user", ({ name }) => iamKey(name)),
    groups: accountResourceRepository(db, "iam-group", ({ name }) => iamKey(name)),
    roles: accountResourceRepository(db, "iam-role", ({ name }) => iamKey(name)),
    policies: accountResourceRepository(db, "iam-policy", ({ name }) => iamKey(name)),
    instanceProfiles: accountResourceRepository(db, "iam-instance-profile", ({ name }) => iamKey(name)),
    oidcProviders: accountResourceRepository(db, "iam-oidc-provider", ({ url }) => url),
    accessKeys: accountResourceRepository(db, "iam-access-key", ({ accessKeyId }) => accessKeyId),
    sessions: accountResourceRepository(db, "sts-session", ({ accessKeyId }) => accessKeyId),
    former: accountResourceRepository(db, "iam-former", ({ name }) => name),
  };
}
