/** Puts the access entries that EKS makes by itself into the state. */
import { type AutomaticEntry, automaticEntry } from "../domain/eks/automatic-entries.js";
import { principalKey } from "../domain/eks/principals.js";
import type { ClusterRecord } from "../domain/model.js";
import type { State } from "../state/state.js";

/** Makes those that are not there yet: whatever principal has an entry keeps it as it is. `uuidOf` gives the tail of the entry's ARN. */
export function addAutomaticEntries(
  { state, nowMs, uuidOf }: { state: State; nowMs: number; uuidOf: (principalArn: string) => string },
  cluster: ClusterRecord,
  entries: readonly AutomaticEntry[],
): void {
  for (const wanted of entries) {
    if (state.accessEntries.get(cluster.id, principalKey(wanted.principalArn))) continue;
    const entry = automaticEntry(cluster, wanted, { uuid: uuidOf(wanted.principalArn), nowMs });
    if (entry) state.accessEntries.put(entry);
  }
}
