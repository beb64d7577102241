/** Lengths, ranges and patterns of members of STS and IAM (their API references), which the SDKs leave out. By member, or by shape and member. */
import type { Constraints } from "./model.js";

const NAME = "[\\w+=,.@-]+";
const PATH = "(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)";

const CONSTRAINTS: Readonly<Record<string, Constraints>> = {
  RoleName: { min: 1, max: 64, pattern: NAME },
  UserName: { min: 1, max: 128, pattern: NAME },
  GroupName: { min: 1, max: 128, pattern: NAME },
  InstanceProfileName: { min: 1, max: 128, pattern: NAME },
  PolicyName: { min: 1, max: 128, pattern: NAME },
  Path: { min: 1, max: 512, pattern: PATH },
  PolicyArn: { min: 20, max: 2048 },
  OpenIDConnectProviderArn: { min: 20, max: 2048 },
  RoleArn: {
    min: 20,
    max: 2048,
    pattern: "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
  },
  RoleSessionName: { min: 2, max: 64, pattern: "[\\w+=,.@-]*" },
  SourceIdentity: { min: 2, max: 64, pattern: "[\\w+=,.@-]*" },
  ExternalId: { min: 2, max: 1224, pattern: "[\\w+=,.@:\\/-]*" },
  WebIdentityToken: { min: 4, max: 20000 },
  AccessKeyId: { min: 16, max: 128, pattern: "[\\w]*" },
  MaxSessionDuration: { min: 3600, max: 43200 },
  MaxItems: { min: 1, max: 1000 },
  "AssumeRoleRequest.DurationSeconds": { min: 900, max: 43200 },
  "AssumeRoleWithWebIdentityRequest.DurationSeconds": { min: 900, max: 43200 },
  "GetSessionTokenRequest.DurationSeconds": { min: 900, max: 129600 },
  "GetFederationTokenRequest.DurationSeconds": { min: 900, max: 129600 },
  "GetFederationTokenRequest.Name": { min: 2, max: 32, pattern: "[\\w+=,.@-]*" },
  "Tag.Key": { min: 1, max: 128 },
  "Tag.Value": { min: 0, max: 256 },
};

export const queryConstraints = (shape: string, member: string): Constraints | undefined =>
  CONSTRAINTS[`${shape}.${member}`] ?? CONSTRAINTS[member];
