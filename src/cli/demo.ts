import { performance } from "node:perf_hooks";
import { type Eksim, startEksim } from "../testkit/index.js";

const CLUSTER = "demo";
const ZONE = "us-east-1a";
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];
const NODES = 6;
const PODS = 6;

interface List<T> {
  items: T[];
}
interface Node {
  metadata: { name: string; labels: Record<string, string> };
  status: { conditions?: { type: string; status: string }[] };
}
interface Pod {
  metadata: { deletionTimestamp?: string };
  spec: { nodeName?: string };
  status: { conditions?: { type: string; status: string }[] };
}

const ready = (object: Node | Pod): boolean =>
  object.status.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;

/** Nodes and the workload's pods by zone, as a client sees them through the Kubernetes API. */
async function count(eksim: Eksim): Promise<{
  line: string;
  readyNodes: number;
  readyPods: number;
  zones: Record<string, { ready: number; all: number }>;
}> {
  const nodes = (await eksim.kubernetes<List<Node>>(CLUSTER, "GET", "/api/v1/nodes")).items;
  const pods = (
    await eksim.kubernetes<List<Pod>>(CLUSTER, "GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")
  ).items;
  const zoneOf = new Map(
    nodes.map((node) => [node.metadata.name, node.metadata.labels["topology.kubernetes.io/zone"] ?? "?"]),
  );
  const zones: Record<string, { ready: number; all: number; podsReady: number; pods: number }> = {};
  for (const name of ["us-east-1a", "us-east-1b", "us-east-1c"])
    zones[name] = { ready: 0, all: 0, podsReady: 0, pods: 0 };
  for (const node of nodes) {
    const zone = zones[zoneOf.get(node.metadata.name) ?? "?"];
    if (!zone) continue;
    zone.all++;
    if (ready(node)) zone.ready++;
  }
  for (const pod of pods) {
    const zone = zones[zoneOf.get(pod.spec.nodeName ?? "") ?? "?"];
    if (!zone) continue;
    zone.pods++;
    if (ready(pod) && !pod.metadata.deletionTimestamp) zone.podsReady++;
  }
  const line = Object.entries(zones)
    .map(([name, z]) => `${name.slice(-2)} nodes ${z.ready}/${z.all} pods ${z.podsReady}/${z.pods}`.padEnd(24))
    .join("  ");
  const sum = (pick: (z: { ready: number; podsReady: number }) => number): number =>
    Object.values(zones).reduce((total, zone) => total + pick(zone), 0);
  return { line, readyNodes: sum((z) => z.ready), readyPods: sum((z) => z.podsReady), zones };
}

const clockTime = (ms: number): string => {
  const seconds = Math.round(ms / 1000);
  return `+${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
};

/** `eksim demo`: the whole story on a stepped clock, through the same interfaces that everybody uses. Throws when a step does not come to its end. */
export async function demo(options: { keepOutput?: boolean }): Promise<void> {
  const startedMs = performance.now();
  const eksim = await startEksim({ clock: "stepped", seed: 1, ...(options.keepOutput ? { logLevel: "info" } : {}) });
  const beginMs = eksim.now();
  let last = "";
  let fewestPods = Number.POSITIVE_INFINITY;
  let failed = false;
  let lastEvent = 0;
  const say = (text: string): void => console.log(`${clockTime(eksim.now() - beginMs)}  ${text}`);
  /** Prints what happened since the last look, and the counts where they changed. */
  const look = async (): Promise<Awaited<ReturnType<typeof count>>> => {
    for (const event of eksim.events({ cluster: CLUSTER })) {
      if (event.sequence <= lastEvent) continue;
      lastEvent = event.sequence;
      if (event.source !== "api") console.log(`${clockTime(event.atMs - beginMs)}  · ${event.message}`);
    }
    const counts = await count(eksim);
    if (failed) fewestPods = Math.min(fewestPods, counts.readyPods);
    if (counts.line !== last) say(counts.line);
    last = counts.line;
    return counts;
  };
  const until = async (
    what: string,
    limit: string,
    done: (counts: Awaited<ReturnType<typeof count>>) => boolean,
  ): Promise<void> => {
    await eksim.advanceUntil(async () => done(await look()), limit);
    say(what);
  };
  try {
    console.log(
      `eksim demo: an emulator at ${eksim.endpoint}, on a stepped clock (times are simulated minutes and seconds)\n`,
    );
    await eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: SUBNETS },
      clientRequestToken: "demo-cluster",
    });
    await eksim.advanceUntil(
      async () =>
        (await eksim.eks<{ cluster: { status: string } }>("GET", `/clusters/${CLUSTER}`)).cluster.status === "ACTIVE",
      "1m",
    );
    say(`cluster ${CLUSTER} is ACTIVE: three masters in three zones`);
    await eksim.eks("POST", `/clusters/${CLUSTER}/node-groups`, {
      nodegroupName: "workers",
      nodeRole: "arn:aws:iam::000000000000:role/node",
      subnets: SUBNETS,
      scalingConfig: { minSize: 3, maxSize: 9, desiredSize: NODES },
      clientRequestToken: "demo-workers",
    });
    await until(
      `${NODES} nodes are Ready, two a zone`,
      "10m",
      (c) => c.readyNodes === NODES && Object.values(c.zones).every((zone) => zone.ready === NODES / 3),
    );
    await eksim.kubernetes(CLUSTER, "POST", "/apis/apps/v1/namespaces/default/deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: PODS,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "nginx", image: "nginx" }] } },
      },
    });
    await until(`${PODS} pods of deployment web are Ready`, "5m", (c) => c.readyPods === PODS);

    console.log("");
    say(`zone ${ZONE} loses power`);
    await eksim.failZone(ZONE, { cluster: CLUSTER });
    failed = true;
    await until(
      `all ${NODES} nodes and ${PODS} pods are back, without ${ZONE}`,
      "30m",
      (c) => c.readyNodes === NODES && c.readyPods === PODS && c.zones[ZONE]?.all === 0,
    );

    console.log("");
    say(`zone ${ZONE} is back`);
    await eksim.restoreZone(ZONE, { cluster: CLUSTER });
    await until(`the node group is spread over three zones again`, "60m", (c) =>
      Object.values(c.zones).every((zone) => zone.ready === NODES / 3 && zone.all === NODES / 3),
    );
    const masters = (await eksim.zones({ cluster: CLUSTER })).map(
      (zone) => `${zone.name} ${zone.membersUp}/${zone.members}`,
    );
    say(`masters up: ${masters.join(", ")}`);
    console.log(
      `
Would it have survived? Yes: ${fewestPods} of ${PODS} pods stayed ready at the worst moment, and all came back. ${((performance.now() - startedMs) / 1000).toFixed(1)} s on the wall, ${clockTime(eksim.now() - beginMs).slice(1)} simulated.`,
    );
  } finally {
    await eksim.stop();
  }
}
