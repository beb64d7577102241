import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../src/testkit/index.js";

const ZONE = "us-east-1a";
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];
/** Resources whose every object is compared: who is where, in which revision. */
const LISTS = [
  "/api/v1/nodes",
  "/api/v1/pods",
  "/api/v1/events",
  "/api/v1/serviceaccounts",
  "/apis/apps/v1/replicasets",
  "/apis/apps/v1/controllerrevisions",
  "/apis/discovery.k8s.io/v1/endpointslices",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles",
];

interface KubeObject {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; creationTimestamp: string };
  spec?: { nodeName?: string };
  status?: object;
}

interface Story {
  /** The whole event log as one text. */
  log: string;
  objects: string;
}

/** A cluster with six nodes and a Deployment loses a zone for 45 minutes and gets it back. */
async function tell(options: { seed: number; meanwhile?: (eksim: Eksim) => Promise<void> }): Promise<Story> {
  const eksim = await startEksim({ seed: options.seed, clockStart: "2026-01-01T00:00:00Z" });
  const { meanwhile = () => Promise.resolve() } = options;
  try {
    await eksim.eks("POST", "/clusters", {
      name: "twin",
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: SUBNETS },
    });
    await eksim.idle();
    await eksim.eks("POST", "/clusters/twin/node-groups", {
      nodegroupName: "workers",
      nodeRole: "arn:aws:iam::000000000000:role/node",
      subnets: SUBNETS,
      scalingConfig: { minSize: 3, maxSize: 9, desiredSize: 6 },
    });
    await eksim.kubernetes("twin", "POST", "/apis/apps/v1/namespaces/default/deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: 12,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "nginx", image: "nginx" }] } },
      },
    });
    await meanwhile(eksim);
    await eksim.advance("5m");
    await eksim.failZone(ZONE, { cluster: "twin" });
    await meanwhile(eksim);
    await eksim.eks("POST", "/clusters/twin/node-groups/workers/update-config", {
      labels: { addOrUpdateLabels: { a: "b" } },
    });
    await eksim.advance("45m");
    await eksim.restoreZone(ZONE, { cluster: "twin" });
    await meanwhile(eksim);
    await eksim.advance("30m");
    const objects: unknown[] = [];
    for (const path of LISTS) {
      const { items } = await eksim.kubernetes<{ items: KubeObject[] }>("twin", "GET", path);
      for (const { metadata, spec, status } of items)
        objects.push([path, metadata.namespace, metadata.name, metadata.uid, metadata.resourceVersion, spec, status]);
    }
    return {
      log: JSON.stringify(eksim.events(), null, 1),
      objects: objects.map((object) => JSON.stringify(object)).join("\n"),
    };
  } finally {
    await eksim.stop();
  }
}

describe("the same seed, start and steps on a stepped clock", () => {
  const busy: Worker[] = [];
  afterEach(async () => {
    for (const worker of busy.splice(0)) await worker.terminate();
  });

  it("tell the same story byte for byte, on a busy machine and whoever reads meanwhile", async () => {
    const first = await tell({ seed: 7 });
    expect(first.log).toContain("InstanceTerminated");
    for (let i = 0; i < 2; i++) busy.push(new Worker("for (;;);", { eval: true }));
    const second = await tell({
      seed: 7,
      meanwhile: async (eksim) => {
        await eksim.eks("GET", "/clusters");
        await eksim.kubernetes("twin", "GET", "/api/v1/pods");
      },
    });
    expect(second.log).toBe(first.log);
    expect(second.objects).toBe(first.objects);
  });

  it("give two clusters uids of their own: kube-system's is taken for the cluster's", async () => {
    const eksim = await startEksim({ seed: 7, clockStart: "2026-01-01T00:00:00Z" });
    try {
      const uids = new Set<string>();
      for (const name of ["one", "two"]) {
        await eksim.eks("POST", "/clusters", {
          name,
          roleArn: "arn:aws:iam::000000000000:role/eks",
          resourcesVpcConfig: { subnetIds: SUBNETS },
        });
        await eksim.idle();
        uids.add((await eksim.kubernetes<KubeObject>(name, "GET", "/api/v1/namespaces/kube-system")).metadata.uid);
      }
      expect(uids.size).toBe(2);
    } finally {
      await eksim.stop();
    }
  });

  it("tell another story with another seed", async () => {
    const [one, other] = [await tell({ seed: 1 }), await tell({ seed: 2 })];
    expect(other.objects).not.toBe(one.objects);
  });
});
