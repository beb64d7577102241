/** Identifiers that EKS makes up. Derived from the request's id, so that a seeded run gives the same ones every time. */
import { createHash } from "node:crypto";
import type { OperationContext } from "./context.js";

function digest(context: OperationContext, parts: readonly string[]): string {
  const { scope, requestId, clock } = context;
  return createHash("sha256")
    .update(JSON.stringify([scope.accountId, scope.region, requestId, clock.now(), ...parts]))
    .digest("hex");
}

const dashed = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");

/** The uuid at the end of ARNs. EKS's own are not RFC 4122 ones: any digit may stand where the version would. */
export const resourceUuid = (context: OperationContext, ...parts: string[]): string => dashed(digest(context, parts));

/** Ids of updates look like name-based UUIDs: version 3, RFC 4122 variant. */
export function updateId(context: OperationContext, ...parts: string[]): string {
  const hex = digest(context, ["update", ...parts]);
  return dashed(`${hex.slice(0, 12)}3${hex.slice(13, 16)}b${hex.slice(17)}`);
}

/** What a connector's manifest is activated with: 20 characters. */
export const activationCode = (context: OperationContext, name: string): string =>
  Buffer.from(digest(context, ["activation code", name]), "hex")
    .toString("base64url")
    .replaceAll(/[-_]/g, "x")
    .slice(0, 20);

/** Ids of certificate authorities: `ca-` and 17 hex digits. */
export const authorityId = (context: OperationContext, ...parts: string[]): string =>
  `ca-${digest(context, ["certificate authority", ...parts]).slice(0, 17)}`;

/** Ids of licenses in License Manager: `l-` and 32 hex digits. */
export const licenseId = (context: OperationContext, ...parts: string[]): string =>
  `l-${digest(context, ["license", ...parts]).slice(0, 32)}`;

/** Ids of pod identity associations: `a-` and 17 lower-case letters and digits. */
export const podIdentityAssociationId = (context: OperationContext, ...parts: string[]): string =>
  `a-${BigInt(`0x${digest(context, ["pod identity association", ...parts])}`)
    .toString(36)
    .slice(-17)}`;

/** 32 upper-case hex digits that no cluster of any account has. */
export function clusterId(context: OperationContext, name: string): string {
  for (let attempt = 0; ; attempt++) {
    const id = digest(context, ["cluster", name, String(attempt)])
      .slice(0, 32)
      .toUpperCase();
    if (!context.state.clusters.byId(id)) return id;
  }
}
