import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, type Drill, startDrill, ZONES } from "./drill.js";

let d: Drill;
beforeEach(async () => {
  d = await startDrill();
  await d.cluster();
});
afterEach(() => d.eksim.stop());

interface Status {
  clusters: { masters: { zone: string; status: string; networkInterface?: { privateIpAddress: string } }[] }[];
}
const masters = async (): Promise<Status["clusters"][number]["masters"]> => {
  const response = await fetch(`${d.eksim.endpoint}/_eksim/status`);
  return ((await response.json()) as Status).clusters[0]?.masters ?? [];
};
const zones = async (): Promise<string> =>
  (await masters())
    .map(({ zone, status }) => `${zone} ${status}`)
    .sort()
    .join();
const endpoints = async (): Promise<string[]> => {
  const { subsets } = await d.eksim.kubernetes<{ subsets: { addresses: { ip: string }[] }[] }>(
    CLUSTER,
    "GET",
    "/api/v1/namespaces/default/endpoints/kubernetes",
  );
  return subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)).sort();
};
const answers = async (): Promise<boolean> => endpoints().then(Boolean, () => false);
const told = (type: string) => d.events().filter((event) => event.type === type);
const [A, B, C] = ZONES;
const HOME = `${A} READY,${B} READY,${C} READY`;

describe("the masters of a cluster", () => {
  it("keep the API up while one zone is dark, and the Service kubernetes names those that are there", async () => {
    await d.eksim.failZone(A);
    await d.eksim.advance("1m");
    expect(await endpoints()).toHaveLength(2);
    await d.eksim.advance("5m");
    expect(await zones()).toBe(`${B} READY,${B} READY,${C} READY`);
    const present = (await masters()).map(({ networkInterface }) => networkInterface?.privateIpAddress).sort();
    expect(await endpoints()).toEqual(present);
    await d.eksim.restoreZone(A);
    await d.until(async () => (await zones()) === HOME);
    expect(await endpoints()).toHaveLength(3);
  });

  it("are not replaced without a quorum; with the first zone that is back the others are, one after the other", async () => {
    await d.eksim.failZone(A);
    await d.eksim.failZone(B);
    await d.eksim.advance("45m");
    expect(await answers()).toBe(false);
    expect(told("MasterReplaced")).toEqual([]);
    expect(await zones()).toBe(`${A} FAILED,${B} FAILED,${C} READY`);
    await d.eksim.restoreZone(B);
    await d.until(async () => (await masters()).every(({ status }) => status === "READY"));
    expect(await answers()).toBe(true);
    expect(told("MasterReplaced").map(({ zone }) => zone)).toEqual([B]);
    await d.eksim.restoreZone(A);
    await d.until(async () => (await zones()) === HOME);
    expect(told("MasterReplaced").map(({ zone }) => zone)).toEqual([B, A]);
  });

  it("carry a version update through although one of them is lost: it is made anew first", async () => {
    await d.eksim.stop();
    d = await startDrill();
    await d.cluster("1.35");
    await d.eksim.failZone(B);
    const { update } = await d.eksim.eks<{ update: { id: string } }>("POST", `/clusters/${CLUSTER}/updates`, {
      version: "1.36",
    });
    expect((await d.updateEnds(update.id, undefined, "30m")).status).toBe("Successful");
    expect(await answers()).toBe(true);
    await d.eksim.restoreZone(B);
    await d.until(async () => (await zones()) === HOME);
  });
});
