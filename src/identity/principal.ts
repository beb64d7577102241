import { createHash } from "node:crypto";

/** Who makes an AWS call, as far as the access key tells while no IAM says more. */
export interface Principal {
  accountId: string;
  /** `arn:aws:iam::<account>:user/<access key>`, or `:root` where the access key is an account number. */
  arn: string;
  /** IAM's unique id: `AIDA` and 17 upper-case characters; the account number for root. */
  userId: string;
  accessKeyId: string;
  /** Of an assumed role; absent for users and root. */
  sessionName?: string;
}

/** The account of access keys that name none. */
export const DEFAULT_ACCOUNT = "000000000000";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A stable unique id in IAM's form, made from the ARN. */
export function uniqueId(prefix: "AIDA" | "AROA" | "AGPA" | "AIPA" | "ANPA", arn: string): string {
  const digest = createHash("sha256").update(arn).digest();
  let text = "";
  for (let i = 0; i < 17; i++) text += BASE32.charAt((digest[i] as number) & 31);
  return prefix + text;
}

/**
 * A 12-digit access key is that account's root; any other is a user of the default account that bears the key's name, so that two keys are two
 * principals, as on AWS. Characters that an IAM user name cannot have are dropped from the name.
 */
export function principalOfAccessKey(accessKeyId: string): Principal {
  if (/^\d{12}$/.test(accessKeyId)) {
    return { accountId: accessKeyId, arn: `arn:aws:iam::${accessKeyId}:root`, userId: accessKeyId, accessKeyId };
  }
  const name = accessKeyId.replace(/[^\w+=,.@-]/g, "").slice(0, 64) || "anonymous";
  const arn = `arn:aws:iam::${DEFAULT_ACCOUNT}:user/${name}`;
  return { accountId: DEFAULT_ACCOUNT, arn, userId: uniqueId("AIDA", arn), accessKeyId };
}
