import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { UserInfo } from "../api.js";
import type { CertificateAuthenticator } from "../auth/client-certificates.js";
import type { ClusterLog } from "../cluster.js";
import { badRequest, unauthorized } from "../errors.js";
import type { TokenAuthenticator } from "../security.js";

const ANONYMOUS: UserInfo = { username: "system:anonymous", groups: ["system:unauthenticated"] };
const AUTHENTICATED = "system:authenticated";

/** Everybody who has proved who they are is also in system:authenticated. */
const withAuthenticated = (user: UserInfo): UserInfo =>
  user.groups.includes(AUTHENTICATED) || user.groups.includes("system:unauthenticated")
    ? user
    : { ...user, groups: [...user.groups, AUTHENTICATED] };

/** Client certificates by connection (DER; null: none): they cannot change while it lasts. */
const certificates = new WeakMap<TLSSocket, Buffer | null>();

/** The user of a client certificate. One that this cluster's CA has not signed, or whose time is over, is refused. */
function certificateUser(
  socket: TLSSocket,
  { certificateAuthenticator }: { certificateAuthenticator?: CertificateAuthenticator },
): UserInfo | "refused" | "none" {
  let certificate = certificates.get(socket);
  if (certificate === undefined) {
    certificate = socket.getPeerCertificate()?.raw ?? null;
    certificates.set(socket, certificate);
  }
  if (!certificate) return "none";
  if (!certificateAuthenticator) return "refused";
  const result = certificateAuthenticator.authenticate(certificate);
  return "user" in result ? withAuthenticated(result.user) : "refused";
}

/** Who sends this request: client certificate, then bearer token, else system:anonymous. Throws 401 for credentials that are not accepted. */
export async function authenticate(
  request: IncomingMessage,
  dependencies: {
    tokenAuthenticators: readonly TokenAuthenticator[];
    certificateAuthenticator?: CertificateAuthenticator;
    log?: ClusterLog;
  },
): Promise<UserInfo> {
  const { tokenAuthenticators, log } = dependencies;
  const fromCertificate = certificateUser(request.socket as TLSSocket, dependencies);
  if (typeof fromCertificate === "object") return fromCertificate;
  const header = request.headers.authorization;
  const token = header === undefined ? undefined : /^bearer\s+(\S+)\s*$/i.exec(header)?.[1];
  if (token === undefined) {
    // As upstream: an empty or foreign Authorization header is no credential at all.
    if (fromCertificate === "refused") throw unauthorized();
    return ANONYMOUS;
  }
  for (const authenticator of tokenAuthenticators) {
    const result = await authenticator.authenticate(token);
    if (!result) continue;
    if ("user" in result) return withAuthenticated(result.user);
    log?.debug({ authenticator: authenticator.name, why: result.error }, "refused a token");
    throw unauthorized();
  }
  throw unauthorized();
}

const EXTRA_PREFIX = "impersonate-extra-";

/** Whom the caller asks to be, from the Impersonate-* headers; undefined when it does not ask. */
export function impersonated(request: IncomingMessage): UserInfo | undefined {
  const { headersDistinct } = request;
  const [username] = headersDistinct["impersonate-user"] ?? [];
  const groups = headersDistinct["impersonate-group"] ?? [];
  const [uid] = headersDistinct["impersonate-uid"] ?? [];
  const extra: Record<string, string[]> = {};
  for (const name in headersDistinct) {
    if (name.startsWith(EXTRA_PREFIX))
      extra[decodeURIComponent(name.slice(EXTRA_PREFIX.length))] = headersDistinct[name] ?? [];
  }
  if (!username) {
    if (groups.length > 0 || uid || Object.keys(extra).length > 0) {
      throw badRequest("requested impersonation of groups, uid or extra without impersonating a user");
    }
    return undefined;
  }
  const serviceAccount = /^system:serviceaccount:([^:]+):[^:]+$/.exec(username);
  const implied =
    serviceAccount && groups.length === 0
      ? ["system:serviceaccounts", `system:serviceaccounts:${serviceAccount[1]}`]
      : [];
  const user = { username, uid, groups: [...groups, ...implied], extra };
  return username === ANONYMOUS.username
    ? { ...user, groups: [...user.groups, ...ANONYMOUS.groups] }
    : withAuthenticated(user);
}
