/** The three stores that only ever look up a value by its whole key: answers by client token, secrets of clusters, settings. */
import type { Database } from "better-sqlite3";
import type { ClusterSecrets, IdempotencyRepository, Settings } from "../state.js";
import { type BodyRow, optionalRecord } from "./body.js";

export function idempotencyRepository(db: Database): IdempotencyRepository {
  const get = db.prepare<[string, string, string, string], BodyRow>(
    "SELECT body FROM idempotency WHERE account_id = ? AND region = ? AND operation = ? AND token = ?",
  );
  const put = db.prepare<[string, string, string, string, number, string]>(
    "INSERT OR REPLACE INTO idempotency (account_id, region, operation, token, at_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
  );
  return {
    get: ({ accountId, region }, operation, token) =>
      optionalRecord<{ fingerprint: string; response: unknown }>(get.get(accountId, region, operation, token)),
    put: ({ accountId, region }, operation, token, { fingerprint, response, atMs }) => {
      put.run(accountId, region, operation, token, atMs, JSON.stringify({ fingerprint, response }));
    },
  };
}

export function clusterSecrets(db: Database): ClusterSecrets {
  const get = db.prepare<[string, string], { value: string }>(
    "SELECT value FROM secrets WHERE cluster_id = ? AND name = ?",
  );
  const put = db.prepare<[string, string, string]>(
    "INSERT OR REPLACE INTO secrets (cluster_id, name, value) VALUES (?, ?, ?)",
  );
  const removeOfCluster = db.prepare<[string]>("DELETE FROM secrets WHERE cluster_id = ?");
  return {
    get: (clusterId, name) => get.get(clusterId, name)?.value,
    put: (clusterId, name, value) => {
      put.run(clusterId, name, value);
    },
    removeOfCluster: (clusterId) => {
      removeOfCluster.run(clusterId);
    },
  };
}

export function settings(db: Database): Settings {
  const get = db.prepare<[string], { value: string }>("SELECT value FROM settings WHERE name = ?");
  const put = db.prepare<[string, string]>("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)");
  return {
    get: (name) => get.get(name)?.value,
    put: (name, value) => {
      put.run(name, value);
    },
  };
}
