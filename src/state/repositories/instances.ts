/**
 * EC2 instances of node groups, in order of launch. Reconcilers look through all of a group's instances again and again, so the rows are kept in memory
 * once read; no other process can change them. Writes go to the file first.
 */
import type { Database } from "better-sqlite3";
import type { InstanceRecord } from "../../domain/model.js";
import type { InstanceRepository } from "../state.js";
import { type BodyRow, recordOf } from "./body.js";

export interface CachedInstances extends InstanceRepository {
  /** What is in memory may never have come to the file. */
  rolledBack(): void;
}

type Rows = Map<string, InstanceRecord>;

export function instanceRepository(db: Database): CachedInstances {
  const all = db.prepare<[], BodyRow>("SELECT body FROM instances ORDER BY position");
  const put = db.prepare<[string, string, string, string, number, string]>(
    `INSERT INTO instances (instance_id, cluster_id, nodegroup_name, private_dns_name, terminated, body) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (instance_id) DO UPDATE SET terminated = excluded.terminated, body = excluded.body`,
  );
  const remove = db.prepare<[string]>("DELETE FROM instances WHERE instance_id = ?");

  let byId: Rows | undefined;
  const byCluster = new Map<string, Rows>();
  /** Names that are in use, by `<cluster id>/<name>`: an address is handed out again once its instance is gone, and the newest holder is meant. */
  const byName = new Map<string, string>();

  const rowsOf = (clusterId: string): Rows => {
    let rows = byCluster.get(clusterId);
    if (!rows) {
      rows = new Map();
      byCluster.set(clusterId, rows);
    }
    return rows;
  };
  const isTerminated = (instance: InstanceRecord): boolean => instance.lifecycle === "Terminated";
  const keep = (rows: Rows, instance: InstanceRecord): void => {
    const { instanceId, clusterId, privateDnsName } = instance;
    const isNew = !rows.has(instanceId);
    rows.set(instanceId, instance);
    rowsOf(clusterId).set(instanceId, instance);
    const name = `${clusterId}/${privateDnsName}`;
    const holder = rows.get(byName.get(name) ?? "");
    if (!holder || isTerminated(holder) || (isNew && !isTerminated(instance))) byName.set(name, instanceId);
  };
  const load = (): Rows => {
    if (byId) return byId;
    const rows: Rows = new Map();
    for (const row of all.all()) keep(rows, recordOf<InstanceRecord>(row));
    byId = rows;
    return rows;
  };
  const list = (clusterId: string, wanted: (instance: InstanceRecord) => boolean): InstanceRecord[] => {
    load();
    return [...(byCluster.get(clusterId)?.values() ?? [])].filter(wanted);
  };

  return {
    get: (instanceId) => load().get(instanceId),
    put: (instance) => {
      const rows = load();
      const { instanceId, clusterId, nodegroupName, privateDnsName } = instance;
      const terminated = isTerminated(instance) ? 1 : 0;
      put.run(instanceId, clusterId, nodegroupName, privateDnsName, terminated, JSON.stringify(instance));
      keep(rows, instance);
    },
    remove: (instanceId) => {
      const instance = load().get(instanceId);
      if (!instance) return;
      remove.run(instanceId);
      load().delete(instanceId);
      const rows = rowsOf(instance.clusterId);
      rows.delete(instanceId);
      if (rows.size === 0) byCluster.delete(instance.clusterId);
      const name = `${instance.clusterId}/${instance.privateDnsName}`;
      if (byName.get(name) === instanceId) byName.delete(name);
    },
    ofNodegroup: (clusterId, nodegroupName, options) =>
      list(
        clusterId,
        (instance) =>
          instance.nodegroupName === nodegroupName && (options?.terminated === true || !isTerminated(instance)),
      ),
    ofCluster: (clusterId, options) =>
      list(clusterId, (instance) => options?.terminated === true || !isTerminated(instance)),
    byDnsName: (clusterId, privateDnsName) => load().get(byName.get(`${clusterId}/${privateDnsName}`) ?? ""),
    rolledBack: () => {
      byId = undefined;
      byCluster.clear();
      byName.clear();
    },
  };
}
