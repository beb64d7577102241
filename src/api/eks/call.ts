/**
 * Runs an operation the way all are run. Those that change something run in one transaction together with their event and with the answer kept under
 * their idempotency token; reconcilers are nudged after the commit. Operations themselves know nothing of this.
 */
import { createHash } from "node:crypto";
import { DomainError } from "../../domain/errors.js";
import type { OperationName } from "../model/generated/operations.js";
import { isReadOnly, type Model, shapeOf } from "../model/model.js";
import type { EksOperations, OperationContext, WorkKind } from "./context.js";
import { hasResource } from "./tags.js";

type Operation = (input: object, context: OperationContext) => object;

/** Throws NotImplementedException for operations that are not in the table. */
export function createCaller(
  model: Model,
  operations: Partial<EksOperations>,
): (name: OperationName, input: object, context: OperationContext) => object {
  const table = operations as Partial<Record<OperationName, Operation>>;
  return (name, input, context) => {
    const operation = table[name];
    if (!operation) throw new DomainError("NotImplementedException", `eksim does not implement ${name} yet`);
    if (isReadOnly(name)) return operation(input, context);

    const nudges: [WorkKind, string][] = [];
    const buffered: OperationContext = { ...context, nudge: (kind, key) => nudges.push([kind, key]) };
    const output = context.state.transaction(() =>
      onceByToken(model, name, input, context, () => {
        const answer = operation(input, buffered);
        recordEvent(model, name, input, context);
        return answer;
      }),
    );
    for (const [kind, key] of nudges) context.nudge(kind, key);
    return output;
  };
}

/**
 * Same token and same parameters: the first answer again. Same token and other parameters: refused. A token is forgotten with what was made under it, so that
 * a script that always sends the same one can delete and create.
 */
function onceByToken(
  model: Model,
  name: OperationName,
  input: object,
  context: OperationContext,
  run: () => object,
): object {
  const member = tokenMember(model, name);
  const values = input as Record<string, unknown>;
  const token = member === undefined ? undefined : values[member];
  if (member === undefined || typeof token !== "string" || token === "") return run();
  const { state, scope, clock } = context;
  const { [member]: _, ...parameters } = values;
  const fingerprint = createHash("sha256").update(canonical(parameters)).digest("base64url");
  const known = state.idempotency.get(scope, name, token);
  if (known && isStillThere(known.response as Made, values, context)) {
    if (known.fingerprint === fingerprint) return known.response as object;
    throw new DomainError(
      "InvalidParameterException",
      `The clientRequestToken ${token} was already used for a ${name} call with different parameters`,
    );
  }
  const response = run();
  state.idempotency.put(scope, name, token, { fingerprint, response, atMs: clock.now() });
  return response;
}

/** What an answer shows of what was made: a resource, an update, or both. */
type Made = Record<string, { createdAt?: number; id?: string } | undefined>;

/** Each family of resources has its own name for the member with the ARN. */
const ARN_MEMBERS = [
  "arn",
  "nodegroupArn",
  "addonArn",
  "fargateProfileArn",
  "accessEntryArn",
  "associationArn",
] as const;

/**
 * Whether what was made under a token is there yet. A cluster of the same name that was created later is another one; ARNs of everything else are never used
 * twice; updates go with their cluster.
 */
function isStillThere(made: Made, input: Record<string, unknown>, context: OperationContext): boolean {
  const { state, scope } = context;
  const { tags: _, update, ...resources } = made;
  const name = String(input.clusterName ?? input.name);
  const cluster = state.clusters.get({ ...scope, name });
  if (made.cluster) {
    return (cluster ?? state.registrations.get(scope, name))?.createdAtMs === made.cluster.createdAt;
  }
  const arn = Object.values(resources).map(arnOf).find(Boolean);
  if (arn !== undefined) return hasResource(context, arn);
  return cluster !== undefined && (!update || state.updates.get(cluster.id, update.id ?? "") !== undefined);
}

function arnOf(resource: object | undefined): string | undefined {
  const values = (resource ?? {}) as Record<string, string | undefined>;
  return ARN_MEMBERS.map((member) => values[member]).find(Boolean);
}

const tokenMember = (model: Model, name: OperationName): string | undefined =>
  Object.entries(shapeOf(model, model.operations[name].input)).find(([, member]) => member.idempotencyToken)?.[0];

/** JSON with sorted keys: the same for equal parameters in whatever order they came. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** What a call is about, by the first of these that it has; else its cluster. */
const SUBJECT_MEMBERS = [
  "certificateAuthorityId",
  "nodegroupName",
  "addonName",
  "fargateProfileName",
  "capabilityName",
  "principalArn",
  "associationId",
  "serviceAccount",
  "name",
  "resourceArn",
];

/** One line of the log that CloudTrail look-ups read. Members that the model marks as sensitive stay out of it. */
function recordEvent(model: Model, name: OperationName, input: object, context: OperationContext): void {
  const { input: inputName, uri } = model.operations[name];
  const shape = shapeOf(model, inputName);
  const shown = Object.fromEntries(Object.entries(input).filter(([member]) => !shape[member]?.sensitive));
  const values = shown as Record<string, string | undefined>;
  const ofCluster = /^\/cluster(s|-registrations)\b/.test(uri);
  const clusterName = ofCluster ? (values.clusterName ?? values.name) : clusterOfArn(values.resourceArn);
  const subject = SUBJECT_MEMBERS.map((member) => values[member]).find(Boolean) ?? clusterName ?? name;
  context.state.events.append({
    atMs: context.clock.now(),
    ...context.scope,
    ...(clusterName === undefined ? {} : { clusterName }),
    source: "api",
    type: name,
    subject,
    message: `${context.principalArn} called ${name} on ${subject}`,
    detail: { requestId: context.requestId, principalArn: context.principalArn, requestParameters: shown },
  });
}

/** `...:cluster/demo` and `...:nodegroup/demo/workers/<uuid>` both are of cluster `demo`. */
const clusterOfArn = (arn: string | undefined): string | undefined => arn?.split("/")[1];
