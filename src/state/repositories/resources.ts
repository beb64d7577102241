/**
 * Families of resources that are looked up by their name under a parent and by nothing else: what a cluster has beside node groups (add-ons, Fargate
 * profiles, access entries, ...), and what an account has beside clusters (subscriptions, ...). One table each, one typed repository a family.
 */
import type { Database } from "better-sqlite3";
import type { Scope } from "../../domain/model.js";
import type { AccountResourceRepository, ClusterResourceRepository } from "../state.js";
import { type BodyRow, optionalRecord, recordOf } from "./body.js";

/** All families of a cluster's resources at once. */
export function resourcesOfCluster(db: Database): { remove(clusterId: string): void } {
  const remove = db.prepare<[string]>("DELETE FROM cluster_resources WHERE cluster_id = ?");
  return {
    remove: (clusterId) => {
      remove.run(clusterId);
    },
  };
}

/** `nameOf` gives the name or id by which a record is known under its cluster. */
export function clusterResourceRepository<T extends { clusterId: string }>(
  db: Database,
  kind: string,
  nameOf: (record: T) => string,
): ClusterResourceRepository<T> {
  const get = db.prepare<[string, string, string], BodyRow>(
    "SELECT body FROM cluster_resources WHERE cluster_id = ? AND kind = ? AND name = ?",
  );
  const put = db.prepare<[string, string, string, string]>(
    `INSERT INTO cluster_resources (cluster_id, kind, name, body) VALUES (?, ?, ?, ?)
     ON CONFLICT (cluster_id, kind, name) DO UPDATE SET body = excluded.body`,
  );
  const remove = db.prepare<[string, string, string]>(
    "DELETE FROM cluster_resources WHERE cluster_id = ? AND kind = ? AND name = ?",
  );
  const names = db
    .prepare<[string, string, string, number], string>(
      "SELECT name FROM cluster_resources WHERE cluster_id = ? AND kind = ? AND name > ? ORDER BY name LIMIT ?",
    )
    .pluck();
  const list = db.prepare<[string, string], BodyRow>(
    "SELECT body FROM cluster_resources WHERE cluster_id = ? AND kind = ? ORDER BY name",
  );
  const count = db
    .prepare<[string, string], number>("SELECT count(*) FROM cluster_resources WHERE cluster_id = ? AND kind = ?")
    .pluck();
  const removeAll = db.prepare<[string, string]>("DELETE FROM cluster_resources WHERE cluster_id = ? AND kind = ?");
  let version = 0;
  return {
    version: () => version,
    get: (clusterId, name) => optionalRecord<T>(get.get(clusterId, kind, name)),
    put: (record) => {
      version += 1;
      put.run(record.clusterId, kind, nameOf(record), JSON.stringify(record));
    },
    remove: (clusterId, name) => {
      version += 1;
      remove.run(clusterId, kind, name);
    },
    names: (clusterId, page) => names.all(clusterId, kind, page.after ?? "", page.limit),
    list: (clusterId) => list.all(clusterId, kind).map(recordOf<T>),
    count: (clusterId) => count.get(clusterId, kind) ?? 0,
    removeOfCluster: (clusterId) => {
      version += 1;
      removeAll.run(clusterId, kind);
    },
  };
}

/** `nameOf` gives the name or id by which a record is known in its account and region. */
export function accountResourceRepository<T extends Scope>(
  db: Database,
  kind: string,
  nameOf: (record: T) => string,
): AccountResourceRepository<T> {
  const get = db.prepare<[string, string, string, string], BodyRow>(
    "SELECT body FROM account_resources WHERE account_id = ? AND region = ? AND kind = ? AND name = ?",
  );
  const put = db.prepare<[string, string, string, string, string]>(
    `INSERT INTO account_resources (account_id, region, kind, name, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (account_id, region, kind, name) DO UPDATE SET body = excluded.body`,
  );
  const remove = db.prepare<[string, string, string, string]>(
    "DELETE FROM account_resources WHERE account_id = ? AND region = ? AND kind = ? AND name = ?",
  );
  const list = db.prepare<[string, string, string], BodyRow>(
    "SELECT body FROM account_resources WHERE account_id = ? AND region = ? AND kind = ? ORDER BY name",
  );
  const all = db.prepare<[string], BodyRow>("SELECT body FROM account_resources WHERE kind = ? ORDER BY rowid");
  return {
    get: ({ accountId, region }, name) => optionalRecord<T>(get.get(accountId, region, kind, name)),
    put: (record) => {
      put.run(record.accountId, record.region, kind, nameOf(record), JSON.stringify(record));
    },
    remove: ({ accountId, region }, name) => {
      remove.run(accountId, region, kind, name);
    },
    list: ({ accountId, region }) => list.all(accountId, region, kind).map(recordOf<T>),
    all: () => all.all(kind).map(recordOf<T>),
  };
}
