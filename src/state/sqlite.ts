/**
 * The state of eksim in one SQLite file. WAL with synchronous = NORMAL: a committed transaction is in the operating system's hands and so survives the
 * death of this process at any moment (`kill -9`); only a crash of the whole machine may take the last commits, which an emulator can bear for writes
 * that are twenty times as fast.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { principalKey } from "../domain/eks/principals.js";
import { MIGRATIONS } from "./migrations.js";
import { clusterRepository, memberRepository, nodegroupRepository } from "./repositories/clusters.js";
import { eventLog } from "./repositories/events.js";
import { faultRepository } from "./repositories/faults.js";
import { iamState } from "./repositories/iam.js";
import { instanceRepository } from "./repositories/instances.js";
import { clusterSecrets, idempotencyRepository, settings } from "./repositories/keyed-values.js";
import { objectStores } from "./repositories/objects.js";
import { accountResourceRepository, clusterResourceRepository, resourcesOfCluster } from "./repositories/resources.js";
import { updateRepository } from "./repositories/updates.js";
import { workQueue } from "./repositories/work.js";
import type { State } from "./state.js";
import { StateError } from "./state-error.js";

export { StateError } from "./state-error.js";

export interface StateOptions {
  /** Path of the database file, its directory made when missing; `:memory:` keeps everything in memory only. */
  file: string;
  log?: { error(fields: Record<string, unknown>, message: string): void };
}

/** Name of the file whose lock says that a data directory is in use. */
const LOCK_FILE = "eksim.lock";

/**
 * Opens the state, creating or migrating the file. Throws StateError when the directory cannot be written, another eksim has it open, or the file was
 * written by a newer program.
 */
export function openState(options: StateOptions): State {
  const inMemory = options.file === ":memory:";
  const unlock = inMemory ? () => {} : lockDirectory(dirname(options.file));
  try {
    const db = openDatabase(options.file);
    return stateOf(db, { ...options, close: unlock });
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Locks a data directory for this process. A lock that SQLite holds on a file of its own belongs to the process and ends with it, however it ends; a
 * file with a process id in it would not.
 */
function lockDirectory(directory: string): () => void {
  try {
    makeDirectory(directory);
    const lock = new Database(join(directory, LOCK_FILE), { timeout: 0 });
    try {
      lock.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      lock.close();
      throw error;
    }
    return () => lock.close();
  } catch (error) {
    if (isSqliteError(error, "SQLITE_BUSY")) {
      throw new StateError(`another eksim is using the data directory ${directory}`, { cause: error });
    }
    throw new StateError(`cannot write to the data directory ${directory}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Makes a directory and those above it. Node's own `recursive` never returns where a file system such as /proc answers ENOENT to every attempt. */
function makeDirectory(directory: string): void {
  if (existsSync(directory) && statSync(directory).isDirectory()) return;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    mkdirSync(directory);
  } catch (error) {
    // Another process may have made it in between.
    if (!(existsSync(directory) && statSync(directory).isDirectory())) throw error;
  }
}

function openDatabase(file: string): Database.Database {
  const existed = existsSync(file);
  let db: Database.Database | undefined;
  try {
    db = new Database(file);
    const version = Number(db.pragma("user_version", { simple: true }));
    if (version > MIGRATIONS.length) {
      throw new StateError(
        `${file} was written by a newer eksim (schema ${version}, this one knows ${MIGRATIONS.length}); use that version or another --data-dir`,
      );
    }
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = NORMAL");
    // A cluster that starts writes by the thousand: the file is synced every 32 MB instead of every 4, and its indexes stay in memory (up to 64 MB).
    db.pragma("wal_autocheckpoint = 8000");
    db.pragma("cache_size = -65536");
    migrate(db, version);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof StateError) throw error;
    const what = existed ? "cannot open the state file" : "cannot create the state file";
    throw new StateError(`${what} ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** All missing steps in one transaction: a file is never between two versions. */
function migrate(db: Database.Database, version: number): void {
  if (version === MIGRATIONS.length) return;
  db.transaction(() => {
    for (const step of MIGRATIONS.slice(version)) db.exec(step);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
}

function stateOf(db: Database.Database, options: StateOptions & { close: () => void }): State {
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const rollback = db.prepare("ROLLBACK");
  const events = eventLog(db, {
    inTransaction: () => db.inTransaction,
    onListenerError: (error) => options.log?.error({ err: error }, "A listener of the event log failed"),
  });
  const instances = instanceRepository(db);

  const transaction = <T>(work: () => T): T => {
    if (db.inTransaction) return work();
    begin.run();
    let result: T;
    try {
      result = work();
      commit.run();
    } catch (error) {
      if (db.inTransaction) rollback.run();
      events.rolledBack();
      instances.rolledBack();
      throw error;
    }
    events.committed();
    return result;
  };

  const stores = objectStores(db, transaction);
  const changes = db.prepare<[], number>("SELECT total_changes()").pluck();
  return {
    changes: () => changes.get() ?? 0,
    clusters: clusterRepository(db),
    members: memberRepository(db),
    nodegroups: nodegroupRepository(db),
    certificateAuthorities: clusterResourceRepository(db, "certificate-authority", ({ id }) => id),
    insights: clusterResourceRepository(db, "insight", ({ id }) => id),
    insightsChecks: clusterResourceRepository(db, "insights-check", ({ clusterId }) => clusterId),
    registrations: accountResourceRepository(db, "registration", ({ name }) => name),
    subscriptions: accountResourceRepository(db, "subscription", ({ id }) => id),
    accessEntries: clusterResourceRepository(db, "access-entry", ({ principalArn }) => principalKey(principalArn)),
    podIdentityAssociations: clusterResourceRepository(db, "pod-identity-association", ({ id }) => id),
    identityProviderConfigs: clusterResourceRepository(db, "identity-provider-config", ({ name }) => name),
    fargateProfiles: clusterResourceRepository(db, "fargate-profile", ({ name }) => name),
    capabilities: clusterResourceRepository(db, "capability", ({ name }) => name),
    zonalShifts: clusterResourceRepository(db, "zonal-shift", ({ id }) => id),
    iam: iamState(db),
    addons: clusterResourceRepository(db, "addon", ({ name }) => name),
    removeResourcesOfCluster: resourcesOfCluster(db).remove,
    instances,
    updates: updateRepository(db),
    events,
    work: workQueue(db),
    faults: faultRepository(db),
    idempotency: idempotencyRepository(db),
    secrets: clusterSecrets(db),
    settings: settings(db),
    transaction,
    objects: (clusterId) => stores.of(clusterId),
    close: () => {
      if (!db.open) return;
      db.close();
      options.close();
    },
  };
}

const isSqliteError = (error: unknown, code: string): boolean =>
  error instanceof Database.SqliteError && error.code.startsWith(code);

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
