/** EC2 instances of node groups, in order of launch. */
import type { Database } from "better-sqlite3";
import type { InstanceRecord } from "../../domain/model.js";
import type { InstanceRepository } from "../state.js";
import { type BodyRow, optionalRecord, recordOf } from "./body.js";

export function instanceRepository(db: Database): InstanceRepository {
  const get = db.prepare<[string], BodyRow>("SELECT body FROM instances WHERE instance_id = ?");
  const put = db.prepare<[string, string, string, string, number, string]>(
    `INSERT INTO instances (instance_id, cluster_id, nodegroup_name, private_dns_name, terminated, body) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (instance_id) DO UPDATE SET terminated = excluded.terminated, body = excluded.body`,
  );
  const remove = db.prepare<[string]>("DELETE FROM instances WHERE instance_id = ?");
  const ofNodegroup = db.prepare<[string, string, number], BodyRow>(
    "SELECT body FROM instances WHERE cluster_id = ? AND nodegroup_name = ? AND terminated <= ? ORDER BY position",
  );
  const ofCluster = db.prepare<[string, number], BodyRow>(
    "SELECT body FROM instances WHERE cluster_id = ? AND terminated <= ? ORDER BY position",
  );
  const byDnsName = db.prepare<[string, string], BodyRow>(
    // An address is handed out again once its instance is gone: the newest holder is the one meant.
    "SELECT body FROM instances WHERE cluster_id = ? AND private_dns_name = ? ORDER BY terminated, position DESC LIMIT 1",
  );
  const upTo = (options?: { terminated?: boolean }): number => (options?.terminated ? 1 : 0);
  return {
    get: (instanceId) => optionalRecord<InstanceRecord>(get.get(instanceId)),
    put: (instance) => {
      const { instanceId, clusterId, nodegroupName, privateDnsName, lifecycle } = instance;
      const terminated = lifecycle === "Terminated" ? 1 : 0;
      put.run(instanceId, clusterId, nodegroupName, privateDnsName, terminated, JSON.stringify(instance));
    },
    remove: (instanceId) => {
      remove.run(instanceId);
    },
    ofNodegroup: (clusterId, nodegroupName, options) =>
      ofNodegroup.all(clusterId, nodegroupName, upTo(options)).map(recordOf<InstanceRecord>),
    ofCluster: (clusterId, options) => ofCluster.all(clusterId, upTo(options)).map(recordOf<InstanceRecord>),
    byDnsName: (clusterId, privateDnsName) => optionalRecord<InstanceRecord>(byDnsName.get(clusterId, privateDnsName)),
  };
}
