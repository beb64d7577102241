/** A whole emulator in this process on a stepped clock, with the few things that drills do again and again. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventRecord } from "../../src/domain/model.js";
import { ApiError, type Eksim, type EksimOptions, startEksim } from "../../src/testkit/index.js";

export const CLUSTER = "demo";
export const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"] as const;
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];
const START = "2026-11-01T00:00:00Z";

interface Condition {
  type: string;
  status: string;
}
export interface Node {
  metadata: { name: string; uid: string; labels: Record<string, string> };
  spec: { unschedulable?: boolean };
  status: { conditions?: Condition[]; nodeInfo: { kubeletVersion: string } };
}
export interface Pod {
  metadata: { name: string; namespace: string; uid: string; deletionTimestamp?: string };
  spec: { nodeName?: string };
  status: { conditions?: Condition[]; containerStatuses?: { restartCount: number; containerID?: string }[] };
}
export interface NodegroupView {
  status: string;
  version: string;
  scalingConfig: { desiredSize: number };
  health: { issues: { code: string; message: string }[] };
}
export interface UpdateView {
  id: string;
  status: string;
  errors: { errorCode: string; errorMessage: string; resourceIds: string[] }[];
}

export const isReady = ({ status }: { status: { conditions?: Condition[] } }): boolean =>
  status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;

export const temporaryDataDir = (): string => mkdtempSync(join(tmpdir(), "eksim-drill-"));

export interface Drill {
  readonly eksim: Eksim;
  cluster(version?: string): Promise<void>;
  /** Creates it and waits until its status is `status`, ACTIVE unless said otherwise. */
  nodegroup(name: string, request?: Record<string, unknown>, status?: string): Promise<void>;
  describe(nodegroup: string): Promise<NodegroupView | undefined>;
  clusterStatus(): Promise<string | undefined>;
  nodes(): Promise<Node[]>;
  /** All in the namespace default. */
  pods(): Promise<Pod[]>;
  /** Those of one `deploy`. */
  podsOf(app: string): Promise<Pod[]>;
  deploy(name: string, replicas: number, spec?: Record<string, unknown>): Promise<void>;
  /** A disruption budget for what `deploy(name)` made. */
  guard(name: string, budget: Record<string, unknown>): Promise<void>;
  /** Ready nodes of each zone. */
  spread(): Promise<Record<string, number>>;
  updateVersion(nodegroup: string, request?: Record<string, unknown>): Promise<string>;
  update(id: string, nodegroup?: string): Promise<UpdateView>;
  updateEnds(id: string, nodegroup: string | undefined, limit: string): Promise<UpdateView>;
  until(done: () => boolean | Promise<boolean>, limit?: string): Promise<void>;
  events(): EventRecord[];
  /** Stops the emulator and starts another on the same data directory. */
  restart(): Promise<void>;
}

const orUndefined = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
};

export async function startDrill(options: EksimOptions = {}): Promise<Drill> {
  const start = { clockStart: START, seed: 1, ...options };
  let eksim = await startEksim(start);
  const list = async <T>(path: string): Promise<T[]> =>
    (await eksim.kubernetes<{ items: T[] }>(CLUSTER, "GET", path)).items;
  const drill: Drill = {
    get eksim() {
      return eksim;
    },
    async cluster(version) {
      await eksim.eks("POST", "/clusters", {
        name: CLUSTER,
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: SUBNETS },
        ...(version ? { version } : {}),
      });
      await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE");
    },
    async nodegroup(name, request = {}, status = "ACTIVE") {
      await eksim.eks("POST", `/clusters/${CLUSTER}/node-groups`, {
        nodegroupName: name,
        nodeRole: "arn:aws:iam::000000000000:role/node",
        subnets: SUBNETS,
        scalingConfig: { minSize: 0, maxSize: 12, desiredSize: 3 },
        ...request,
      });
      await drill.until(async () => (await drill.describe(name))?.status === status);
    },
    describe: async (name) =>
      (await orUndefined(eksim.eks<{ nodegroup: NodegroupView }>("GET", `/clusters/${CLUSTER}/node-groups/${name}`)))
        ?.nodegroup,
    clusterStatus: async () =>
      (await orUndefined(eksim.eks<{ cluster: { status: string } }>("GET", `/clusters/${CLUSTER}`)))?.cluster.status,
    nodes: () => list<Node>("/api/v1/nodes"),
    pods: () => list<Pod>("/api/v1/namespaces/default/pods"),
    podsOf: (app) => list<Pod>(`/api/v1/namespaces/default/pods?labelSelector=app%3D${app}`),
    async deploy(name, replicas, spec = {}) {
      await eksim.kubernetes(CLUSTER, "POST", "/apis/apps/v1/namespaces/default/deployments", {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: { containers: [{ name: "app", image: "nginx" }], ...spec },
          },
        },
      });
      await drill.until(async () => (await drill.podsOf(name)).filter(isReady).length === replicas);
    },
    async guard(name, budget) {
      await eksim.kubernetes(CLUSTER, "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name },
        spec: { selector: { matchLabels: { app: name } }, ...budget },
      });
      await eksim.advance("1s");
    },
    async spread() {
      const counts: Record<string, number> = {};
      for (const node of (await drill.nodes()).filter(isReady)) {
        const zone = node.metadata.labels["topology.kubernetes.io/zone"] ?? "?";
        counts[zone] = (counts[zone] ?? 0) + 1;
      }
      return Object.fromEntries(Object.entries(counts).sort());
    },
    updateVersion: async (nodegroup, request = {}) =>
      (
        await eksim.eks<{ update: UpdateView }>(
          "POST",
          `/clusters/${CLUSTER}/node-groups/${nodegroup}/update-version`,
          request,
        )
      ).update.id,
    update: async (id, nodegroup) =>
      (
        await eksim.eks<{ update: UpdateView }>(
          "GET",
          `/clusters/${CLUSTER}/updates/${id}${nodegroup ? `?nodegroupName=${nodegroup}` : ""}`,
        )
      ).update,
    async updateEnds(id, nodegroup, limit) {
      await drill.until(async () => (await drill.update(id, nodegroup)).status !== "InProgress", limit);
      return drill.update(id, nodegroup);
    },
    until: (done, limit = "5m") => eksim.advanceUntil(done, limit),
    events: () => eksim.events(),
    async restart() {
      await eksim.stop();
      eksim = await startEksim(start);
      await eksim.idle();
    },
  };
  return drill;
}
