import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EventRecord, FaultRecord, UpdateRecord } from "../../src/domain/model.js";
import { MIGRATIONS } from "../../src/state/migrations.js";
import { openState, StateError } from "../../src/state/sqlite.js";
import type { State } from "../../src/state/state.js";
import { aCluster, aFault, aNodegroup, anInstance, SCOPE } from "./records.js";

let directory: string;
const open: State[] = [];
const opened = (file: string): State => {
  const state = openState({ file });
  open.push(state);
  return state;
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "eksim-state-"));
});
afterEach(() => {
  for (const state of open.splice(0)) state.close();
  rmSync(directory, { recursive: true, force: true });
});

const anEvent = (subject: string, changes: Partial<EventRecord> = {}): Omit<EventRecord, "sequence"> => ({
  ...SCOPE,
  atMs: 1,
  source: "cluster",
  type: "ClusterActive",
  subject,
  message: "It is active.",
  ...changes,
});

describe("the state file", () => {
  it("keeps what was committed when the process dies without closing it", () => {
    const file = join(directory, "eksim.db");
    const state = opened(file);
    state.clusters.put(aCluster("demo"));
    state.transaction(() => state.secrets.put("ID-demo", "ca.key", "PEM"));
    // What kill -9 leaves behind: the file and its log as they are, never checkpointed.
    const after = mkdtempSync(join(directory, "after-"));
    for (const name of ["eksim.db", "eksim.db-wal"]) copyFileSync(join(directory, name), join(after, name));
    const recovered = opened(join(after, "eksim.db"));
    expect(recovered.clusters.get({ ...SCOPE, name: "demo" })?.id).toBe("ID-demo");
    expect(recovered.secrets.get("ID-demo", "ca.key")).toBe("PEM");
  });

  it("is refused, untouched, when a newer program wrote it", () => {
    const file = join(directory, "eksim.db");
    const db = new Database(file);
    db.pragma("user_version = 999");
    db.close();
    expect(() => openState({ file })).toThrowError(/newer eksim \(schema 999/);
    try {
      openState({ file });
    } catch (error) {
      expect(error).toBeInstanceOf(StateError);
      expect((error as StateError).exitCode).toBe(2);
    }
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it("of before faults had a catalogue has its zone failures as faults of it", () => {
    const file = join(directory, "eksim.db");
    const [first = ""] = MIGRATIONS;
    const db = new Database(file);
    db.exec(first);
    db.pragma("user_version = 1");
    const put = db.prepare("INSERT INTO faults (id, account_id, region, ended, body) VALUES (?, ?, ?, ?, ?)");
    const old = { ...SCOPE, startedAtMs: 7, parameters: {}, undo: {} };
    const dark = { ...old, id: "f-1", kind: "zone-power-loss", zone: "us-east-1a", clusterName: "demo" };
    const killed = { ...old, id: "f-2", kind: "instance-termination", endedAtMs: 7, parameters: { instanceId: "i-1" } };
    for (const fault of [dark, killed])
      put.run(fault.id, SCOPE.accountId, SCOPE.region, "endedAtMs" in fault ? 1 : 0, JSON.stringify(fault));
    db.close();
    const state = opened(file);
    expect(state.faults.active()).toEqual([
      {
        ...dark,
        phase: "active",
        requestedAtMs: 7,
        seed: 0,
        target: { zone: "us-east-1a", cluster: "demo" },
        targets: { zone: "us-east-1a", newcomers: true },
        undo: { clusters: {} },
      },
    ]);
    expect(state.faults.all().map(({ phase, targets }) => [phase, targets])).toEqual([
      ["active", { zone: "us-east-1a", newcomers: true }],
      ["ended", {}],
    ]);
  });

  it("is refused when it is no database", () => {
    const file = join(directory, "eksim.db");
    writeFileSync(file, "These are not the rows you are looking for.".repeat(100));
    expect(() => openState({ file })).toThrowError(/cannot open the state file .*not a database/);
  });

  it("belongs to one eksim at a time, and is free again once that has closed it", () => {
    const file = join(directory, "eksim.db");
    const first = opened(file);
    expect(() => openState({ file })).toThrowError(/another eksim is using the data directory/);
    first.close();
    expect(opened(file).clusters.all()).toEqual([]);
  });

  it("says which directory cannot be written", () => {
    writeFileSync(join(directory, "file"), "");
    expect(() => openState({ file: join(directory, "file", "data", "eksim.db") })).toThrowError(
      /cannot write to the data directory .*file\/data/,
    );
  });

  it.runIf(process.platform === "linux")("is refused, and not tried for ever, where no directory can be made", () => {
    expect(() => openState({ file: "/proc/no/such/eksim.db" })).toThrowError(
      /cannot write to the data directory .*ENOENT/,
    );
  });
});

describe("a transaction", () => {
  it("leaves nothing when it throws, and tells nobody of its events", () => {
    const state = opened(":memory:");
    const heard: string[] = [];
    state.events.subscribe((event) => heard.push(event.subject));
    expect(() =>
      state.transaction(() => {
        state.clusters.put(aCluster("demo"));
        state.transaction(() => state.events.append(anEvent("lost")));
        throw new Error("no");
      }),
    ).toThrowError("no");
    expect(state.clusters.all()).toEqual([]);
    expect(state.events.append(anEvent("kept")).sequence).toBe(1);
    expect(heard).toEqual(["kept"]);
  });

  it("leaves instances as they were when it throws", () => {
    const state = opened(":memory:");
    const cluster = aCluster("demo");
    state.instances.put(anInstance(cluster, "i-1"));
    expect(() =>
      state.transaction(() => {
        state.instances.put(anInstance(cluster, "i-1", { zone: "us-east-1b" }));
        state.instances.put(anInstance(cluster, "i-2", { privateDnsName: "other" }));
        throw new Error("no");
      }),
    ).toThrowError("no");
    expect(state.instances.ofCluster(cluster.id)).toEqual([anInstance(cluster, "i-1")]);
    expect(state.instances.byDnsName(cluster.id, "other")).toBeUndefined();
  });

  it("tells listeners after the commit", () => {
    const state = opened(":memory:");
    let seenInside = -1;
    const heard: number[] = [];
    state.events.subscribe((event) => heard.push(event.sequence));
    state.transaction(() => {
      state.events.append(anEvent("a"));
      state.events.append(anEvent("b"));
      seenInside = heard.length;
    });
    expect(seenInside).toBe(0);
    expect(heard).toEqual([1, 2]);
  });
});

describe("the repositories", () => {
  it("list cluster names of one account and region in pages of alphabetical order", () => {
    const state = opened(":memory:");
    for (const name of ["b", "c", "a"]) state.clusters.put(aCluster(name));
    state.clusters.put(aCluster("other", { accountId: "111111111111" }));
    expect(state.clusters.names(SCOPE, { limit: 2 })).toEqual(["a", "b"]);
    expect(state.clusters.names(SCOPE, { after: "b", limit: 2 })).toEqual(["c"]);
    expect(state.clusters.count(SCOPE)).toBe(3);
    expect(state.clusters.byId("ID-c")?.name).toBe("c");
    state.clusters.remove({ ...SCOPE, name: "c" });
    expect(state.clusters.byId("ID-c")).toBeUndefined();
  });

  it("list node groups by cluster", () => {
    const state = opened(":memory:");
    const cluster = aCluster("demo");
    for (const name of ["two", "one"]) state.nodegroups.put(aNodegroup(cluster, name));
    expect(state.nodegroups.list(cluster.id).map(({ name }) => name)).toEqual(["one", "two"]);
    expect(state.nodegroups.get(cluster, "one")).toEqual(aNodegroup(cluster, "one"));
    expect(state.nodegroups.names(cluster, { limit: 10 })).toEqual(["one", "two"]);
  });

  it("list instances in order of launch, terminated ones only when asked for", () => {
    const state = opened(":memory:");
    const cluster = aCluster("demo");
    for (const id of ["i-3", "i-1", "i-2"]) state.instances.put(anInstance(cluster, id));
    state.instances.put(anInstance(cluster, "i-1", { lifecycle: "Terminated" }));
    const ids = (terminated: boolean): string[] =>
      state.instances.ofNodegroup(cluster.id, "workers", { terminated }).map(({ instanceId }) => instanceId);
    expect(ids(false)).toEqual(["i-3", "i-2"]);
    expect(ids(true)).toEqual(["i-3", "i-1", "i-2"]);
    expect(state.instances.byDnsName(cluster.id, "ip-10-0-0-10.ec2.internal")?.instanceId).toBe("i-2");
  });

  it("list updates of the cluster apart from those of a node group", () => {
    const state = opened(":memory:");
    const update = (id: string, changes: Partial<UpdateRecord> = {}): UpdateRecord => ({
      ...SCOPE,
      id,
      clusterName: "demo",
      clusterId: "ID-demo",
      status: "InProgress",
      type: "LoggingUpdate",
      params: [],
      createdAtMs: 0,
      errors: [],
      plan: {},
      ...changes,
    });
    state.updates.put(update("z", { status: "Successful" }));
    state.updates.put(update("a"));
    state.updates.put(update("g", { nodegroupName: "workers" }));
    expect(state.updates.ids("ID-demo", {}, { limit: 10 })).toEqual(["z", "a"]);
    expect(state.updates.ids("ID-demo", {}, { after: "z", limit: 10 })).toEqual(["a"]);
    expect(state.updates.ids("ID-demo", { nodegroupName: "workers" }, { limit: 10 })).toEqual(["g"]);
    expect(state.updates.inProgress("ID-demo")?.id).toBe("a");
    expect(state.updates.inProgress("ID-demo", "workers")?.id).toBe("g");
  });

  it("read the event log by account, cluster and position", () => {
    const state = opened(":memory:");
    state.events.append(anEvent("1", { clusterName: "a" }));
    state.events.append(anEvent("2", { clusterName: "b" }));
    state.events.append(anEvent("3", { clusterName: "a", accountId: "111111111111" }));
    state.events.append(anEvent("4", { clusterName: "a" }));
    const subjects = (filter: Parameters<State["events"]["read"]>[0]): string[] =>
      state.events.read(filter).map(({ subject }) => subject);
    expect(subjects({})).toEqual(["1", "2", "3", "4"]);
    expect(subjects({ ...SCOPE, clusterName: "a" })).toEqual(["1", "4"]);
    expect(subjects({ afterSequence: 2, limit: 1 })).toEqual(["3"]);
  });

  it("tell active faults from ended ones", () => {
    const state = opened(":memory:");
    const fault = aFault("f-1", { phase: "scheduled" });
    state.faults.put(fault);
    expect(state.faults.active()).toEqual([]);
    expect(state.faults.scheduled(SCOPE)).toEqual([fault]);
    const active: FaultRecord = { ...fault, phase: "active" };
    state.faults.put(active);
    expect(state.faults.active(SCOPE)).toEqual([active]);
    state.faults.put({ ...active, phase: "ended", endedAtMs: 5 });
    expect([...state.faults.active(), ...state.faults.scheduled()]).toEqual([]);
    expect(state.faults.all()).toHaveLength(1);
    state.faults.remove("f-1");
    expect(state.faults.all()).toEqual([]);
  });
});

describe("the work queue", () => {
  it("keeps the earlier of two times, and the later one only when told to replace", () => {
    const { work } = opened(":memory:");
    work.schedule("cluster", "a", 50);
    work.schedule("cluster", "a", 90);
    expect(work.nextDueMs()).toBe(50);
    work.schedule("cluster", "a", 90, { replace: true });
    expect(work.nextDueMs()).toBe(90);
    expect(work.due(89, 10)).toEqual([]);
  });

  it("does not hand an item out twice, and hands it out again when it was scheduled while in hand", () => {
    const { work } = opened(":memory:");
    work.schedule("cluster", "a", 10);
    expect(work.due(10, 10)).toEqual([{ kind: "cluster", key: "a", dueMs: 10 }]);
    expect(work.due(10, 10)).toEqual([]);
    work.schedule("cluster", "a", 70);
    work.schedule("cluster", "a", 60);
    expect(work.due(100, 10)).toEqual([]);
    work.done("cluster", "a", 10);
    expect(work.due(100, 10)).toEqual([{ kind: "cluster", key: "a", dueMs: 60 }]);
    work.done("cluster", "a", 60);
    expect(work.nextDueMs()).toBeUndefined();
  });

  it("hands out again, after a restart, what was in hand", () => {
    const file = join(directory, "eksim.db");
    const before = opened(file);
    before.work.schedule("cluster", "a", 10);
    before.work.due(10, 10);
    before.close();
    expect(opened(file).work.due(10, 10)).toHaveLength(1);
  });
});

describe("the objects of a cluster", () => {
  it("come back in order of revision, without the deleted ones, with the highest revision", () => {
    const file = join(directory, "eksim.db");
    const before = opened(file);
    const objects = before.objects("C1");
    objects.commit([
      { revision: 1, resource: "pods", key: "default/a", json: '{"v":1}' },
      { revision: 2, resource: "pods", key: "default/b", json: '{"v":2}' },
    ]);
    before.objects("C2").commit([{ revision: 9, resource: "pods", key: "default/a", json: "{}" }]);
    objects.commit([
      { revision: 3, resource: "pods", key: "default/a", json: '{"v":3}' },
      { revision: 4, resource: "nodes", key: "n", json: "{}" },
    ]);
    objects.commit([{ revision: 5, resource: "nodes", key: "n" }]);
    before.close();
    const state = opened(file);
    const after = state.objects("C1").load();
    expect(after.revision).toBe(5);
    expect([...after.records].map(({ key, json }) => [key, json])).toEqual([
      ["default/b", '{"v":2}'],
      ["default/a", '{"v":3}'],
    ]);
    const piecemeal = state.objects("C1").piecemeal();
    expect(piecemeal).toMatchObject({ revision: 5, counts: new Map([["pods", 2]]) });
    expect(piecemeal.keysOf("pods")).toEqual(["default/b", "default/a"]);
    expect(piecemeal.read("pods", "default/a")).toBe('{"v":3}');
    expect(piecemeal.read("nodes", "n")).toBeUndefined();
    expect(state.objects("C3").piecemeal()).toMatchObject({ revision: 0, counts: new Map() });
  });

  it("of thousands come back whole", () => {
    const objects = opened(":memory:").objects("C1");
    const records = Array.from({ length: 2500 }, (_, i) => ({
      revision: i + 1,
      resource: "pods",
      key: `default/p${i}`,
      json: "{}",
    }));
    objects.commit(records);
    expect([...objects.load().records].map(({ revision }) => revision)).toEqual(
      records.map(({ revision }) => revision),
    );
    objects.removeAll();
    expect([...objects.load().records]).toEqual([]);
  });
});
