/** What CreateFargateProfile makes of a request: EKS's rules and the defaults of what was not said. */
import { DomainError } from "../errors.js";
import type { FargateProfileRecord, FargateSelector } from "../fargate.js";
import type { ClusterRecord } from "../model.js";
import { fargateProfileArn } from "./arns.js";
import { addTags } from "./tags.js";

export interface NewFargateProfile {
  fargateProfileName: string;
  podExecutionRoleArn: string;
  subnets?: string[];
  selectors?: { namespace?: string; labels?: Record<string, string> }[];
  tags?: Record<string, string>;
}

const MAX_PROFILES = 10;
const MAX_SELECTORS = 5;
const MAX_LABELS = 5;
const MAX_NAME = 100;
/** A DNS-1123 label in which `*` and `?` may stand anywhere. */
const NAMESPACE = /^[a-z0-9*?]([-a-z0-9*?]{0,61}[a-z0-9*?])?$/;
const LABEL_NAME = /^[A-Za-z0-9*?]([-A-Za-z0-9_.*?]{0,61}[A-Za-z0-9*?])?$/;
const LABEL_PREFIX = /^[a-z0-9*?]([-a-z0-9.*?]{0,251}[a-z0-9*?])?$/;

const invalid = (message: string, clusterName: string, fargateProfileName: string): DomainError =>
  new DomainError("InvalidParameterException", message, { clusterName, fargateProfileName });

export const noFargateProfileFound = (clusterName: string, fargateProfileName: string): DomainError =>
  new DomainError("ResourceNotFoundException", `No Fargate Profile found with name: ${fargateProfileName}.`, {
    clusterName,
    fargateProfileName,
  });

/** Names' form. EKS answers this before it looks for the cluster. */
export function checkFargateProfileName(clusterName: string, name: string): void {
  if (!/^[\p{L}\p{N}_-]+$/u.test(name) || name.length > MAX_NAME) {
    throw invalid(
      "The Fargate profile name parameter contains invalid characters. Only letters, digits, hyphens and underscores are allowed, 100 of them at most",
      clusterName,
      name,
    );
  }
  // The prefix is EKS's own.
  if (name.startsWith("eks-")) {
    throw invalid("The Fargate profile name starts with the reserved prefix: 'eks-'.", clusterName, name);
  }
}

/** A cluster makes or unmakes one profile at a time. */
export function checkNoneInTransition(
  verb: "create" | "delete",
  name: string,
  clusterName: string,
  profiles: readonly FargateProfileRecord[],
): void {
  const busy = profiles.find(({ status }) => status === "CREATING" || status === "DELETING");
  if (!busy) return;
  throw new DomainError(
    "ResourceInUseException",
    `Cannot ${verb} Fargate Profile ${name} because cluster ${clusterName} currently has Fargate profile ${busy.name} in status ${busy.status}`,
    { clusterName, fargateProfileName: name },
  );
}

/** `present` = the cluster's profiles. The cluster must be ACTIVE. */
export function newFargateProfile(
  input: NewFargateProfile,
  {
    cluster,
    present,
    uuid,
    nowMs,
  }: { cluster: ClusterRecord; present: readonly FargateProfileRecord[]; uuid: string; nowMs: number },
): FargateProfileRecord {
  const { name: clusterName, accountId, region } = cluster;
  const { fargateProfileName: name } = input;
  const about = { clusterName, fargateProfileName: name };
  if (present.some((profile) => profile.name === name)) {
    const message = "A Fargate Profile already exists with this name in this cluster.";
    throw new DomainError("ResourceInUseException", message, about);
  }
  checkNoneInTransition("create", name, clusterName, present);
  if (present.length >= MAX_PROFILES) {
    const message = `Fargate profile limit exceeded: a cluster can have ${MAX_PROFILES} Fargate profiles`;
    throw new DomainError("ResourceLimitExceededException", message, { clusterName });
  }
  const selectors = checkedSelectors(input.selectors ?? [], (message) => invalid(message, clusterName, name));
  return {
    accountId,
    region,
    clusterName,
    clusterId: cluster.id,
    name,
    arn: fargateProfileArn(cluster, clusterName, name, uuid),
    createdAtMs: nowMs,
    podExecutionRoleArn: input.podExecutionRoleArn,
    subnets: input.subnets?.length ? [...new Set(input.subnets)] : cluster.vpcConfig.subnetIds,
    selectors,
    status: "CREATING",
    healthIssues: [],
    tags: addTags({}, input.tags ?? {}, "InvalidParameterException"),
  };
}

function checkedSelectors(
  selectors: NonNullable<NewFargateProfile["selectors"]>,
  refuse: (message: string) => DomainError,
): FargateSelector[] {
  if (selectors.length === 0) throw refuse("Fargate Profile requires at least one selector.");
  if (selectors.length > MAX_SELECTORS) throw refuse(`Request contains more than ${MAX_SELECTORS} Selectors`);
  return selectors.map(({ namespace, labels }) => {
    if (!namespace) throw refuse("Fargate Profile must have at least one selector with at least one namespace value.");
    if (!NAMESPACE.test(namespace)) throw refuse("The namespace provided is invalid.");
    const pairs = Object.entries(labels ?? {});
    if (pairs.length > MAX_LABELS) throw refuse(`Request contains Selector with more than ${MAX_LABELS} Label pairs`);
    if (!pairs.every(([key, value]) => isLabelKey(key) && (value === "" || LABEL_NAME.test(value)))) {
      throw refuse("Selector label provided is invalid.");
    }
    return labels ? { namespace, labels } : { namespace };
  });
}

function isLabelKey(key: string): boolean {
  const slash = key.lastIndexOf("/");
  return LABEL_NAME.test(key.slice(slash + 1)) && (slash < 0 || LABEL_PREFIX.test(key.slice(0, slash)));
}
