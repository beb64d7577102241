/** Zones lost for real in an emulator, watched closely enough to compare with what lint said of them before. */

import type { LintFacts } from "../../../../src/faults/drills/lint/facts.js";
import { readFacts } from "../../../../src/faults/drills/lint/read-facts.js";
import type { DrillResult, FaultSpan, Sample, WorkloadResult } from "../../../../src/faults/drills/result.js";
import { type Eksim, startEksim } from "../../../../src/testkit/index.js";

export const CLUSTER = "demo";
export const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"] as const;
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];

type Json = Record<string, unknown>;

export interface World {
  eksim: Eksim;
  nodegroup(
    name: string,
    request?: { subnets?: string[]; desired?: number; max?: number; types?: string[] },
  ): Promise<void>;
  /** Creates a workload and, with a budget, its PodDisruptionBudget. */
  workload(kind: "Deployment" | "StatefulSet" | "DaemonSet", name: string, spec?: WorkloadSpec): Promise<void>;
  /** Waits until every workload has what it wants, or `limit` has passed. */
  settle(limit?: string): Promise<void>;
  facts(): Promise<LintFacts>;
  /** Loses a zone's power for a time and gives what was seen. */
  lose(zone: string, facts: LintFacts, minutes?: number): Promise<DrillResult>;
  /** Of which workloads pods were without a node at the end of the last loss. */
  pendingWhileLost(): readonly string[];
}

export interface WorkloadSpec {
  replicas?: number;
  pod?: Json;
  /** More of the workload's own spec, such as volume claim templates. */
  more?: Json;
  budget?: Json;
  requests?: Record<string, string>;
}

interface Pod {
  metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string };
  spec: { nodeName?: string };
  status: { conditions?: { type: string; status: string }[] };
}

const isReady = ({ metadata, status }: Pod): boolean =>
  !metadata.deletionTimestamp &&
  status.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;

const PLURALS = { Deployment: "deployments", StatefulSet: "statefulsets", DaemonSet: "daemonsets" } as const;

/** Demands of zones, as pods spell them. */
export const inZone = (zone: string): Json => ({ nodeSelector: { "topology.kubernetes.io/zone": zone } });
export const spread = (app: string, whenUnsatisfiable = "ScheduleAnyway"): Json => ({
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "topology.kubernetes.io/zone",
      whenUnsatisfiable,
      labelSelector: { matchLabels: { app } },
    },
  ],
});
export const ownVolume: Json = {
  serviceName: "none",
  volumeClaimTemplates: [
    {
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "gp2", resources: { requests: { storage: "1Gi" } } },
    },
  ],
};

export async function startWorld(): Promise<World> {
  const eksim = await startEksim({ clockStart: "2026-11-01T00:00:00Z", seed: 7 });
  const get = <T>(path: string): Promise<T> => eksim.kubernetes<T>(CLUSTER, "GET", path);
  const pods = async (): Promise<Pod[]> => (await get<{ items: Pod[] }>("/api/v1/namespaces/default/pods")).items;
  await eksim.eks("POST", "/clusters", {
    name: CLUSTER,
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: SUBNETS },
  });
  const clusterStatus = async (): Promise<string> =>
    (await eksim.eks<{ cluster: { status: string } }>("GET", `/clusters/${CLUSTER}`)).cluster.status;
  await eksim.advanceUntil(async () => (await clusterStatus()) === "ACTIVE", "5m");
  await eksim.eks("POST", `/clusters/${CLUSTER}/addons`, { addonName: "aws-ebs-csi-driver" });

  let pending: string[] = [];
  const world: World = {
    eksim,
    pendingWhileLost: () => pending,
    async nodegroup(name, { subnets = SUBNETS, desired = 3, max = 12, types } = {}) {
      await eksim.eks("POST", `/clusters/${CLUSTER}/node-groups`, {
        nodegroupName: name,
        nodeRole: "arn:aws:iam::000000000000:role/node",
        subnets,
        scalingConfig: { minSize: 0, maxSize: max, desiredSize: desired },
        labels: { group: name },
        ...(types ? { instanceTypes: types } : {}),
      });
      const status = async (): Promise<string> =>
        (await eksim.eks<{ nodegroup: { status: string } }>("GET", `/clusters/${CLUSTER}/node-groups/${name}`))
          .nodegroup.status;
      await eksim.advanceUntil(async () => (await status()) === "ACTIVE", "5m");
    },
    async workload(kind, name, { replicas, pod = {}, more = {}, budget, requests } = {}) {
      const container = { name: "app", image: "nginx", ...(requests ? { resources: { requests } } : {}) };
      await eksim.kubernetes(CLUSTER, "POST", `/apis/apps/v1/namespaces/default/${PLURALS[kind]}`, {
        apiVersion: "apps/v1",
        kind,
        metadata: { name },
        spec: {
          ...(replicas === undefined ? {} : { replicas }),
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: { containers: [container], ...pod } },
          ...more,
        },
      });
      if (!budget) return;
      await eksim.kubernetes(CLUSTER, "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name },
        spec: { selector: { matchLabels: { app: name } }, ...budget },
      });
    },
    async settle(limit = "10m") {
      await eksim.advance("30s");
      const isWhole = async (): Promise<boolean> => (await pods()).every(isReady);
      await eksim.advanceUntil(isWhole, limit);
    },
    facts: () =>
      readFacts({
        cluster: CLUSTER,
        list: async (path) => (await get<{ items: unknown[] }>(path)).items,
        eks: (path) => eksim.eks("GET", path),
      }),
    async lose(zone, facts, minutes = 3) {
      const startedAtMs = eksim.now();
      const samples: Sample[] = [];
      const curves = new Map<string, [number, number][]>();
      const mine = facts.workloads.filter(({ namespace }) => namespace === "default");
      const look = async (): Promise<void> => {
        const zones = Object.fromEntries(
          (await eksim.zones({ cluster: CLUSTER })).map(
            ({ name, nodes, readyNodes, pods, readyPods, members, membersUp }) => [
              name,
              { nodes, readyNodes, pods, readyPods, members, membersUp },
            ],
          ),
        );
        samples.push({ atMs: eksim.now(), cluster: CLUSTER, zones, pendingPods: 0, apiAvailable: true });
        const all = await pods();
        for (const { name } of mine) {
          const ready = all.filter((pod) => pod.metadata.labels?.app === name && isReady(pod)).length;
          const curve = curves.get(name) ?? [];
          curves.set(name, curve);
          if (curve.at(-1)?.[1] !== ready) curve.push([eksim.now(), ready]);
        }
      };
      await look();
      await eksim.advance("1s");
      const fault: FaultSpan = {
        id: "fault-1",
        name: "zone-power-loss",
        title: `${zone} loses power`,
        cluster: CLUSTER,
        zone,
        startedAtMs: eksim.now(),
      };
      await eksim.failZone(zone);
      for (let second = 0; second < minutes * 60; second += 10) {
        await eksim.advance("10s");
        await look();
      }
      fault.endedAtMs = eksim.now();
      const homeless = (await pods()).filter(({ metadata, spec }) => !metadata.deletionTimestamp && !spec.nodeName);
      pending = [...new Set(homeless.map(({ metadata }) => metadata.labels?.app ?? ""))].sort();
      await eksim.restoreZone(zone);
      await eksim.advance("1m");
      await look();
      return {
        name: "outage",
        verdict: "passed",
        seed: 7,
        backend: "embedded",
        clusters: [CLUSTER],
        startedAtMs,
        endedAtMs: eksim.now(),
        wallMs: 0,
        phases: [],
        steps: [],
        checks: [],
        faults: [fault],
        workloads: mine.map(({ kind, namespace, name, wanted, minimum }): WorkloadResult => {
          const readyOverTime = curves.get(name) ?? [];
          const lowestReady = Math.min(...readyOverTime.map(([, ready]) => ready));
          return { kind, namespace, name, wanted, minimum, lowestReady, minutesBelowMinimum: 0, readyOverTime };
        }),
        samples,
        events: eksim.events({ cluster: CLUSTER }),
        predictions: [],
      };
    },
  };
  return world;
}
