/** Updates of clusters, node groups, add-ons and capabilities, oldest first. */
import type { Database } from "better-sqlite3";
import type { UpdateRecord } from "../../domain/model.js";
import type { UpdateRepository } from "../state.js";
import { type BodyRow, optionalRecord } from "./body.js";

export function updateRepository(db: Database): UpdateRepository {
  const get = db.prepare<[string, string], BodyRow>("SELECT body FROM updates WHERE cluster_id = ? AND id = ?");
  const put = db.prepare<[string, string, string | null, string | null, string | null, string, string]>(
    `INSERT INTO updates (cluster_id, id, nodegroup_name, addon_name, capability_name, status, body) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (cluster_id, id) DO UPDATE SET status = excluded.status, body = excluded.body`,
  );
  const ids = db.prepare<[string, string | null, string | null, string | null, string, string, number], { id: string }>(
    `SELECT id FROM updates WHERE cluster_id = ? AND nodegroup_name IS ? AND addon_name IS ? AND capability_name IS ?
     AND position > coalesce((SELECT position FROM updates WHERE cluster_id = ? AND id = ?), 0) ORDER BY position LIMIT ?`,
  );
  const inProgress = db.prepare<[string, string | null], BodyRow>(
    `SELECT body FROM updates WHERE cluster_id = ? AND status = 'InProgress' AND nodegroup_name IS ?
     AND addon_name IS NULL AND capability_name IS NULL ORDER BY position LIMIT 1`,
  );
  const removeOfCluster = db.prepare<[string]>("DELETE FROM updates WHERE cluster_id = ?");
  return {
    get: (clusterId, id) => optionalRecord<UpdateRecord>(get.get(clusterId, id)),
    put: (update) => {
      const { clusterId, id, nodegroupName, addonName, capabilityName, status } = update;
      const body = JSON.stringify(update);
      put.run(clusterId, id, nodegroupName ?? null, addonName ?? null, capabilityName ?? null, status, body);
    },
    ids: (clusterId, filter, page) =>
      ids
        .all(
          clusterId,
          filter.nodegroupName ?? null,
          filter.addonName ?? null,
          filter.capabilityName ?? null,
          clusterId,
          page.after ?? "",
          page.limit,
        )
        .map(({ id }) => id),
    inProgress: (clusterId, nodegroupName) =>
      optionalRecord<UpdateRecord>(inProgress.get(clusterId, nodegroupName ?? null)),
    removeOfCluster: (clusterId) => {
      removeOfCluster.run(clusterId);
    },
  };
}
