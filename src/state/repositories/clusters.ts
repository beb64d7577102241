/** Clusters with their masters and node groups. */
import type { Database } from "better-sqlite3";
import type { ClusterRecord, MemberRecord, NodegroupRecord } from "../../domain/model.js";
import type { ClusterRepository, MemberRepository, NodegroupRepository } from "../state.js";
import { type BodyRow, optionalRecord, recordOf } from "./body.js";

export function clusterRepository(db: Database): ClusterRepository {
  const get = db.prepare<[string, string, string], BodyRow>(
    "SELECT body FROM clusters WHERE account_id = ? AND region = ? AND name = ?",
  );
  const byId = db.prepare<[string], BodyRow>("SELECT body FROM clusters WHERE id = ?");
  const put = db.prepare<[string, string, string, string, string]>(
    `INSERT INTO clusters (account_id, region, name, id, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (account_id, region, name) DO UPDATE SET id = excluded.id, body = excluded.body`,
  );
  const remove = db.prepare<[string, string, string]>(
    "DELETE FROM clusters WHERE account_id = ? AND region = ? AND name = ?",
  );
  const names = db
    .prepare<[string, string, string, number], string>(
      "SELECT name FROM clusters WHERE account_id = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
    )
    .pluck();
  const count = db.prepare<[string, string], { n: number }>(
    "SELECT count(*) AS n FROM clusters WHERE account_id = ? AND region = ?",
  );
  const all = db.prepare<[], BodyRow>("SELECT body FROM clusters ORDER BY rowid");
  /** The newest body read for each cluster, with what it says. */
  const seen = new Map<string, { body: string; cluster: ClusterRecord }>();
  return {
    get: ({ accountId, region, name }) => optionalRecord<ClusterRecord>(get.get(accountId, region, name)),
    byId: (id) => optionalRecord<ClusterRecord>(byId.get(id)),
    seen: (id) => {
      const row = byId.get(id);
      if (!row) {
        seen.delete(id);
        return undefined;
      }
      const known = seen.get(id);
      if (known?.body === row.body) return known.cluster;
      const cluster = recordOf<ClusterRecord>(row);
      seen.set(id, { body: row.body, cluster });
      return cluster;
    },
    put: (cluster) => {
      put.run(cluster.accountId, cluster.region, cluster.name, cluster.id, JSON.stringify(cluster));
    },
    remove: ({ accountId, region, name }) => {
      remove.run(accountId, region, name);
    },
    names: ({ accountId, region }, page) => names.all(accountId, region, page.after ?? "", page.limit),
    count: ({ accountId, region }) => count.get(accountId, region)?.n ?? 0,
    all: () => all.all().map(recordOf<ClusterRecord>),
  };
}

export function memberRepository(db: Database): MemberRepository {
  const list = db.prepare<[string], BodyRow>("SELECT body FROM members WHERE cluster_id = ? ORDER BY rowid");
  const put = db.prepare<[string, string, string]>(
    "INSERT INTO members (cluster_id, id, body) VALUES (?, ?, ?) ON CONFLICT (cluster_id, id) DO UPDATE SET body = excluded.body",
  );
  const remove = db.prepare<[string, string]>("DELETE FROM members WHERE cluster_id = ? AND id = ?");
  return {
    list: (clusterId) => list.all(clusterId).map(recordOf<MemberRecord>),
    put: (member) => {
      put.run(member.clusterId, member.id, JSON.stringify(member));
    },
    remove: (clusterId, id) => {
      remove.run(clusterId, id);
    },
  };
}

export function nodegroupRepository(db: Database): NodegroupRepository {
  const get = db.prepare<[string, string, string, string], BodyRow>(
    "SELECT body FROM nodegroups WHERE account_id = ? AND region = ? AND cluster_name = ? AND name = ?",
  );
  const put = db.prepare<[string, string, string, string, string, string]>(
    `INSERT INTO nodegroups (account_id, region, cluster_name, name, cluster_id, body) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (account_id, region, cluster_name, name) DO UPDATE SET cluster_id = excluded.cluster_id, body = excluded.body`,
  );
  const remove = db.prepare<[string, string, string, string]>(
    "DELETE FROM nodegroups WHERE account_id = ? AND region = ? AND cluster_name = ? AND name = ?",
  );
  const names = db
    .prepare<[string, string, string, string, number], string>(
      `SELECT name FROM nodegroups WHERE account_id = ? AND region = ? AND cluster_name = ? AND name > ? ORDER BY name LIMIT ?`,
    )
    .pluck();
  const list = db.prepare<[string], BodyRow>("SELECT body FROM nodegroups WHERE cluster_id = ? ORDER BY name");
  return {
    get: (key, nodegroupName) =>
      optionalRecord<NodegroupRecord>(get.get(key.accountId, key.region, key.name, nodegroupName)),
    put: (nodegroup) => {
      const { accountId, region, clusterName, name, clusterId } = nodegroup;
      put.run(accountId, region, clusterName, name, clusterId, JSON.stringify(nodegroup));
    },
    remove: (key, nodegroupName) => {
      remove.run(key.accountId, key.region, key.name, nodegroupName);
    },
    names: (key, page) => names.all(key.accountId, key.region, key.name, page.after ?? "", page.limit),
    list: (clusterId) => list.all(clusterId).map(recordOf<NodegroupRecord>),
  };
}
