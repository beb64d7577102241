/** Add-ons, and the catalogue they come from, as the API shows them. */
import type { AddonRecord } from "../../../domain/addon.js";
import { addon, type CatalogueAddon, isCompatible } from "../../../domain/catalogue/addons.js";
import type { PodIdentityAssociationRecord } from "../../../domain/pod-identity-association.js";
import type { Addon, AddonInfo } from "../../model/generated/operations.js";

/** `associations` are those that the add-on owns. */
export function addonView(record: AddonRecord, associations: readonly PodIdentityAssociationRecord[]): Addon {
  const { publisher, owner } = addon(record.name) ?? {};
  return {
    addonName: record.name,
    clusterName: record.clusterName,
    status: record.status,
    addonVersion: record.version,
    health: { issues: record.healthIssues as NonNullable<Addon["health"]>["issues"] },
    addonArn: record.arn,
    createdAt: record.createdAtMs,
    modifiedAt: record.modifiedAtMs,
    serviceAccountRoleArn: record.serviceAccountRoleArn,
    tags: record.tags,
    // Shown of those that others than AWS look after.
    ...(owner === "aws" ? {} : { publisher, owner }),
    configurationValues: record.configurationValues,
    podIdentityAssociations: associations.length > 0 ? associations.map(({ arn }) => arn) : undefined,
    namespaceConfig: { namespace: record.namespace },
  };
}

/** An entry of the catalogue; with `clusterVersion`, only what goes with that. */
export function addonInfo(entry: CatalogueAddon, clusterVersion: string | undefined): AddonInfo {
  const versions = entry.versions.filter(
    (version) => clusterVersion === undefined || isCompatible(version, clusterVersion),
  );
  return {
    addonName: entry.name,
    type: entry.type,
    addonVersions: versions.map(({ version, compatibilities }) => ({
      addonVersion: version,
      architecture: [...entry.architecture],
      computeTypes: [...entry.computeTypes],
      compatibilities: compatibilities
        .filter((one) => clusterVersion === undefined || one.clusterVersion === clusterVersion)
        .map((one) => ({
          clusterVersion: one.clusterVersion,
          platformVersions: ["*"],
          defaultVersion: one.isDefault,
        })),
      requiresConfiguration: entry.requiresConfiguration,
      requiresIamPermissions: entry.requiresIamPermissions,
    })),
    publisher: entry.publisher,
    owner: entry.owner,
    defaultNamespace: entry.defaultNamespace,
  };
}
