import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, type EksimOptions, startEksim } from "../../src/testkit/index.js";

let eksim: Eksim;
let directory: string | undefined;
afterEach(async () => {
  await eksim.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
  directory = undefined;
});

interface Capability {
  status: string;
  roleArn: string;
}

const CAPABILITIES = "/clusters/demo/capabilities";
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const role = (name: string): string => `arn:aws:iam::000000000000:role/${name}`;
const describeCapability = async (name: string): Promise<Capability | undefined> => {
  try {
    return (await eksim.eks<{ capability: Capability }>("GET", `${CAPABILITIES}/${name}`)).capability;
  } catch {
    return undefined;
  }
};
const until = (name: string, status: string | undefined, limit = "10m"): Promise<void> =>
  eksim.advanceUntil(async () => (await describeCapability(name))?.status === status, limit);
const names = async (path: string): Promise<string[]> =>
  (await eksim.kubernetes<{ items: { metadata: { name: string } }[] }>("demo", "GET", path)).items.map(
    ({ metadata }) => metadata.name,
  );

async function start(options: EksimOptions = {}): Promise<void> {
  eksim = await startEksim({ seed: 3, clockStart: "2026-11-01T00:00:00Z", ...options });
  await createCluster();
}

async function createCluster(): Promise<void> {
  await eksim.eks("POST", "/clusters", {
    name: "demo",
    roleArn: role("c"),
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    accessConfig: { authenticationMode: "API" },
  });
  const status = async (): Promise<string> =>
    (await eksim.eks<{ cluster: { status: string } }>("GET", "/clusters/demo")).cluster.status;
  await eksim.advanceUntil(async () => (await status()) === "ACTIVE", "5m");
}

const create = (capabilityName: string, type: string, configuration?: object): Promise<unknown> =>
  eksim.eks("POST", CAPABILITIES, {
    capabilityName,
    type,
    roleArn: role(capabilityName),
    deletePropagationPolicy: "RETAIN",
    ...(configuration ? { configuration } : {}),
  });

const ARGOCD = { argoCd: { namespace: "gitops", awsIdc: { idcInstanceArn: "arn:aws:sso:::instance/ssoins-1" } } };

describe("a capability", () => {
  it("of type ARGOCD brings its namespace and custom resources, which stay when it goes", async () => {
    await start();
    await create("cd", "ARGOCD", ARGOCD);
    await until("cd", "ACTIVE");
    const definitions = ["applications.argoproj.io", "applicationsets.argoproj.io", "appprojects.argoproj.io"];
    expect(await names(DEFINITIONS)).toEqual(expect.arrayContaining(definitions));
    expect(await names("/api/v1/namespaces")).toContain("gitops");
    const applications = "/apis/argoproj.io/v1alpha1/namespaces/gitops/applications";
    await eksim.kubernetes("demo", "POST", applications, {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Application",
      metadata: { name: "guestbook" },
      spec: { project: "default" },
    });
    await eksim.eks("DELETE", `${CAPABILITIES}/cd`);
    await until("cd", undefined);
    expect(await names(applications)).toEqual(["guestbook"]);
    expect(eksim.events({ cluster: "demo" }).map(({ type }) => type)).toEqual(
      expect.arrayContaining(["CreateCapability", "CapabilityActive", "DeleteCapability", "CapabilityDeleted"]),
    );
  });

  it.each([
    ["KRO", "resourcegraphdefinitions.kro.run"],
    ["ACK", "buckets.s3.services.k8s.aws"],
  ])("of type %s defines %s", async (type, definition) => {
    await start();
    await create("mine", type);
    await until("mine", "ACTIVE");
    expect(await names(DEFINITIONS)).toContain(definition);
  });

  it("takes its update over a restart in the middle", async () => {
    directory = await mkdtemp(join(tmpdir(), "eksim-capability-"));
    await start({ dataDir: directory });
    await create("mine", "ACK");
    await until("mine", "ACTIVE");
    await eksim.stop();
    // With AWS's timings the update is under way for a while.
    eksim = await startEksim({ seed: 3, dataDir: directory, profile: "aws" });
    const { update } = await eksim.eks<{ update: { id: string } }>("POST", `${CAPABILITIES}/mine`, {
      roleArn: role("other"),
    });
    await eksim.advance("5s");
    expect(await describeCapability("mine")).toMatchObject({ status: "UPDATING", roleArn: role("mine") });
    await eksim.stop();
    eksim = await startEksim({ seed: 3, dataDir: directory, profile: "aws" });
    await until("mine", "ACTIVE");
    expect(await describeCapability("mine")).toMatchObject({ roleArn: role("other") });
    const path = `/clusters/demo/updates/${update.id}?capabilityName=mine`;
    const { update: done } = await eksim.eks<{ update: { status: string } }>("GET", path);
    expect(done.status).toBe("Successful");
  });

  it("goes with its cluster", async () => {
    await start();
    await create("mine", "KRO");
    await until("mine", "ACTIVE");
    await eksim.eks("DELETE", "/clusters/demo");
    const clusters = async (): Promise<string[]> =>
      (await eksim.eks<{ clusters: string[] }>("GET", "/clusters")).clusters;
    await eksim.advanceUntil(async () => (await clusters()).length === 0, "5m");
    await createCluster();
    expect((await eksim.eks<{ capabilities: unknown[] }>("GET", CAPABILITIES)).capabilities).toEqual([]);
  });
});
