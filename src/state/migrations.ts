/**
 * The shape of the state file, as numbered steps: step n takes a file of version n to version n + 1. Steps that have been released are never changed.
 * A row is a few key columns, for look-ups, beside the whole record as JSON: new members of a record need no migration.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE clusters (
    account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    PRIMARY KEY (account_id, region, name)
  );
  CREATE TABLE members (cluster_id TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (cluster_id, id));
  CREATE TABLE nodegroups (
    account_id TEXT NOT NULL, region TEXT NOT NULL, cluster_name TEXT NOT NULL, name TEXT NOT NULL, cluster_id TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account_id, region, cluster_name, name)
  );
  CREATE INDEX nodegroups_by_cluster ON nodegroups (cluster_id, name);
  CREATE TABLE instances (
    position INTEGER PRIMARY KEY, instance_id TEXT NOT NULL UNIQUE, cluster_id TEXT NOT NULL, nodegroup_name TEXT NOT NULL,
    private_dns_name TEXT NOT NULL, terminated INTEGER NOT NULL, body TEXT NOT NULL
  );
  CREATE TABLE updates (
    position INTEGER PRIMARY KEY, cluster_id TEXT NOT NULL, id TEXT NOT NULL, nodegroup_name TEXT, addon_name TEXT, capability_name TEXT,
    status TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (cluster_id, id)
  );
  CREATE TABLE events (sequence INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, cluster_name TEXT, body TEXT NOT NULL);
  CREATE INDEX events_by_cluster ON events (cluster_name, sequence);
  CREATE TABLE work (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, due_ms REAL NOT NULL, taken INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, key)
  );
  CREATE INDEX work_by_due ON work (taken, due_ms);
  CREATE TABLE faults (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, region TEXT NOT NULL, ended INTEGER NOT NULL, body TEXT NOT NULL
  );
  CREATE TABLE idempotency (
    account_id TEXT NOT NULL, region TEXT NOT NULL, operation TEXT NOT NULL, token TEXT NOT NULL, at_ms REAL NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account_id, region, operation, token)
  );
  CREATE TABLE secrets (cluster_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (cluster_id, name));
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE stores (store INTEGER PRIMARY KEY, cluster_id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL);
  CREATE TABLE objects (
    position INTEGER PRIMARY KEY, store INTEGER NOT NULL, resource TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL,
    UNIQUE (store, resource, key)
  );
  CREATE TABLE cluster_resources (
    cluster_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (cluster_id, kind, name)
  );
  CREATE TABLE account_resources (
    account_id TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account_id, region, kind, name)
  );
  `,
  // Faults have phases, targets and parameters of their catalogue entry; those of before were of a zone, of capacity, or over already.
  `
  CREATE INDEX faults_by_stage ON faults (ended, position);
  UPDATE faults SET
    ended = CASE WHEN json_extract(body, '$.undo.pending') THEN 3 ELSE ended END,
    body = json_set(body,
      '$.phase', CASE ended WHEN 0 THEN 'active' ELSE 'ended' END,
      '$.requestedAtMs', json_extract(body, '$.startedAtMs'),
      '$.seed', 0,
      '$.target', json_patch('{}', json_object('zone', json_extract(body, '$.zone'), 'cluster', json_extract(body, '$.clusterName'))),
      '$.targets', json(CASE WHEN json_extract(body, '$.zone') IS NULL THEN '{}'
        ELSE json_object('zone', json_extract(body, '$.zone'), 'newcomers', json('true')) END),
      '$.undo', json(CASE WHEN json_extract(body, '$.undo.pending') THEN '{"pending":true,"clusters":{}}' ELSE '{"clusters":{}}' END));
  `,
];
