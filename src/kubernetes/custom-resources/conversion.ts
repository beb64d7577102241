/**
 * Conversion of custom objects between versions. Without a converter versions differ in their name alone; with a webhook, somebody else is asked, for as
 * many objects at once as there are, and only once for each: what came back is remembered as long as the object lives.
 */
import { internalError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { deepEqual, isObject } from "../patch/json.js";
import type { CustomResourceDefinition, WebhookConversion } from "../schema/generated/types.js";

export interface Converter {
  /** The object in another version. Throws when a webhook would have to be asked first. */
  convert(object: KubeObject, apiVersion: string): KubeObject;
  /** To be awaited before `convert` of these objects; undefined when there is nothing to wait for. */
  prepare(objects: readonly KubeObject[], apiVersion: string): Promise<void> | undefined;
  /** As `convert`, for an object that may still change: nothing is remembered of it. */
  convertDraft(draft: KubeObject, apiVersion: string): KubeObject | Promise<KubeObject>;
}

/**
 * Sends a review to a webhook and gives its answer, parsed. Rejects, with a reason fit for a message, when it cannot be reached, does not answer in time
 * or answers something else than JSON. `name` is what messages call the webhook.
 */
export type CallConverter = (
  name: string,
  client: NonNullable<WebhookConversion["clientConfig"]>,
  review: Record<string, unknown>,
) => Promise<unknown>;

const renamed = (object: KubeObject, apiVersion: string): KubeObject => ({ ...object, apiVersion });
const byName: Converter = { convert: renamed, convertDraft: renamed, prepare: () => undefined };

/** Where conversion calls cannot be made, a definition that needs them says so with every object. */
const unavailable =
  (name: string): CallConverter =>
  () =>
    Promise.reject(new Error(`no conversion webhook of ${name} can be called from here`));

export function converterOf(
  definition: CustomResourceDefinition,
  { call, uid }: { call?: CallConverter | undefined; uid(): string },
): Converter {
  const { conversion } = definition.spec;
  if (conversion?.strategy !== "Webhook" || !conversion.webhook) return byName;
  return webhookConverter(definition, conversion.webhook, call ?? unavailable(definition.metadata.name), uid);
}

function webhookConverter(
  definition: CustomResourceDefinition,
  webhook: WebhookConversion,
  call: CallConverter,
  uid: () => string,
): Converter {
  const { name } = definition.metadata;
  const reviewVersion = webhook.conversionReviewVersions.find((version) => version === "v1" || version === "v1beta1");
  const converted = new WeakMap<KubeObject, Map<string, KubeObject>>();

  function remember(object: KubeObject, other: KubeObject): void {
    const forms = converted.get(object) ?? new Map<string, KubeObject>();
    forms.set(other.apiVersion, other);
    converted.set(object, forms);
  }

  const known = (object: KubeObject, apiVersion: string): KubeObject | undefined =>
    object.apiVersion === apiVersion ? object : converted.get(object)?.get(apiVersion);

  async function ask(objects: readonly KubeObject[], apiVersion: string): Promise<KubeObject[]> {
    const kind = `${objects[0]?.apiVersion}, Kind=${definition.spec.names.kind}`;
    const refuse = (why: string): never => {
      throw internalError(`conversion webhook for ${kind} ${why}`);
    };
    const requestUid = uid();
    const reviewApi = `apiextensions.k8s.io/${reviewVersion}`;
    let answer: unknown;
    try {
      answer = await call(`conversion_webhook_for_${name}`, webhook.clientConfig ?? {}, {
        kind: "ConversionReview",
        apiVersion: reviewApi,
        request: { uid: requestUid, desiredAPIVersion: apiVersion, objects },
      });
    } catch (error) {
      refuse(`failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    const review = isObject(answer) ? answer : {};
    const response = isObject(review.response) ? review.response : undefined;
    if (reviewVersion === "v1" && (review.apiVersion !== reviewApi || review.kind !== "ConversionReview"))
      refuse(
        `failed: expected webhook response of ${reviewApi}, Kind=ConversionReview, got ${review.apiVersion ?? ""}, Kind=${review.kind ?? ""}`,
      );
    if (!response) refuse("failed: no response provided");
    const { uid: answeredUid, result, convertedObjects } = response as Record<string, unknown>;
    if (reviewVersion === "v1" && answeredUid !== requestUid)
      refuse(`failed: expected response.uid=${JSON.stringify(requestUid)}, got ${JSON.stringify(answeredUid ?? "")}`);
    const { status, message } = isObject(result) ? result : {};
    if (status !== "Success")
      refuse(`failed: ${message ? String(message) : `response.result.status was '${status ?? ""}', not 'Success'`}`);
    const list = Array.isArray(convertedObjects) ? convertedObjects : [];
    if (list.length !== objects.length) refuse(`returned ${list.length} objects, expected ${objects.length}`);
    return objects.map((object, index) => {
      const problem = conversionProblem(object, list[index], apiVersion);
      if (problem) refuse(`returned invalid object at index ${index}: ${problem}`);
      return withOwnMetadata(object, list[index] as KubeObject);
    });
  }

  async function learn(objects: readonly KubeObject[], apiVersion: string): Promise<void> {
    const answers = await ask(objects, apiVersion);
    for (const [index, object] of objects.entries()) remember(object, answers[index] as KubeObject);
  }

  return {
    convert(object, apiVersion) {
      const found = known(object, apiVersion);
      if (!found) throw internalError(`${object.kind} ${object.metadata.name} has not been converted to ${apiVersion}`);
      return found;
    },
    prepare(objects, apiVersion) {
      const unknown = objects.filter((object) => !known(object, apiVersion));
      return unknown.length === 0 ? undefined : learn(unknown, apiVersion);
    },
    convertDraft: (draft, apiVersion) =>
      draft.apiVersion === apiVersion ? draft : ask([draft], apiVersion).then(([answer]) => answer as KubeObject),
  };
}

const IMMUTABLE_METADATA = ["name", "namespace", "uid"] as const;

/** What a converter may not do. */
function conversionProblem(object: KubeObject, converted: unknown, apiVersion: string): string | undefined {
  if (!isObject(converted)) return "it is no object";
  if (converted.apiVersion !== apiVersion)
    return `invalid groupVersion (expected ${apiVersion}, received ${converted.apiVersion ?? ""})`;
  if (converted.kind !== object.kind) return `invalid kind (expected ${object.kind}, received ${converted.kind ?? ""})`;
  const metadata = isObject(converted.metadata) ? converted.metadata : {};
  for (const field of IMMUTABLE_METADATA) {
    const before = object.metadata[field] ?? "";
    const after = metadata[field] ?? "";
    if (field === "uid" && before === "") continue;
    if (before !== after) return `must have the same ${field === "uid" ? "UID" : field}: ${before} != ${after}`;
  }
  return undefined;
}

/**
 * A converter may change labels and annotations; the rest of the metadata is the object's. Where it changed nothing, both forms share one metadata, so
 * that the revision which the store writes into one is the other's too.
 */
function withOwnMetadata(object: KubeObject, converted: KubeObject): KubeObject {
  const { labels, annotations } = converted.metadata;
  const same = deepEqual(labels, object.metadata.labels) && deepEqual(annotations, object.metadata.annotations);
  if (same) return { ...converted, metadata: object.metadata };
  const metadata = { ...object.metadata };
  if (labels) metadata.labels = labels;
  else delete metadata.labels;
  if (annotations) metadata.annotations = annotations;
  else delete metadata.annotations;
  return { ...converted, metadata };
}
