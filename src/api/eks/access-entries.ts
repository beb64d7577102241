/** Access entries. They change at once, whatever update is running; the API server reads them at every request. */
import type { AccessEntryRecord } from "../../domain/access-entry.js";
import {
  changedAccessEntry,
  checkNewAccessEntry,
  checkNotServiceLinked,
  invalidPrincipal,
  newAccessEntry,
} from "../../domain/eks/access-entry-rules.js";
import { type AutomaticEntry, hasAccessEntries } from "../../domain/eks/automatic-entries.js";
import { principalKey } from "../../domain/eks/principals.js";
import { checkUsable } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import { addAutomaticEntries } from "../../identity/automatic-entries.js";
import type { EksOperations, OperationContext } from "./context.js";
import { resourceUuid } from "./identifiers.js";
import { findCluster } from "./lookup.js";
import { pageFrom, pageOf } from "./paging.js";
import { accessEntryView } from "./views/access.js";

/** Quota of a cluster. */
const MAX_ENTRIES = 750;

/** A cluster whose authentication mode knows access entries. Throws InvalidRequestException. */
function findClusterWithEntries(context: OperationContext, clusterName: string): ClusterRecord {
  const cluster = findCluster(context, clusterName);
  if (hasAccessEntries(cluster)) return cluster;
  throw new DomainError(
    "InvalidRequestException",
    "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    { clusterName },
  );
}

export function findAccessEntry(
  context: OperationContext,
  { clusterName, principalArn }: { clusterName: string; principalArn: string },
): { cluster: ClusterRecord; entry: AccessEntryRecord } {
  const cluster = findClusterWithEntries(context, clusterName);
  const entry = context.state.accessEntries.get(cluster.id, principalKey(principalArn));
  // The path belongs to the name by which an entry is asked for.
  if (entry?.principalArn === principalArn) return { cluster, entry };
  throw new DomainError(
    "ResourceNotFoundException",
    "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
    { clusterName },
  );
}

/** For what EKS makes by itself in the course of a call. */
export const grantAutomatically = (
  context: OperationContext,
  cluster: ClusterRecord,
  entries: readonly AutomaticEntry[],
): void =>
  addAutomaticEntries(
    {
      present: context.state.accessEntries,
      nowMs: context.clock.now(),
      uuidOf: (principalArn) => resourceUuid(context, "access-entry", cluster.id, principalArn),
      ...(context.directory ? { principalIdOf: context.directory.uniqueIdOf } : {}),
    },
    cluster,
    entries,
  );

export const accessEntries = {
  CreateAccessEntry(input, context) {
    const { state, scope, clock, config } = context;
    const { clusterName, principalArn } = input;
    const checked = checkNewAccessEntry(input, scope);
    const cluster = findClusterWithEntries(context, clusterName);
    checkUsable(cluster);
    if (state.accessEntries.get(cluster.id, principalKey(principalArn))) {
      throw new DomainError(
        "ResourceInUseException",
        "The specified access entry resource is already in use on this cluster.",
        { clusterName },
      );
    }
    if (state.accessEntries.count(cluster.id) >= MAX_ENTRIES) {
      throw new DomainError(
        "ResourceLimitExceededException",
        `Access entry limit exceeded: a cluster can have ${MAX_ENTRIES} access entries`,
        { clusterName },
      );
    }
    const principalId = context.directory?.uniqueIdOf(principalArn);
    if (principalId === undefined && (context.directory || config.strict)) throw invalidPrincipal();
    const uuid = resourceUuid(context, "access-entry", cluster.id, principalArn);
    const entry = newAccessEntry(cluster, principalArn, checked, { uuid, nowMs: clock.now(), principalId });
    state.accessEntries.put(entry);
    return { accessEntry: accessEntryView(entry) };
  },

  DescribeAccessEntry(input, context) {
    return { accessEntry: accessEntryView(findAccessEntry(context, input).entry) };
  },

  ListAccessEntries(input, context) {
    const { state } = context;
    const cluster = findClusterWithEntries(context, input.clusterName);
    const policyArn = input.associatedPolicyArn;
    const has = (entry: AccessEntryRecord): boolean => entry.policies.some((policy) => policy.policyArn === policyArn);
    const { keys, nextToken } = pageOf(context, ["ListAccessEntries", cluster.id, policyArn], input, (page) => {
      if (policyArn === undefined) return state.accessEntries.names(cluster.id, page);
      return pageFrom(state.accessEntries.list(cluster.id).filter(has).map(keyOf), page);
    });
    const principals = keys.flatMap((key) => state.accessEntries.get(cluster.id, key)?.principalArn ?? []);
    return { accessEntries: principals, nextToken };
  },

  UpdateAccessEntry(input, context) {
    checkNotServiceLinked(input.principalArn, "InvalidParameterException");
    const { entry } = findAccessEntry(context, input);
    const changed = changedAccessEntry(entry, input, context.clock.now());
    context.state.accessEntries.put(changed);
    return { accessEntry: accessEntryView(changed) };
  },

  DeleteAccessEntry(input, context) {
    checkNotServiceLinked(input.principalArn, "InvalidRequestException");
    const { cluster, entry } = findAccessEntry(context, input);
    context.state.accessEntries.remove(cluster.id, keyOf(entry));
    return {};
  },
} satisfies Partial<EksOperations>;

const keyOf = ({ principalArn }: AccessEntryRecord): string => principalKey(principalArn);
