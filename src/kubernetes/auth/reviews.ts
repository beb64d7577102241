/** Kinds that are questions, not objects: access reviews, who am I, is this token good. Answered, never stored. */
import { formatSeconds } from "../../clock/clock.js";
import type { UserInfo } from "../api.js";
import { badRequest, invalid, type StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import { required } from "../registry/strategies/field.js";
import type {
  PolicyRule,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  TokenReview,
} from "../schema/generated/types.js";
import type { AccessAttributes, AuthenticationResult } from "../security.js";
import type { RbacAuthorizer } from "./rbac.js";

export interface ReviewDependencies {
  /** Asks the whole chain of authorizers. */
  isAllowed(attributes: AccessAttributes): { allowed: boolean; reason: string; denied?: boolean };
  rbac: Pick<RbacAuthorizer, "rulesFor">;
  /** Asks the whole chain of authenticators about a bearer token; undefined: nobody knows its kind. */
  authenticate(
    token: string,
    audiences: readonly string[],
  ): Promise<AuthenticationResult | undefined> | AuthenticationResult | undefined;
  /** What the API server itself answers to, when a TokenReview names no audience. */
  audiences: readonly string[];
  nowMs(): number;
}

type Answer = (object: KubeObject, user: UserInfo, deps: ReviewDependencies) => KubeObject | Promise<KubeObject>;

const AUTHORIZATION = "authorization.k8s.io";

function attributesOf(
  user: UserInfo,
  { resourceAttributes: target, nonResourceAttributes: path }: SubjectAccessReviewSpec,
): AccessAttributes {
  if (!target) return { user, verb: path?.verb ?? "", path: path?.path ?? "" };
  const resource = {
    group: target.group ?? "",
    version: target.version ?? "*",
    resource: target.resource ?? "",
    subresource: target.subresource || undefined,
    namespace: target.namespace || undefined,
    name: target.name || undefined,
  };
  return { user, verb: target.verb ?? "", resource };
}

/** Exactly one of the two questions, and for the non-self kinds somebody it is about. */
function check(
  kind: string,
  spec: SubjectAccessReviewSpec | undefined,
  needsSubject: boolean,
): SubjectAccessReviewSpec {
  const causes: StatusCause[] = [];
  const questions = [spec?.resourceAttributes, spec?.nonResourceAttributes].filter(Boolean).length;
  if (questions === 2) {
    causes.push({
      reason: "FieldValueInvalid",
      field: "spec.nonResourceAttributes",
      message: "Invalid value: cannot be specified in combination with resourceAttributes",
    });
  }
  if (questions === 0)
    causes.push(
      required(
        "spec.resourceAttributes",
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    );
  if (needsSubject && !spec?.user && !spec?.groups?.length) {
    causes.push(required("spec.user", "at least one of user or group must be specified"));
  }
  if (causes.length > 0 || !spec) throw invalid(AUTHORIZATION, kind, "", causes);
  return spec;
}

function answerAccess(
  review: SubjectAccessReview | SelfSubjectAccessReview,
  user: UserInfo,
  deps: ReviewDependencies,
): KubeObject {
  const { allowed, reason, denied } = deps.isAllowed(attributesOf(user, review.spec));
  return { ...review, status: { allowed, ...(denied ? { denied } : {}), ...(reason ? { reason } : {}) } };
}

const subjectOf = ({ user = "", uid, groups = [], extra }: SubjectAccessReviewSpec): UserInfo => ({
  username: user,
  uid,
  groups,
  extra,
});

function localNamespace(target: ResourceAttributes | undefined, namespace: string | undefined): void {
  if (!target) throw invalid(AUTHORIZATION, "LocalSubjectAccessReview", "", [required("spec.resourceAttributes")]);
  if (target.namespace !== namespace) {
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  }
}

const resourceRule = ({ verbs, apiGroups, resources, resourceNames }: PolicyRule) => ({
  verbs,
  apiGroups,
  resources,
  resourceNames,
});

const ANSWERS: Readonly<Record<string, Answer>> = {
  SelfSubjectAccessReview: (object, user, deps) => {
    const review = object as SelfSubjectAccessReview;
    check("SelfSubjectAccessReview", review.spec, false);
    return answerAccess(review, user, deps);
  },
  SubjectAccessReview: (object, _user, deps) => {
    const review = object as SubjectAccessReview;
    return answerAccess(review, subjectOf(check("SubjectAccessReview", review.spec, true)), deps);
  },
  LocalSubjectAccessReview: (object, _user, deps) => {
    const review = object as SubjectAccessReview;
    const spec = check("LocalSubjectAccessReview", review.spec, true);
    localNamespace(spec.resourceAttributes, review.metadata?.namespace);
    return answerAccess(review, subjectOf(spec), deps);
  },
  SelfSubjectRulesReview: (object, user, { rbac }) => {
    const review = object as SelfSubjectRulesReview;
    const namespace = review.spec?.namespace;
    if (!namespace) throw badRequest("no namespace on request");
    const rules = rbac.rulesFor(user, namespace);
    return {
      ...review,
      status: {
        resourceRules: rules.filter(({ resources }) => resources?.length).map(resourceRule),
        nonResourceRules: rules
          .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
        incomplete: false,
      },
    };
  },
  SelfSubjectReview: (object, user, { nowMs }) => ({
    ...object,
    metadata: { ...object.metadata, creationTimestamp: formatSeconds(nowMs()) },
    status: { userInfo: userInfo(user) },
  }),
  TokenReview: async (object, _user, deps) => {
    const review = object as TokenReview;
    const token = review.spec?.token;
    if (!token) throw badRequest("token is required for TokenReview in authentication");
    const audiences = review.spec.audiences?.length ? review.spec.audiences : deps.audiences;
    const result = await deps.authenticate(token, audiences);
    // The token itself is not sent back.
    const spec = { ...review.spec, token: undefined };
    if (!result) return { ...review, spec, status: { authenticated: false, user: {} } };
    if ("error" in result) return { ...review, spec, status: { authenticated: false, user: {}, error: result.error } };
    return { ...review, spec, status: { authenticated: true, user: userInfo(result.user), audiences: [...audiences] } };
  },
};

function userInfo({ username, uid, groups, extra }: UserInfo): Record<string, unknown> {
  return {
    username,
    ...(uid ? { uid } : {}),
    groups: [...groups],
    ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

/** True for kinds that `handleReview` answers. */
export const isReview = (kind: string): boolean => kind in ANSWERS;

/** A namespaced review carries its request's namespace in its metadata. Refusals are StatusErrors. */
export async function handleReview(
  kind: string,
  object: KubeObject,
  user: UserInfo,
  deps: ReviewDependencies,
): Promise<KubeObject> {
  const answer = ANSWERS[kind];
  if (!answer) throw badRequest(`${kind} is not a review`);
  return answer(object, user, deps);
}
