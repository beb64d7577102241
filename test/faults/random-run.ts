/** Random faults, one upon the other, on the embedded backend, over restarts; now and then all of them end, and everything has to be as it should be. */
import { createRandom } from "../../src/clock/random.js";
import { ApiError } from "../../src/testkit/index.js";
import { CLUSTER, type Drill, startDrill } from "../reconcile/drill.js";
import { type Present, randomRequests } from "./random-requests.js";
import { type Wanted, wrongs } from "./soundness.js";

export interface RandomRun {
  count: number;
  seed: number;
  dataDir: string;
  /** All faults end after so many, and the rest comes afterwards. */
  round: number;
  /** After each round. */
  onRound?: (told: { faults: number; drill: Drill; recoveryMinutes: number }) => void;
}

const NODEGROUPS = { workers: 6, spot: 3 } as const;
const APPS = { web: 6, db: 3 } as const;

/** What may take its time once all faults have ended: back-off of EC2 and of Auto Scaling, health checks, node repair, CrashLoopBackOff. */
const PATIENCE_MINUTES = 180;

/** What does not fit the moment is refused, in these words; everything else that a start of a fault rejects with is a fault of ours. */
const REFUSALS =
  /count is \d+, but only|^There is no (node|pod|running master)|^No (node|pod) |EC2 (interrupts|stops|terminates|reboots) |etcdserver: /;

async function setUp(drill: Drill): Promise<void> {
  await drill.cluster();
  const scalingConfig = { minSize: 0, maxSize: 12 };
  await drill.nodegroup("workers", {
    scalingConfig: { ...scalingConfig, desiredSize: NODEGROUPS.workers },
    nodeRepairConfig: { enabled: true },
  });
  await drill.nodegroup("spot", {
    scalingConfig: { ...scalingConfig, desiredSize: NODEGROUPS.spot },
    capacityType: "SPOT",
  });
  await drill.eksim.eks("POST", `/clusters/${CLUSTER}/addons`, { addonName: "aws-ebs-csi-driver" });
  await drill.deploy("web", APPS.web);
  const post = (path: string, body: object): Promise<unknown> => drill.eksim.kubernetes(CLUSTER, "POST", path, body);
  await post("/apis/storage.k8s.io/v1/storageclasses", {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "zonal" },
    provisioner: "ebs.csi.aws.com",
    volumeBindingMode: "WaitForFirstConsumer",
  });
  const labels = { app: "db" };
  await post("/apis/apps/v1/namespaces/default/statefulsets", {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db" },
    spec: {
      replicas: APPS.db,
      serviceName: "db",
      podManagementPolicy: "Parallel",
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "db", image: "redis", volumeMounts: [{ name: "data", mountPath: "/data" }] }] },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: "data" },
          spec: {
            accessModes: ["ReadWriteOnce"],
            storageClassName: "zonal",
            resources: { requests: { storage: "10Gi" } },
          },
        },
      ],
    },
  });
}

/** `pods`: those that faults have found before, which may be gone. The Kubernetes API may be away and cannot be asked. */
async function presentOf(drill: Drill, pods: readonly string[]): Promise<Present> {
  const answer = await fetch(`${drill.eksim.endpoint}/_eksim/status`);
  const { clusters } = (await answer.json()) as { clusters: { instances: { instanceId: string; node: string }[] }[] };
  const instances = clusters.flatMap((cluster) => cluster.instances);
  return {
    nodegroups: Object.keys(NODEGROUPS),
    nodes: instances.flatMap(({ instanceId, node }, index) => (index % 2 ? instanceId : node)),
    pods,
    apps: Object.keys(APPS),
  };
}

/** Rejects with what is still wrong. Returns how long it took, in minutes. */
async function recovered(drill: Drill, wanted: Wanted, log: readonly string[]): Promise<number> {
  let left: string[] = [];
  for (let minutes = 0; minutes <= PATIENCE_MINUTES; minutes += 10) {
    await drill.eksim.advance("10m");
    try {
      left = await wrongs(drill, wanted);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      left = [error.message];
    }
    if (left.length === 0) return minutes + 10;
  }
  throw new Error(
    `not as it should be at ${new Date(drill.eksim.now()).toISOString()}:\n${left.join("\n")}\nafter\n${log.join("\n")}`,
  );
}

export async function runRandomFaults({ count, seed, dataDir, round, onRound }: RandomRun): Promise<void> {
  const random = createRandom(seed, "random faults");
  const drill = await startDrill({ dataDir, seed });
  const wanted: Wanted = { dataDir, nodegroups: NODEGROUPS, apps: APPS, volumes: APPS.db };
  try {
    await setUp(drill);
    await recovered(drill, wanted, []);
    let log: string[] = [];
    let pods: string[] = [];
    for (let begun = 0, due = round; begun < count; ) {
      for (const request of randomRequests(random, await presentOf(drill, pods))) {
        begun++;
        const at = new Date(drill.eksim.now()).toISOString();
        try {
          const { id, targets } = await drill.eksim.startFault(request);
          const found = (targets.pods ?? []).filter(({ namespace }) => namespace === "default");
          pods = [...new Set([...pods, ...found.map(({ name }) => name)])].slice(-6);
          log.push(`${at} ${id} ${JSON.stringify(request)}`);
        } catch (error) {
          if (!REFUSALS.test((error as Error).message)) throw new Error(JSON.stringify(request), { cause: error });
        }
      }
      const [first] = drill.eksim.faults();
      if (first && random.integer(0, 4) === 0) {
        await drill.eksim.stopFault(first.id);
        log.push(`${new Date(drill.eksim.now()).toISOString()} ${first.id} ended`);
      }
      await drill.eksim.advance(`${random.integer(1, 600)}s`);
      if (random.integer(0, 19) === 0) {
        await drill.restart();
        log.push(`${new Date(drill.eksim.now()).toISOString()} restart`);
      }
      if (begun < due && begun < count) continue;
      due += round;
      await drill.eksim.stopAllFaults();
      const recoveryMinutes = await recovered(drill, wanted, log);
      log = [];
      onRound?.({ faults: begun, drill, recoveryMinutes });
    }
  } finally {
    await drill.eksim.stop();
  }
}
