/** Templates in user names and groups of access entries and of aws-auth, filled in from who signs in (aws-iam-authenticator, pkg/mapper). */
import type { Principal } from "./principal.js";

/** Session names of EC2 instances are their ids. */
const INSTANCE_ID = /^i-(\w{8}|\w{17})$/;

/** Looks up the private DNS name of an EC2 instance. */
export type PrivateDnsNameOf = (instanceId: string) => string | undefined;

/** The text with every template filled in; an error where the principal has nothing to fill one with. */
export function fillTemplate(
  template: string,
  principal: Principal,
  privateDnsNameOf: PrivateDnsNameOf,
): { text: string } | { error: string } {
  if (!template.includes("{{")) return { text: template };
  const sessionName = principal.sessionName ?? "";
  let text = template
    .replaceAll("{{AccountID}}", principal.accountId)
    .replaceAll("{{AccessKeyID}}", principal.accessKeyId)
    .replaceAll("{{SessionName}}", sessionName.replaceAll("@", "-"))
    .replaceAll("{{SessionNameRaw}}", sessionName);
  if (text.includes("{{EC2PrivateDNSName}}")) {
    const name = INSTANCE_ID.test(sessionName) ? privateDnsNameOf(sessionName) : undefined;
    if (name === undefined) return { error: `no EC2 instance is known by the session name "${sessionName}"` };
    text = text.replaceAll("{{EC2PrivateDNSName}}", name);
  }
  return { text };
}
