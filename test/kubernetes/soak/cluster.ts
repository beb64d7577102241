import type { SteppedClock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import type { WatchEvent } from "../../../src/kubernetes/api.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { createSimulatedCluster } from "../../../src/kubernetes/create-cluster.js";
import { type KubeObject, keyOf } from "../../../src/kubernetes/object.js";
import type { Persistence, StoreRecord } from "../../../src/kubernetes/persistence.js";
import { resourceName } from "../../../src/kubernetes/schema/resource-info.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { rsaKey } from "../rsa-key.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec } from "../simulated-cluster.js";

/** A whole cluster that can be stopped and started again over what it has written, with an ear on every resource. */
const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];

/** What would be the file: the present objects and the highest revision. */
function memory(): Persistence {
  const present = new Map<string, StoreRecord>();
  let revision = 0;
  return {
    load: () => ({ revision, records: [...present.values()].sort((a, b) => a.revision - b.revision) }),
    commit(records) {
      for (const record of records) {
        revision = Math.max(revision, record.revision);
        const id = `${record.resource} ${record.key}`;
        if (record.json === undefined) present.delete(id);
        else present.set(id, record);
      }
    },
  };
}

/** Hears every event of every resource and finds fault with what is out of order, missing or told twice. */
export interface Ear {
  faults: string[];
  /** Everything as the events alone tell it, by resource and key. */
  known: Map<string, Map<string, KubeObject>>;
  heard: number;
  stop(): void;
}

/** `api.watch` delivers inside the write, so that each revision of the store must come exactly once, and in order. */
function listen({ api }: SimulatedCluster): Ear {
  const known = new Map<string, Map<string, KubeObject>>();
  const faults: string[] = [];
  const ear: Ear = { faults, known, heard: api.revision, stop: () => {} };
  const hear = (resource: string, objects: Map<string, KubeObject>, { type, object, previous }: WatchEvent): void => {
    const key = keyOf(object);
    const revision = Number(object.metadata.resourceVersion);
    const before = objects.get(key);
    const fault = (what: string): void => void faults.push(`${type} of ${resource} ${key} at ${revision}: ${what}`);
    if (revision !== ear.heard + 1) fault(`after revision ${ear.heard}`);
    if (type === "ADDED" && before) fault("is there already");
    if (type !== "ADDED" && !before) fault("was not there");
    if (type === "MODIFIED" && previous?.metadata.resourceVersion !== before?.metadata.resourceVersion)
      fault("not what it was before");
    ear.heard = Math.max(ear.heard, revision);
    if (type === "DELETED") objects.delete(key);
    else objects.set(key, object);
  };
  const stops = builtinResources()
    .map(resourceName)
    // The same events under another name.
    .filter((resource) => resource !== "events.events.k8s.io")
    .flatMap((resource) => {
      const objects = new Map<string, KubeObject>();
      let live = false;
      try {
        const stop = api.watch(resource, (event) => {
          if (live) hear(resource, objects, event);
          else objects.set(keyOf(event.object), event.object);
        });
        live = true;
        known.set(resource, objects);
        return [stop];
      } catch {
        // Reviews and the like are not stored.
        return [];
      }
    });
  ear.stop = () => {
    for (const stop of stops) stop();
  };
  return ear;
}

export interface SoakCluster {
  clock: SteppedClock;
  cluster: SimulatedCluster;
  ear: Ear;
  log: string[];
  /** Indexes of the nodes that have joined. */
  nodes: Set<number>;
  minutes(count: number): Promise<void>;
  /** The machine of a node is gone for good, and another one joins. */
  replaceNode(index: number, options: { graceful: boolean }): Promise<void>;
  restart(): Promise<void>;
}

export async function startSoak(nodeCount: number): Promise<SoakCluster> {
  const clock = createClock({ kind: "stepped" }, { seed: 11, startMs: Date.parse("2026-03-01T00:00:00Z") });
  const persistence = memory();
  const tls = makeCertificates();
  const log: string[] = [];
  const gone = new Set<string>();
  const note = (fields: Record<string, unknown>, message: string): void => {
    log.push(`${message} ${JSON.stringify(fields)} ${fields.error instanceof Error ? fields.error.stack : ""}`);
  };
  const create = (): SimulatedCluster =>
    createSimulatedCluster({
      name: "soak",
      clock,
      gitVersion: "v1.36.1-eks-0247562",
      serviceCidr: "10.100.0.0/16",
      tls,
      serviceAccountKey: async () => rsaKey(),
      serviceAccountIssuer: "https://oidc.example.com/id/1",
      members: ZONES.map((zone, index) => ({ id: `m${index}`, zone })),
      persistence,
      cloud: { state: (id) => (gone.has(id) ? "missing" : "running") },
      log: { debug: () => {}, warn: note, error: note },
    });
  const nodes = new Set(Array.from({ length: nodeCount }, (_, index) => index));
  let next = nodeCount;
  const soak: SoakCluster = {
    clock,
    cluster: create(),
    ear: { faults: [], known: new Map(), heard: 0, stop: () => {} },
    log,
    nodes,
    minutes: (count) => clock.advance(count * 60_000),
    async replaceNode(index, how) {
      const { name, providerId } = nodeSpec(index);
      nodes.delete(index);
      gone.add(providerId);
      await soak.cluster.removeNode(name, how);
      const joining = nodeSpec(next++);
      nodes.add(next - 1);
      await soak.cluster.addNode(joining);
    },
    async restart() {
      soak.ear.stop();
      await soak.cluster.close();
      soak.cluster = create();
      await begin();
    },
  };
  const begin = async (): Promise<void> => {
    await soak.cluster.start();
    for (const index of nodes) await soak.cluster.addNode(nodeSpec(index));
    await clock.settled();
    soak.ear = listen(soak.cluster);
  };
  await begin();
  return soak;
}
