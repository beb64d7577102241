/**
 * Mutating and validating admission webhooks. Mutating ones are called one after the other, each seeing what those before it changed; validating ones all
 * at once. A webhook that cannot be asked refuses the request or is passed over, as its failure policy says.
 */
import type { Random } from "../../../clock/random.js";
import { badRequest, forbidden, internalError, isStatusError } from "../../errors.js";
import type { KubeObject } from "../../object.js";
import { applyJsonPatch, cloneJson, deepEqual } from "../../patch/index.js";
import type { ResourceInfo } from "../../schema/resource-info.js";
import type { AccessAttributes } from "../../security.js";
import { isExempt, matchRequest } from "../matching.js";
import type { AdmissionPlugin, AdmissionReader, AdmissionRequest } from "../plugin.js";
import { evaluateConditions } from "../policies/conditions.js";
import { askerFor, bindingsFor } from "../policies/expressions.js";
import { beginRound } from "../reinvocation.js";
import { type ReviewedRequest, replaceContents, reviewedRequest } from "../review.js";
import type { Versions } from "../versions.js";
import { type AdmissionAnswer, admissionReview, readAnswer, rejection, reviewVersionOf } from "./admission-review.js";
import type { WebhookCaller } from "./call.js";
import { UnknownServerError, WebhookCallError } from "./failures.js";
import type { Webhook, WebhookHook, WebhookIndex } from "./hooks.js";
import type { WebhookOutage } from "./outage.js";

export interface WebhookEnvironment {
  caller: WebhookCaller;
  versions: Versions;
  random: Random;
  outage: WebhookOutage;
  isAllowed(attributes: AccessAttributes): { allowed: boolean; reason: string };
}

const DEFAULT_TIMEOUT_SECONDS = 10;

/** The object as the webhook sees it, and the request about it. */
interface Invocation {
  hook: WebhookHook;
  matched: ResourceInfo;
  reviewed: ReviewedRequest;
  object: KubeObject | undefined;
  previous: KubeObject | undefined;
}

/** Whether, and in which version, the webhook is to be called. Throws 403 where its conditions fail and it must not be passed over. */
async function invocationOf(
  hook: WebhookHook,
  request: AdmissionRequest,
  reader: AdmissionReader,
  { versions, isAllowed }: WebhookEnvironment,
): Promise<Invocation | undefined> {
  const matched = matchRequest(hook.criteria, request, reader, versions.equivalents);
  if (!matched) return undefined;
  const converted = async (object: KubeObject | undefined): Promise<KubeObject | undefined> =>
    object && versions.converted(object, request.info, matched);
  const sent = versions.sent(request);
  const [object, previous] = [await converted(sent.object), await converted(sent.previous)];
  const reviewed = reviewedRequest(request, matched, sent.object);
  if (hook.webhook.matchConditions?.length) {
    const asker = askerFor(request.user, isAllowed);
    const bindings = () => bindingsFor({ request: reviewed, object, previous, namespace: undefined, asker });
    const outcome = evaluateConditions(hook.conditions, bindings, hook.webhook.failurePolicy);
    if ("error" in outcome) throw forbidden(request.info.group, request.info.resource, request.name, outcome.error);
    if (!outcome.matches) return undefined;
  }
  return { hook, matched, reviewed, object, previous };
}

function assertDryRun({ dryRun }: AdmissionRequest, { name, sideEffects }: Webhook): void {
  if (dryRun && sideEffects !== "None" && sideEffects !== "NoneOnDryRun")
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
}

/** Asks the webhook; undefined when it could not be asked and may be passed over. Throws StatusError for refusals. */
async function ask(
  { hook: { webhook, configuration }, reviewed, object, previous }: Invocation,
  request: AdmissionRequest,
  mutating: boolean,
  { caller, random, outage }: WebhookEnvironment,
): Promise<AdmissionAnswer | undefined> {
  assertDryRun(request, webhook);
  const uid = random.uuid();
  try {
    const version = reviewVersionOf(webhook.admissionReviewVersions);
    if (!version) throw new WebhookCallError(`webhook does not accept known AdmissionReview versions (v1, v1beta1)`);
    const review = admissionReview(version, uid, reviewed, { object, previous });
    const timeout = webhook.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
    let body: unknown;
    try {
      body = await caller.post(webhook.clientConfig, review, timeout, {
        patient: request.patient,
        outage: outage.of(webhook.name, configuration),
      });
    } catch (error) {
      if (error instanceof UnknownServerError) {
        request.warn?.(
          `admission webhook ${JSON.stringify(webhook.name)} is not asked: the image of its pod has no program in this simulated cluster`,
        );
        return undefined;
      }
      if (error instanceof WebhookCallError) throw new WebhookCallError(`failed to call webhook: ${error.message}`);
      throw error;
    }
    const answer = readOrExplain(version, uid, mutating, body);
    for (const warning of answer.warnings) request.warn?.(warning);
    if (!answer.allowed) throw rejection(webhook.name, answer.status);
    return answer;
  } catch (error) {
    if (!(error instanceof WebhookCallError)) throw error;
    if (webhook.failurePolicy === "Ignore") return undefined;
    throw internalError(`failed calling webhook ${JSON.stringify(webhook.name)}: ${error.message}`);
  }
}

function readOrExplain(version: string, uid: string, mutating: boolean, body: unknown): AdmissionAnswer {
  try {
    return readAnswer(version, uid, mutating, body);
  } catch (error) {
    if (error instanceof WebhookCallError)
      throw new WebhookCallError(`received invalid webhook response: ${error.message}`);
    throw error;
  }
}

const MUTATING = "MutatingAdmissionWebhook";

export function mutatingWebhooks(environment: WebhookEnvironment, index: WebhookIndex): AdmissionPlugin {
  async function dispatch(
    request: AdmissionRequest,
    reader: AdmissionReader,
    hooks: readonly WebhookHook[],
  ): Promise<void> {
    const round = beginRound(MUTATING, request);
    for (const hook of hooks) {
      const invocation = await invocationOf(hook, request, reader, environment);
      if (!invocation || !round.shouldRun(hook.key)) continue;
      const answer = await ask(invocation, request, true, environment);
      if (answer?.patch?.length && (await change(request, invocation, answer.patch))) round.changed();
      round.ran(hook.key, hook.webhook.reinvocationPolicy === "IfNeeded");
    }
    round.end();
  }

  /** True when the patch changes anything. */
  async function change(
    request: AdmissionRequest,
    { hook, matched, object }: Invocation,
    patch: unknown[],
  ): Promise<boolean> {
    const { object: draft, info } = request;
    const name = JSON.stringify(hook.webhook.name);
    // A Scale is a view: there is nothing that a change could stay in.
    if (!draft || !object || object.kind !== draft.kind)
      throw internalError(
        `admission webhook ${name} attempted to modify the object, which is not supported for this operation`,
      );
    let patched: KubeObject;
    try {
      patched = applyJsonPatch(object, patch);
    } catch (error) {
      if (!isStatusError(error)) throw error;
      throw internalError(error.details?.causes?.[0]?.message ?? error.message);
    }
    if (deepEqual(patched, object)) return false;
    const back = await environment.versions.converted(patched, matched, info);
    replaceContents(draft, cloneJson(environment.versions.pruned(back, info)));
    return true;
  }

  const run = (request: AdmissionRequest, reader: AdmissionReader): Promise<void> | undefined => {
    const { hooks } = index;
    if (hooks.length === 0 || isExempt(request) || !concerns(hooks, request)) return undefined;
    return dispatch(request, reader, hooks);
  };
  return {
    name: MUTATING,
    admit: run,
    // Deletions know one stage only: there is nothing to change, but to be refused.
    validate: (request, reader) => (request.operation === "DELETE" ? run(request, reader) : undefined),
  };
}

export function validatingWebhooks(environment: WebhookEnvironment, index: WebhookIndex): AdmissionPlugin {
  async function dispatch(
    request: AdmissionRequest,
    reader: AdmissionReader,
    hooks: readonly WebhookHook[],
  ): Promise<void> {
    const invocations: Invocation[] = [];
    for (const hook of hooks) {
      const invocation = await invocationOf(hook, request, reader, environment);
      if (invocation) invocations.push(invocation);
    }
    const outcomes = await Promise.allSettled(
      invocations.map((invocation) => ask(invocation, request, false, environment)),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  return {
    name: "ValidatingAdmissionWebhook",
    validate(request, reader) {
      const { hooks } = index;
      if (hooks.length === 0 || isExempt(request) || !concerns(hooks, request)) return undefined;
      return dispatch(request, reader, hooks);
    },
  };
}

/** A first look that keeps writes synchronous which no webhook can be about. */
function concerns(hooks: readonly WebhookHook[], { operation, info }: AdmissionRequest): boolean {
  return hooks.some(({ criteria }) =>
    criteria.rules?.some(
      ({ operations, apiGroups, resources }) =>
        operations?.some((one) => one === "*" || one === operation) &&
        apiGroups?.some((group) => group === "*" || group === info.group || criteria.matchPolicy !== "Exact") &&
        resources?.some((one) => one.startsWith("*") || one === info.resource || one.startsWith(`${info.resource}/`)),
    ),
  );
}
