/** Commands the backend: machines, masters and network of a cluster become what its faults want of them, and all else of what they had touched becomes well. */
import { BackendError, type ClusterBackend } from "../backends/backend.js";
import type { WholeWants } from "../domain/faults/index.js";
import { type Impairments, NOTHING_WRONG } from "../domain/impairments.js";
import type { ClusterRecord, ClusterUndo } from "../domain/model.js";

const isWell = (impairments: Impairments): boolean => JSON.stringify(impairments) === JSON.stringify(NOTHING_WRONG);

/**
 * Asked again it changes nothing. `touched` = what any fault may have changed. Rejects with BackendError; code `unsupported`: it cannot be brought about.
 */
export async function bringAbout(
  backend: ClusterBackend,
  cluster: ClusterRecord,
  wants: WholeWants,
  touched: ClusterUndo,
): Promise<void> {
  const isImpaired = touched.impaired || !isWell(wants.impairments);
  const failure = isImpaired ? await failureOf(impair(backend, cluster, wants.impairments)) : undefined;
  const down = new Set(wants.mastersDown);
  // Masters come back before anything else, and go after everything else: a cluster without a leader takes nothing down.
  for (const id of touched.mastersDown ?? []) {
    if (!down.has(id)) await ignoringMissing(backend.setMember(cluster.id, id, "up"));
  }
  const dark = new Set(wants.zonesWithoutPower);
  for (const zone of touched.zonesWithoutPower ?? []) {
    if (!dark.has(zone)) await ignoringMissing(backend.setZonePower?.(cluster.id, zone, "running"));
  }
  for (const name of Object.keys(touched.machines ?? {})) {
    if (!wants.machines[name]) await ignoringMissing(backend.setNodePower(cluster.id, name, "running"));
  }
  if (failure) throw failure;
  for (const [name, trouble] of Object.entries(wants.machines)) {
    await ignoringMissing(backend.setNodePower(cluster.id, name, trouble));
  }
  for (const id of down) await ignoringMissing(backend.setMember(cluster.id, id, "down"));
  for (const zone of dark) await ignoringMissing(backend.setZonePower?.(cluster.id, zone, "off"));
}

/** Of work that may succeed once more of the cluster is well, such as what is told to API servers that have no leader: it must not keep that from coming. */
async function failureOf(work: Promise<void>): Promise<BackendError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof BackendError && error.code !== "unsupported") return error;
    throw error;
  }
}

async function impair(backend: ClusterBackend, cluster: ClusterRecord, impairments: Impairments): Promise<void> {
  if (backend.impair) return ignoringMissing(backend.impair(cluster.id, impairments));
  if (isWell(impairments)) return;
  throw new BackendError("unsupported", `the backend ${backend.name} has no such faults`);
}

/** A machine, or a cluster, that is not there cannot be broken or mended. */
export async function ignoringMissing(work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
  }
}
