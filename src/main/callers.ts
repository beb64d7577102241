/** Who calls: principals of AWS, and what they are to each cluster. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../clock/clock.js";
import type { Config } from "../config.js";
import { type ClusterAccess, createClusterAccess } from "../identity/cluster-access.js";
import { createDirectory, type Directory } from "../identity/directory.js";
import type { State } from "../state/state.js";

export interface Callers {
  directory: Directory;
  /** One for a cluster, whoever asks: the API server in this process or one outside by the token webhook. */
  accessFor(clusterId: string): ClusterAccess;
}

export function createCallers({ config, state, clock }: { config: Config; state: State; clock: Clock }): Callers {
  const seeded = clock.random("credentials");
  const directory = createDirectory({
    iam: state.iam,
    strict: config.strict,
    credentials: config.credentials,
    clock,
    // Under a stepped clock a run can be repeated, with the credentials that it gives out.
    randomBytes: clock.kind === "stepped" ? (count) => Buffer.from(seeded.hex(2 * count), "hex") : randomBytes,
  });
  const accesses = new Map<string, ClusterAccess>();
  return {
    directory,
    accessFor(clusterId) {
      const known = accesses.get(clusterId);
      if (known) return known;
      for (const id of accesses.keys()) if (!state.clusters.seen(id)) accesses.delete(id);
      const access = createClusterAccess({
        cluster: () => state.clusters.seen(clusterId),
        entryOf: state.accessEntries.get,
        privateDnsNameOf: (instanceId) => state.instances.get(instanceId)?.privateDnsName,
        clock,
        ownHost: config.host,
        directory,
        verifySignatures: config.verifySignatures,
        identityProvidersOf: state.identityProviderConfigs.list,
        ...(state.changes ? { changes: state.changes } : {}),
      });
      accesses.set(clusterId, access);
      return access;
    },
  };
}
