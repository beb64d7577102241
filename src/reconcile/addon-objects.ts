/** What an add-on has in its cluster: put there, and taken away where the add-on no longer has it. */
import { type ApplyMode, BackendError, type ClusterObjects, type FieldConflict } from "../backends/backend.js";
import type { AddonRecord, ObjectReference } from "../domain/addon.js";
import { addonObjects } from "../domain/addons/index.js";
import type { Manifest } from "../domain/addons/manifest.js";
import type { ClusterRecord, HealthIssue } from "../domain/model.js";
import type { ReconcileContext } from "./context.js";
import { clusterSpec } from "./specs.js";

/** Field manager of add-ons' objects. */
export const MANAGER = "eks";

/**
 * Puts the objects of `wanted` into the cluster and takes away what the add-on no longer has. Returns what of it may be in the cluster afterwards, with an
 * issue when the cluster has refused.
 */
export async function install(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { wanted, mode }: { wanted: AddonRecord; mode: ApplyMode },
): Promise<{ objects: ObjectReference[]; issue?: HealthIssue }> {
  const manifests = manifestsOf(context, cluster, wanted);
  const before = wanted.objects ?? [];
  const objects = manifests.filter(({ resource }) => resource !== "namespaces").map(referenceOf);
  const gone = before.filter((old) => !objects.some((kept) => isSame(kept, old)));
  const issue = (code: string, message: string): HealthIssue => ({ code, message, resourceIds: [wanted.name] });
  const { name: backendName, objects: api } = context.backendOf(cluster);
  if (!api) return { objects: before, issue: issue("InternalFailure", `The backend ${backendName} takes no add-ons`) };
  try {
    const conflicts = await api.apply(cluster.id, manifests, { manager: MANAGER, mode });
    if (conflicts.length > 0)
      return { objects: before, issue: issue("ConfigurationConflict", conflictText(conflicts)) };
    await api.remove(cluster.id, gone.toReversed(), { manager: MANAGER });
    return { objects };
  } catch (error) {
    return { objects: [...objects, ...gone], issue: refusal(error, wanted) };
  }
}

/** Takes everything of the add-on away, what was made last first; an issue when the cluster refuses. */
export async function uninstall(
  context: ReconcileContext,
  cluster: ClusterRecord,
  record: AddonRecord,
): Promise<HealthIssue | undefined> {
  const names = (record.objects ?? []).toReversed();
  try {
    await objectsOf(context, cluster).remove(cluster.id, names, { manager: MANAGER });
    return undefined;
  } catch (error) {
    return refusal(error, record);
  }
}

/** What the cluster has refused, as EKS tells it. An API server that does not answer now will do so later: that is thrown on. */
function refusal(error: unknown, { name }: AddonRecord): HealthIssue {
  if (!(error instanceof BackendError) || error.code === "unavailable") throw error;
  const code = error.code === "missing" ? "K8sResourceNotFound" : "AdmissionRequestDenied";
  return { code, message: error.message, resourceIds: [name] };
}

export function objectsOf(context: ReconcileContext, cluster: ClusterRecord): ClusterObjects {
  const backend = context.backendOf(cluster);
  if (backend.objects) return backend.objects;
  throw new BackendError("failed", `the backend ${backend.name} takes no add-ons`);
}

function manifestsOf({ state }: ReconcileContext, cluster: ClusterRecord, record: AddonRecord): Manifest[] {
  const { serviceCidr } = clusterSpec(cluster, state.members.list(cluster.id));
  const { name, version, namespace, configuration, serviceAccountRoleArn } = record;
  return addonObjects({
    name,
    version,
    namespace,
    region: cluster.region,
    server: cluster.endpoint ?? "",
    serviceCidr,
    ...(configuration ? { configuration } : {}),
    ...(serviceAccountRoleArn ? { serviceAccountRoleArn } : {}),
  });
}

const referenceOf = ({ resource, object }: Manifest): ObjectReference => {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { resource, name } : { resource, namespace, name };
};

const isSame = (a: ObjectReference, b: ObjectReference): boolean =>
  a.resource === b.resource && a.namespace === b.namespace && a.name === b.name;

/** EKS's text: one line a field, such as `Deployment.apps coredns - .spec.replicas`; kinds of the core group carry none. */
const conflictText = (conflicts: readonly FieldConflict[]): string =>
  [
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:",
    ...conflicts.map(({ kind, group, name, field }) => `${group ? `${kind}.${group}` : kind} ${name} - ${field}`),
  ].join("\n");
