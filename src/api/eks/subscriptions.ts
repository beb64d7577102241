/** Subscriptions of EKS Anywhere: they live in an account and region, not in a cluster. */
import { partitionOf, subscriptionArn } from "../../domain/eks/arns.js";
import { invalidParameter } from "../../domain/eks/refusals.js";
import { addTags } from "../../domain/eks/tags.js";
import { DomainError } from "../../domain/errors.js";
import { addMonths, type SubscriptionRecord } from "../../domain/subscription.js";
import type { EksAnywhereSubscription } from "../model/generated/operations.js";
import { type EksOperations, type OperationContext, scheduleWork, subscriptionWorkKey } from "./context.js";
import { licenseId, resourceUuid } from "./identifiers.js";
import { pageOf } from "./paging.js";

const DEFAULT_PAGE_SIZE = 10;
const MAX_LICENSES = 100;

function subscriptionView(subscription: SubscriptionRecord): EksAnywhereSubscription {
  return {
    id: subscription.id,
    arn: subscription.arn,
    createdAt: subscription.createdAtMs,
    effectiveDate: subscription.effectiveAtMs,
    expirationDate: subscription.expiresAtMs,
    licenseQuantity: subscription.licenseQuantity,
    licenseType: subscription.licenseType,
    term: subscription.term,
    status: subscription.status,
    autoRenew: subscription.autoRenew,
    licenseArns: subscription.licenseArns,
    licenses: subscription.licenses,
    tags: subscription.tags,
  };
}

function findSubscription({ state, scope }: OperationContext, id: string): SubscriptionRecord {
  const subscription = state.subscriptions.get(scope, id);
  if (!subscription) {
    throw new DomainError("ResourceNotFoundException", `No subscription found for ID: ${id}.`, { subscriptionId: id });
  }
  return subscription;
}

/** The term as the contract has it: one or three years. */
function termOf({ duration, unit }: { duration?: number; unit?: string }): SubscriptionRecord["term"] {
  if ((duration !== 12 && duration !== 36) || unit !== "MONTHS") {
    throw invalidParameter("term must have a duration of 12 or 36 and the unit MONTHS");
  }
  return { duration, unit };
}

export const subscriptions = {
  CreateEksAnywhereSubscription(input, context) {
    const { state, scope, clock } = context;
    const term = termOf(input.term);
    const licenseQuantity = input.licenseQuantity ?? 1;
    if (licenseQuantity < 1 || licenseQuantity > MAX_LICENSES) {
      throw invalidParameter(`licenseQuantity must be from 1 to ${MAX_LICENSES}`);
    }
    if (state.subscriptions.list(scope).some(({ name }) => name === input.name)) {
      throw invalidParameter(`Subscription already exists with name: ${input.name}`);
    }
    const id = resourceUuid(context, "subscription", input.name);
    const licenses = Array.from({ length: licenseQuantity }, (_, index) => ({
      id: licenseId(context, input.name, String(index)),
      token: btoa(JSON.stringify({ subscription: id, license: index + 1 })),
    }));
    const subscription: SubscriptionRecord = {
      ...scope,
      id,
      arn: subscriptionArn(scope, id),
      name: input.name,
      createdAtMs: clock.now(),
      effectiveAtMs: clock.now(),
      expiresAtMs: addMonths(clock.now(), term.duration),
      status: "CREATING",
      statusSinceMs: clock.now(),
      term,
      licenseQuantity,
      licenseType: "Cluster",
      autoRenew: input.autoRenew ?? false,
      licenses,
      licenseArns: licenses.map(
        (license) => `arn:${partitionOf(scope)}:license-manager::${scope.accountId}:license:${license.id}`,
      ),
      tags: addTags({}, input.tags ?? {}, "InvalidParameterException"),
    };
    state.subscriptions.put(subscription);
    scheduleWork(context, "subscription", subscriptionWorkKey(subscription));
    return { subscription: subscriptionView(subscription) };
  },

  DescribeEksAnywhereSubscription(input, context) {
    return { subscription: subscriptionView(findSubscription(context, input.id)) };
  },

  ListEksAnywhereSubscriptions(input, context) {
    const { state, scope } = context;
    const wanted = input.includeStatus;
    const found = state.subscriptions
      .list(scope)
      .filter(({ status }) => wanted === undefined || wanted.length === 0 || wanted.includes(status));
    const { keys, nextToken } = pageOf(
      context,
      ["ListEksAnywhereSubscriptions", wanted],
      { ...input, maxResults: input.maxResults ?? DEFAULT_PAGE_SIZE },
      ({ after = "", limit }) =>
        found
          .map(({ id }) => id)
          .filter((id) => id > after)
          .slice(0, limit),
    );
    return { subscriptions: found.filter(({ id }) => keys.includes(id)).map(subscriptionView), nextToken };
  },

  /** Whether it renews itself is all that can be changed of a contract. */
  UpdateEksAnywhereSubscription(input, context) {
    const { state, clock } = context;
    const subscription = findSubscription(context, input.id);
    if (subscription.status !== "ACTIVE" && subscription.status !== "EXPIRING") {
      throw notNow(subscription, "updated");
    }
    const updating: SubscriptionRecord = {
      ...subscription,
      autoRenew: input.autoRenew,
      status: "UPDATING",
      statusSinceMs: clock.now(),
    };
    state.subscriptions.put(updating);
    scheduleWork(context, "subscription", subscriptionWorkKey(updating));
    return { subscription: subscriptionView(updating) };
  },

  /** Contracts that run can only be ended through a support case. */
  DeleteEksAnywhereSubscription(input, context) {
    const subscription = findSubscription(context, input.id);
    if (subscription.status !== "EXPIRED") throw notNow(subscription, "deleted");
    context.state.subscriptions.remove(context.scope, subscription.id);
    return { subscription: subscriptionView({ ...subscription, status: "DELETING" }) };
  },
} satisfies Partial<EksOperations>;

const notNow = ({ id, status }: SubscriptionRecord, what: string): DomainError =>
  new DomainError("InvalidRequestException", `The subscription ${id} cannot be ${what} as it is in status ${status}`, {
    subscriptionId: id,
  });
