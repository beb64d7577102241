/**
 * What STS makes of an EKS token whose form is right: whose access key signed it, whether the session token belongs to it and is still good, and whether
 * the signature is that of the key's secret over this cluster's name. The signatures of keys that IAM and STS gave out are always verified; those of
 * others when the emulator verifies signatures.
 */
import { partitionOf } from "../domain/eks/arns.js";
import { accountOfAccessKey } from "./access-keys.js";
import type { CredentialRefusal, Directory } from "./directory.js";
import { checkEksToken, type EksTokenClaims, isFresh, staleness, stsError } from "./eks-token.js";
import { refuteTokenSignature } from "./eks-token-signature.js";
import type { Principal } from "./principal.js";

/** Tokens remembered for each cluster; those that were forgotten are merely checked whole again. */
const GOOD_TOKENS = 1_000;

const SAYINGS: Readonly<Record<CredentialRefusal, readonly [code: string, message: string]>> = {
  "unknown-key": ["InvalidClientTokenId", "The security token included in the request is invalid."],
  "inactive-key": ["InvalidClientTokenId", "The security token included in the request is invalid."],
  "wrong-session-token": ["InvalidClientTokenId", "The security token included in the request is invalid."],
  "expired-session": ["ExpiredToken", "The security token included in the request is expired"],
};

export type TokenIdentity =
  | {
      principal: Principal;
      /** Epoch ms. */
      signedAtMs: number;
      /** When the session ends, epoch ms; absent for long-term keys. */
      expiresAtMs?: number;
    }
  | {
      error: string;
      /** As far as the token says, rightly or not. */
      accessKeyId?: string;
      /** More than AWS tells: for explanations only. */
      hint?: string;
    };

const HINTS: Readonly<Record<CredentialRefusal, string>> = {
  "unknown-key": "no user has this access key, and the emulator was not started with it",
  "inactive-key": "the access key is inactive",
  "wrong-session-token": "the session token that came with this access key is not the one that was given out with it",
  "expired-session": "the session has ended: assume the role again",
};

/** `identify` says whose a key is. Whoever it does not refuse is asked for anew with each token, so that a key that was deleted counts no more. */
export function createTokenVerifier(options: {
  identify: Directory["identify"];
  verifySignatures: boolean;
  ownHost?: string;
}): (token: string, cluster: { name: string; region: string }, clocksMs: readonly number[]) => TokenIdentity {
  const { identify, verifySignatures, ownHost } = options;
  /** Tokens of the right form: a client sends the same one with each of its requests, and only its age and its key have to be looked at again. */
  const good = new Map<string, { claims: EksTokenClaims; signedWith?: string }>();

  return (token, cluster, clocksMs) => {
    let known = good.get(token);
    if (!known || !isFresh(known.claims.signedAtMs, clocksMs)) {
      if (known) return { ...staleness(known.claims.signedAtMs), accessKeyId: known.claims.accessKeyId };
      const result = checkEksToken(token, clocksMs, ownHost, partitionOf(cluster));
      if ("error" in result) return result;
      known = { claims: result.claims };
    }
    const { accessKeyId, sessionToken } = known.claims;
    const identified = identify(accessKeyId, sessionToken);
    if ("refusal" in identified) {
      const { refusal } = identified;
      return { ...stsError(...SAYINGS[refusal]), accessKeyId, hint: HINTS[refusal] };
    }
    const { secretAccessKey: secret, session } = identified;
    const givenOut = session !== undefined || (secret !== undefined && accountOfAccessKey(accessKeyId) !== undefined);
    if ((verifySignatures || givenOut) && (secret === undefined || known.signedWith !== secret)) {
      const wrong = refuteTokenSignature(token, { clusterName: cluster.name, accessKeyId, secret });
      if (wrong)
        return {
          ...stsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
          ),
          accessKeyId,
          hint: wrong.error,
        };
      known.signedWith = secret;
    }
    if (good.size >= GOOD_TOKENS && !good.has(token)) good.clear();
    good.set(token, known);
    const { signedAtMs } = known.claims;
    return { principal: identified.principal, signedAtMs, ...(session ? { expiresAtMs: session.expiresAtMs } : {}) };
  };
}
