/** Runs an operation of STS or IAM the way all are run: what changes something in one transaction together with its event. */

import type { SessionRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import type { Scope } from "../../domain/model.js";
import type { Directory } from "../../identity/directory.js";
import type { Principal } from "../../identity/principal.js";
import type { WebIdentityVerifier } from "../../identity/web-identity.js";
import type { State } from "../../state/state.js";
import type { QueryServiceName } from "../model/query-model.js";

/** What an operation may use. */
export interface QueryContext {
  scope: Scope;
  principalArn: string;
  /** Who signed; absent for calls that nobody signs. */
  principal?: Principal;
  /** The temporary credentials that it was signed with. */
  session?: SessionRecord;
  sourceIp?: string;
  requestId: string;
  state: State;
  clock: { now(): number };
  directory: Directory;
  webIdentityVerifiers: readonly WebIdentityVerifier[];
}

/** A table of operations as generated, where an answer may take its time. */
export type QueryOperations<Table> = {
  [Name in keyof Table]?: Table[Name] extends (input: infer Input, context: infer Context) => infer Output
    ? (input: Input, context: Context) => Output | Promise<Output>
    : never;
};

type Operation = (input: object, context: QueryContext) => object | Promise<object>;

const isRead = (name: string): boolean => /^(Get|List|Simulate|Decode)/.test(name);

/** Throws NotImplemented for operations that are not in the table. */
export function createQueryCaller(
  service: QueryServiceName,
  operations: object,
): (name: string, input: object, context: QueryContext) => object | Promise<object> {
  const table = operations as Record<string, Operation>;
  return (name, input, context) => {
    const operation = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!operation) throw new IamError("NotImplemented", `eksim does not implement ${name} of ${service} yet`);
    // Sessions of STS are written by themselves: they are made by the thousand, and some wait for others' keys.
    if (service === "sts" || isRead(name)) return operation(input, context);
    return context.state.transaction(() => {
      const answer = operation(input, context);
      recordEvent(name, input, context);
      return answer;
    });
  };
}

/** What a call is about, by the first of these that it has. */
const SUBJECT_MEMBERS = [
  "RoleName",
  "UserName",
  "InstanceProfileName",
  "GroupName",
  "PolicyName",
  "PolicyArn",
  "OpenIDConnectProviderArn",
  "Url",
  "AWSServiceName",
];

/** One line of the log that CloudTrail look-ups read. */
function recordEvent(name: string, input: object, context: QueryContext): void {
  const values = input as Record<string, unknown>;
  const subject = String(SUBJECT_MEMBERS.map((member) => values[member]).find(Boolean) ?? name);
  const { principalArn, requestId } = context;
  context.state.events.append({
    atMs: context.clock.now(),
    ...context.scope,
    source: "api",
    type: name,
    subject,
    message: `${principalArn} called ${name} on ${subject}`,
    detail: { requestId, principalArn, requestParameters: values },
  });
}
