/** Puts down the access entries that EKS makes by itself. */
import type { AccessEntryRecord } from "../domain/access-entry.js";
import { type AutomaticEntry, automaticEntry } from "../domain/eks/automatic-entries.js";
import { principalKey } from "../domain/eks/principals.js";
import type { ClusterRecord } from "../domain/model.js";

/** Where entries are kept, by cluster and `principalKey`. */
interface Entries {
  get(clusterId: string, key: string): AccessEntryRecord | undefined;
  put(entry: AccessEntryRecord): void;
}

/**
 * Makes those that are not there yet: whatever principal has an entry keeps it as it is. `uuidOf` gives the tail of the entry's ARN, `principalIdOf` IAM's
 * unique id of the principal.
 */
export function addAutomaticEntries(
  {
    present,
    nowMs,
    uuidOf,
    principalIdOf,
  }: {
    present: Entries;
    nowMs: number;
    uuidOf: (principalArn: string) => string;
    principalIdOf?: ((principalArn: string) => string | undefined) | undefined;
  },
  cluster: ClusterRecord,
  entries: readonly AutomaticEntry[],
): void {
  for (const wanted of entries) {
    if (present.get(cluster.id, principalKey(wanted.principalArn))) continue;
    const entry = automaticEntry(cluster, wanted, {
      uuid: uuidOf(wanted.principalArn),
      nowMs,
      principalId: principalIdOf?.(wanted.principalArn),
    });
    if (entry) present.put(entry);
  }
}
