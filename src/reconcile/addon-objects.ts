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

/** Puts the objects of `wanted` into the cluster and takes away what the add-on no longer has; an issue when that is refused. */
export async function install(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { wanted, mode }: { wanted: AddonRecord; mode: ApplyMode },
): Promise<{ objects: ObjectReference[]; issue?: HealthIssue }> {
  const manifests = manifestsOf(context, cluster, wanted);
  const objects = manifests.filter(({ resource }) => resource !== "namespaces").map(referenceOf);
  const issue = (code: string, message: string): { objects: ObjectReference[]; issue: HealthIssue } => ({
    objects,
    issue: { code, message, resourceIds: [wanted.name] },
  });
  try {
    const api = objectsOf(context, cluster);
    const conflicts = await api.apply(cluster.id, manifests, { manager: MANAGER, mode });
    if (conflicts.length > 0) return issue("ConfigurationConflict", conflictText(conflicts));
    const gone = (wanted.objects ?? []).filter((old) => !objects.some((kept) => isSame(kept, old)));
    await api.remove(cluster.id, gone.reverse(), { manager: MANAGER });
    return { objects };
  } catch (error) {
    // An API server that does not answer now will do so later.
    if (!(error instanceof BackendError) || error.code === "unavailable") throw error;
    return issue(error.code === "missing" ? "K8sResourceNotFound" : "AdmissionRequestDenied", error.message);
  }
}

export function objectsOf(context: ReconcileContext, cluster: ClusterRecord): ClusterObjects {
  const backend = context.backendOf(cluster);
  if (backend.objects) return backend.objects;
  throw new BackendError("failed", `the backend ${backend.name} cannot install add-ons`);
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
