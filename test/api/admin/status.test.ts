import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { status } from "../../../src/cli/status.js";
import { CLUSTER, type Drill, startDrill } from "../../reconcile/drill.js";

let drill: Drill;
beforeAll(async () => {
  drill = await startDrill();
  await drill.cluster();
});
afterEach(() => drill.eksim.stopAllFaults());
afterAll(() => drill.eksim.stop());

/** What `eksim status` prints. */
const printed = async (options: { cluster?: string } = {}): Promise<string> => {
  const said = vi.spyOn(console, "log").mockReturnValue();
  onTestFinished(() => said.mockRestore());
  said.mockClear();
  await status({ endpoint: drill.eksim.endpoint, ...options });
  return said.mock.calls.flat().join("\n");
};

describe("eksim status", () => {
  it("says of the faults that are on what they do, and when they end", async () => {
    const outage = await drill.eksim.startFault({
      fault: "zone-power-loss",
      target: { zone: "us-east-1a" },
      duration: "45m",
    });
    const loss = await drill.eksim.startFault({
      fault: "master-loss",
      target: { zone: "us-east-1b", cluster: CLUSTER },
    });
    await drill.eksim.startFault({ fault: "quorum-loss", delay: "1h" });
    const text = await printed();
    expect(text).toMatch(
      new RegExp(`^${outage.id}: Zone us-east-1a has lost power\\. Since 20\\S+Z, until 20\\S+Z\\.$`, "m"),
    );
    expect(text).toMatch(
      new RegExp(`^${loss.id}: Master master-2 of cluster demo is lost\\. Since 20\\S+Z, until it is ended\\.$`, "m"),
    );
    expect(text).not.toContain("quorum");
  });

  it("tells of no fault of another cluster than the one named", async () => {
    await drill.eksim.eks("POST", "/clusters", {
      name: "other",
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    });
    await drill.eksim.startFault({ fault: "api-server-latency", target: { cluster: "other" } });
    await drill.eksim.startFault({ fault: "zone-dns-failure", target: { zone: "us-east-1c" } });
    const text = await printed({ cluster: CLUSTER });
    expect(text).toContain("No name can be resolved in us-east-1c");
    expect(text).not.toContain("other");
  });

  it("says which zone a cluster is shifted away from, until when and why", async () => {
    await drill.eksim.eks("POST", `/clusters/${CLUSTER}/update-config`, { zonalShiftConfig: { enabled: true } });
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE");
    await drill.eksim.advance("1m");
    const { id } = await drill.eksim.startZonalShift({
      cluster: CLUSTER,
      awayFrom: "use1-az1",
      expiresIn: "30m",
      comment: "gray failure",
    });
    expect(await printed()).toMatch(
      new RegExp(`^  shifted away from us-east-1a \\(use1-az1\\) until 20\\S+Z \\(gray failure\\): ${id}$`, "m"),
    );
    await drill.eksim.cancelZonalShift(id);
    expect(await printed()).not.toContain("shifted");
  });
});
