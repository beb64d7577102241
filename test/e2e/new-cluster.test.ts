import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";

interface Pod {
  metadata: { name: string };
  status: { phase: string; conditions?: { type: string; status: string }[] };
}

let eksim: Eksim | undefined;
afterEach(async () => {
  await eksim?.stop();
  eksim = undefined;
});

const SUBNETS = ["subnet-0a0a0a0a0a0a0a0a1", "subnet-0a0a0a0a0a0a0a0a2"];

async function withNodes(): Promise<Eksim> {
  const running = await startEksim({ seed: 5 });
  eksim = running;
  await running.eks("POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/c",
    resourcesVpcConfig: { subnetIds: SUBNETS },
  });
  const isActive = async (path: string, member: "cluster" | "nodegroup"): Promise<boolean> =>
    (await running.eks<Record<string, { status: string }>>("GET", path))[member]?.status === "ACTIVE";
  await running.advanceUntil(() => isActive("/clusters/demo", "cluster"), "5m");
  await running.eks("POST", "/clusters/demo/node-groups", {
    nodegroupName: "ng",
    nodeRole: "arn:aws:iam::000000000000:role/n",
    subnets: SUBNETS,
    scalingConfig: { minSize: 2, maxSize: 2, desiredSize: 2 },
  });
  await running.advanceUntil(() => isActive("/clusters/demo/node-groups/ng", "nodegroup"), "5m");
  return running;
}

interface Claim {
  status: { phase: string };
  spec: { volumeName?: string };
}

describe("a new cluster with nodes", () => {
  it("has all its kube-system pods Ready within the time that their probes take", async () => {
    const running = await withNodes();
    const pods = async (): Promise<Pod[]> =>
      (await running.kubernetes<{ items: Pod[] }>("demo", "GET", "/api/v1/namespaces/kube-system/pods")).items;
    const isReady = ({ status }: Pod): boolean =>
      status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
    await running.advanceUntil(async () => (await pods()).every(isReady), "3m");
    const daemons = new Set(
      (await pods()).map(({ metadata }) => /^(aws-node|coredns|kube-proxy)-/.exec(metadata.name)?.[1]),
    );
    expect([...daemons].sort()).toEqual(["aws-node", "coredns", "kube-proxy"]);
  });

  it("gives volumes of its gp2 class, in the zone of their pod, once the EBS CSI driver is installed", async () => {
    const running = await withNodes();
    const namespace = "/api/v1/namespaces/default";
    await running.kubernetes("demo", "POST", `${namespace}/persistentvolumeclaims`, {
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "gp2", resources: { requests: { storage: "1Gi" } } },
    });
    await running.kubernetes("demo", "POST", `${namespace}/pods`, {
      metadata: { name: "db" },
      spec: {
        containers: [{ name: "c", image: "postgres:17" }],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      },
    });
    const claim = () => running.kubernetes<Claim>("demo", "GET", `${namespace}/persistentvolumeclaims/data`);
    const pod = () => running.kubernetes<Pod>("demo", "GET", `${namespace}/pods/db`);
    await running.advance("1m");
    expect((await claim()).status.phase).toBe("Pending");
    expect((await pod()).status.phase).toBe("Pending");
    await running.eks("POST", "/clusters/demo/addons", { addonName: "aws-ebs-csi-driver" });
    await running.advanceUntil(async () => (await pod()).status.phase === "Running", "3m");
    const volume = await running.kubernetes<{ spec: object }>(
      "demo",
      "GET",
      `/api/v1/persistentvolumes/${(await claim()).spec.volumeName}`,
    );
    expect(volume.spec).toMatchObject({
      csi: { driver: "ebs.csi.aws.com", fsType: "ext4" },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "topology.kubernetes.io/zone" }] }] },
      },
    });
  });
});
