/** Envelope encryption of secrets with a customer's key: set once, for secrets only, with a key of the cluster's own region. */
import { parseArn } from "./arns.js";
import { invalidParameter } from "./refusals.js";

export interface EncryptionConfig {
  resources?: string[];
  provider?: { keyArn?: string };
}

export function checkEncryption(config: readonly EncryptionConfig[], region: string): void {
  for (const { resources = [], provider } of config) {
    if (resources.length !== 1 || resources[0] !== "secrets")
      throw invalidParameter("Invalid k8s resource for encryption");
    const key = parseArn(provider?.keyArn ?? "");
    if (key?.service !== "kms" || !/^(key|alias)\/./.test(key.resource)) {
      throw invalidParameter("The keyArn in encryptionConfig provider is not valid");
    }
    if (key.region !== region)
      throw invalidParameter("The keyArn for encryptionConfig is scoped to invalid aws region.");
  }
}
