/** Add-ons: what there is to install, and installing, changing and removing it. Their updates have a lock of their own. */
import { createRequire } from "node:module";
import type { AddonRecord } from "../../domain/addon.js";
import { configurationSchema } from "../../domain/addons/configuration.js";
import { addon, type CatalogueAddon, addons as catalogue, isCompatible } from "../../domain/catalogue/addons.js";
import {
  type AddonPodIdentity,
  type AddonRequest,
  checkAddonRoles,
  newAddon,
  planAddonUpdate,
} from "../../domain/eks/addon-rules.js";
import { checkNewPodIdentity } from "../../domain/eks/pod-identity-rules.js";
import { checkActive, invalidParameter } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { PodIdentityAssociationRecord } from "../../domain/pod-identity-association.js";
import type { Addon } from "../model/generated/operations.js";
import { clusterResourceWorkKey, type EksOperations, type OperationContext, scheduleWork } from "./context.js";
import { resourceUuid } from "./identifiers.js";
import { findAddon, findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";
import { checkPassedRole } from "./passed-roles.js";
import { createPodIdentity } from "./pod-identity-associations.js";
import { startAddonUpdate } from "./start-update.js";
import { addonInfo, addonView } from "./views/addons.js";

// Configuration values are rare, and so is the reader of YAML: it is loaded with the first of them.
const load = createRequire(import.meta.url);

/** JSON is YAML too. Absent: nothing was given; an empty text says what `{}` says. Throws InvalidParameterException. */
function readConfiguration(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  const yaml: typeof import("yaml") = load("yaml");
  try {
    return yaml.parse(text, { logLevel: "error" }) ?? {};
  } catch (error) {
    if (!(error instanceof yaml.YAMLParseError) && !(error instanceof ReferenceError)) throw error;
    throw invalidParameter("The ConfigurationValues provided is not in valid YAML or JSON format.");
  }
}

const ownedBy = ({ state }: OperationContext, record: AddonRecord): PodIdentityAssociationRecord[] =>
  state.podIdentityAssociations.list(record.clusterId).filter(({ ownerArn }) => ownerArn === record.arn);

const shown = (context: OperationContext, record: AddonRecord): Addon => addonView(record, ownedBy(context, record));

/** Makes the add-on's associations what is wanted: absent leaves them, an empty list takes them all away. */
function associate(
  context: OperationContext,
  cluster: ClusterRecord,
  record: AddonRecord,
  wanted: readonly AddonPodIdentity[] | undefined,
): void {
  if (!wanted) return;
  const { state, clock } = context;
  const present = ownedBy(context, record);
  for (const association of present) {
    if (!wanted.some(({ serviceAccount }) => serviceAccount === association.serviceAccount)) {
      state.podIdentityAssociations.remove(cluster.id, association.id);
    }
  }
  for (const { serviceAccount, roleArn } of wanted) {
    const same = present.find((association) => association.serviceAccount === serviceAccount);
    const request = { namespace: record.namespace, serviceAccount, roleArn };
    if (same) state.podIdentityAssociations.put({ ...same, roleArn, modifiedAtMs: clock.now() });
    else {
      checkNewPodIdentity(request, cluster.accountId);
      createPodIdentity(context, cluster, request, record.arn);
    }
  }
}

function checkRoles(
  context: OperationContext,
  request: Pick<AddonRequest, "serviceAccountRoleArn" | "podIdentityAssociations">,
): void {
  const roles = [
    request.serviceAccountRoleArn,
    ...(request.podIdentityAssociations ?? []).map(({ roleArn }) => roleArn),
  ];
  for (const roleArn of roles) if (roleArn) checkPassedRole(context, roleArn);
}

/** The entry of the catalogue by its name; EKS says no more of an unknown one when no cluster is in question. */
function findOffered(addonName: string): CatalogueAddon {
  const entry = addon(addonName);
  if (entry) return entry;
  throw new DomainError("InvalidParameterException", `Addon ${addonName} specified is not supported`, { addonName });
}

export const addons = {
  CreateAddon(input, context) {
    const { state, scope, clock } = context;
    checkAddonRoles(input, scope.accountId);
    const cluster = findCluster(context, input.clusterName);
    checkActive(cluster);
    if (state.addons.get(cluster.id, input.addonName)) {
      const { clusterName, addonName } = input;
      throw new DomainError("ResourceInUseException", "Addon already exists.", { clusterName, addonName });
    }
    const record = newAddon(input, {
      cluster,
      uuid: resourceUuid(context, "addon", cluster.id, input.addonName),
      nowMs: clock.now(),
      configuration: readConfiguration(input.configurationValues),
    });
    checkRoles(context, input);
    state.addons.put(record);
    associate(context, cluster, record, input.podIdentityAssociations);
    scheduleWork(context, "addon", clusterResourceWorkKey(record));
    return { addon: shown(context, record) };
  },

  DescribeAddon(input, context) {
    return { addon: shown(context, findAddon(context, input.clusterName, input.addonName).addon) };
  },

  ListAddons(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const { keys, nextToken } = pageOf(context, ["ListAddons", cluster.id], input, (page) =>
      context.state.addons.names(cluster.id, page),
    );
    return { addons: keys, nextToken };
  },

  UpdateAddon(input, context) {
    checkAddonRoles(input, context.scope.accountId);
    const { cluster, addon: record } = findAddon(context, input.clusterName, input.addonName);
    checkActive(cluster);
    const { plan, params } = planAddonUpdate(record, input, {
      clusterVersion: cluster.version,
      configuration: readConfiguration(input.configurationValues),
    });
    checkRoles(context, input);
    associate(context, cluster, record, input.podIdentityAssociations);
    return { update: startAddonUpdate(context, cluster, record, { type: "AddonUpdate", params, plan }) };
  },

  DeleteAddon(input, context) {
    const { state, clock } = context;
    const { cluster, addon: record } = findAddon(context, input.clusterName, input.addonName);
    checkActive(cluster);
    // Asked again, it answers what it answered the first time.
    if (record.status === "DELETING") return { addon: shown(context, record) };
    const update = record.updateId === undefined ? undefined : state.updates.get(cluster.id, record.updateId);
    // What is deleted is not updated any further.
    if (update?.status === "InProgress") {
      state.updates.put({ ...update, status: "Cancelled", finishedAtMs: clock.now() });
    }
    const deleting: AddonRecord = {
      ...record,
      status: "DELETING",
      preserve: input.preserve ?? false,
      modifiedAtMs: clock.now(),
    };
    state.addons.put(deleting);
    scheduleWork(context, "addon", clusterResourceWorkKey(record));
    return { addon: shown(context, deleting) };
  },

  DescribeAddonVersions(input, context) {
    const { kubernetesVersion, addonName, types, publishers, owners, ...page } = input;
    const isAsked = (asked: string[] | undefined, value: string): boolean => !asked?.length || asked.includes(value);
    const entries = catalogue().filter(
      (entry) =>
        (addonName === undefined || entry.name === addonName) &&
        (kubernetesVersion === undefined || entry.versions.some((one) => isCompatible(one, kubernetesVersion))) &&
        isAsked(types, entry.type) &&
        isAsked(publishers, entry.publisher) &&
        isAsked(owners, entry.owner),
    );
    const filters = [kubernetesVersion, addonName, types, publishers, owners];
    const names = entries.map(({ name }) => name);
    const { keys, nextToken } = pageOf(context, ["DescribeAddonVersions", ...filters], page, ({ after, limit }) => {
      const start = after === undefined ? 0 : names.indexOf(after) + 1;
      return names.slice(start, start + limit);
    });
    const listed = entries.filter(({ name }) => keys.includes(name));
    return { addons: listed.map((entry) => addonInfo(entry, kubernetesVersion)), nextToken };
  },

  DescribeAddonConfiguration({ addonName, addonVersion }) {
    const { versions, podIdentity } = findOffered(addonName);
    if (!versions.some(({ version }) => version === addonVersion)) {
      throw new DomainError("InvalidParameterException", "Addon version specified is not supported", { addonName });
    }
    const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...configurationSchema(addonName) };
    return {
      addonName,
      addonVersion,
      configurationSchema: JSON.stringify(schema),
      podIdentityConfiguration: podIdentity.map(({ serviceAccount, recommendedManagedPolicies }) => ({
        serviceAccount,
        recommendedManagedPolicies: [...recommendedManagedPolicies],
      })),
    };
  },
} satisfies Partial<EksOperations>;
