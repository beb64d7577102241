import { eksToken } from "../testkit/http.js";
import { targetOf } from "./client.js";
import { callerOf } from "./eks.js";

/** As `aws eks get-token` says it: a minute before the token's 15 are over. */
const LIFETIME_MS = 14 * 60_000;

/** `eksim token`: prints what kubectl expects of a credential plugin, with a token such as `aws eks get-token` makes. Asks nobody. */
export function token(options: { endpoint?: string; region?: string; cluster: string }): void {
  const caller = callerOf(targetOf(options));
  const expiry = new Date(caller.wallNow() + LIFETIME_MS).toISOString();
  console.log(
    JSON.stringify({
      kind: "ExecCredential",
      apiVersion: "client.authentication.k8s.io/v1beta1",
      spec: {},
      status: {
        expirationTimestamp: `${expiry.slice(0, 19)}Z`,
        token: eksToken(caller, options.cluster),
      },
    }),
  );
}
