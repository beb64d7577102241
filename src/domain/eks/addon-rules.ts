/** What becomes of a request for an add-on, and what is refused, in EKS's words. */
import type { AddonRecord, AddonSettings, AddonUpdatePlan, ResolveConflicts } from "../addon.js";
import { configurationSchema } from "../addons/configuration.js";
import { schemaProblems } from "../addons/json-schema.js";
import {
  type AddonVersion,
  addon,
  type CatalogueAddon,
  defaultAddonVersion,
  isCompatible,
} from "../catalogue/addons.js";
import { DomainError } from "../errors.js";
import type { ClusterRecord } from "../model.js";
import { addonArn, checkPassRole } from "./arns.js";
import { updateParams } from "./cluster-updates.js";
import { addTags } from "./tags.js";

/** A role for a service account of the add-on, given by Pod Identity. */
export interface AddonPodIdentity {
  serviceAccount: string;
  roleArn: string;
}

export interface AddonRequest {
  clusterName: string;
  addonName: string;
  addonVersion?: string;
  serviceAccountRoleArn?: string;
  resolveConflicts?: ResolveConflicts;
  configurationValues?: string;
  podIdentityAssociations?: readonly AddonPodIdentity[];
}

export interface NewAddonRequest extends AddonRequest {
  tags?: Record<string, string>;
  namespaceConfig?: { namespace?: string };
}

const refuse = (
  message: string,
  { clusterName, addonName }: Pick<AddonRequest, "clusterName" | "addonName">,
): DomainError => new DomainError("InvalidParameterException", message, { clusterName, addonName });

export const noAddonFound = (clusterName: string, addonName: string): DomainError =>
  new DomainError("ResourceNotFoundException", `No addon: ${addonName} found in cluster: ${clusterName}`, {
    clusterName,
    addonName,
  });

/** Checks that EKS makes before it looks for the cluster. Throws InvalidParameterException or AccessDeniedException. */
export function checkAddonRoles(request: AddonRequest, accountId: string): void {
  if (request.serviceAccountRoleArn) checkPassRole(request.serviceAccountRoleArn, accountId);
  const accounts = new Set<string>();
  for (const { serviceAccount, roleArn } of request.podIdentityAssociations ?? []) {
    checkPassRole(roleArn, accountId);
    if (accounts.has(serviceAccount)) {
      throw refuse(`The service account ${serviceAccount} is in podIdentityAssociations more than once`, request);
    }
    accounts.add(serviceAccount);
  }
}

/** The add-on of that name as it is offered for a Kubernetes version. */
function offeredAddon(request: Pick<AddonRequest, "clusterName" | "addonName">, version: string): CatalogueAddon {
  const found = addon(request.addonName);
  if (found?.versions.some((entry) => isCompatible(entry, version))) return found;
  throw refuse(`Addon ${request.addonName} specified is not supported in ${version} kubernetes version`, request);
}

function offeredVersion(request: AddonRequest, found: CatalogueAddon, clusterVersion: string): AddonVersion {
  const wanted = request.addonVersion ?? defaultAddonVersion(found.name, clusterVersion);
  const version = found.versions.find((entry) => entry.version === wanted && isCompatible(entry, clusterVersion));
  if (!version) throw refuse("Addon version specified is not supported", request);
  return version;
}

/** `configuration` is what the configuration values say once they have been read. */
function checkConfiguration(request: AddonRequest, configuration: unknown): Record<string, unknown> {
  const problems = schemaProblems(configurationSchema(request.addonName), configuration);
  if (problems.length === 0) return configuration as Record<string, unknown>;
  throw refuse(
    `ConfigurationValue provided in request is not supported: Json schema validation failed with error: [${problems.join(", ")}]`,
    request,
  );
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** `configuration`: the configuration values as read, absent when none were given. */
export function newAddon(
  request: NewAddonRequest,
  facts: { cluster: ClusterRecord; uuid: string; nowMs: number; configuration: unknown },
): AddonRecord {
  const { cluster, uuid, nowMs } = facts;
  const found = offeredAddon(request, cluster.version);
  const { version } = offeredVersion(request, found, cluster.version);
  const namespace = request.namespaceConfig?.namespace ?? found.defaultNamespace;
  if (!NAMESPACE.test(namespace)) throw refuse("Provided namespace value is not a valid RFC 1123 DNS label", request);
  return {
    accountId: cluster.accountId,
    region: cluster.region,
    clusterId: cluster.id,
    clusterName: cluster.name,
    name: found.name,
    arn: addonArn(cluster, cluster.name, found.name, uuid),
    version,
    namespace,
    ...configurationOf(request, facts.configuration),
    ...(request.serviceAccountRoleArn ? { serviceAccountRoleArn: request.serviceAccountRoleArn } : {}),
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    status: "CREATING",
    healthIssues: [],
    tags: addTags({}, request.tags ?? {}, "InvalidParameterException"),
    resolveConflicts: request.resolveConflicts ?? "NONE",
  };
}

function configurationOf(request: AddonRequest, configuration: unknown): Partial<AddonSettings> {
  const { configurationValues } = request;
  if (configurationValues === undefined) return {};
  return { configurationValues, configuration: checkConfiguration(request, configuration) };
}

/** An update may change nothing. What is not mentioned stays as it is. Throws ResourceInUseException while something else is being done. */
export function planAddonUpdate(
  present: AddonRecord,
  request: AddonRequest,
  facts: { clusterVersion: string; configuration: unknown },
): { plan: AddonUpdatePlan; params: { type: string; value: string }[] } {
  checkAddonAtRest(present);
  const { addonVersion, serviceAccountRoleArn, resolveConflicts = "NONE", podIdentityAssociations } = request;
  if (addonVersion !== undefined)
    offeredVersion(request, offeredAddon(request, facts.clusterVersion), facts.clusterVersion);
  return {
    plan: {
      changes: {
        ...(addonVersion === undefined ? {} : { version: addonVersion }),
        ...configurationOf(request, facts.configuration),
        ...(serviceAccountRoleArn === undefined ? {} : { serviceAccountRoleArn }),
      },
      resolveConflicts,
    },
    params: updateParams({
      AddonVersion: addonVersion,
      ServiceAccountRoleArn: serviceAccountRoleArn,
      ResolveConflicts: request.resolveConflicts,
      ConfigurationValues: request.configurationValues,
      PodIdentityAssociations: podIdentityAssociations,
    }),
  };
}

function checkAddonAtRest({ status, name, clusterName }: AddonRecord): void {
  if (status !== "CREATING" && status !== "UPDATING" && status !== "DELETING") return;
  throw new DomainError(
    "ResourceInUseException",
    `Addon ${name} cannot be updated as it is currently in ${status} state`,
    { clusterName, addonName: name },
  );
}
