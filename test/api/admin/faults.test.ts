import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { requestOf, startFault, stopAllFaults, stopFault } from "../../../src/cli/fault.js";
import type { CatalogueEntry, FaultView } from "../../../src/domain/faults/index.js";
import { CLUSTER, type Drill, startDrill } from "../../reconcile/drill.js";

let drill: Drill;
beforeAll(async () => {
  drill = await startDrill();
  await drill.cluster();
});
afterAll(() => drill.eksim.stop());

interface Answer<T> {
  status: number;
  body: T & { message: string };
}
const send = async <T = FaultView>(
  method: string,
  path: string,
  body?: unknown,
  type = "application/json",
): Promise<Answer<T>> => {
  const answer = await fetch(`${drill.eksim.endpoint}/_eksim/${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { "content-type": type }, body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer<T>["body"] };
};

describe("/_eksim/faults", () => {
  it("starts what is posted, lists what is on, and ends what is deleted", async () => {
    const request = {
      fault: "zone-dns-failure",
      target: { zone: "use1-az2", cluster: CLUSTER },
      duration: "10m",
      seed: 5,
    };
    const started = await send("POST", "faults", request);
    expect(started).toMatchObject({
      status: 200,
      body: {
        fault: "zone-dns-failure",
        title: "No name can be resolved in us-east-1b for cluster demo.",
        phase: "active",
        zone: "us-east-1b",
        target: { zone: "us-east-1b", cluster: CLUSTER },
        seed: 5,
        endsAtMs: drill.eksim.now() + 600_000,
        hits: "It hits 1 master now, and what comes.",
      },
    });
    // What it hit is told once: later it may be otherwise.
    const { hits: _, message: __, ...listed } = started.body;
    expect((await send<{ faults: FaultView[] }>("GET", "faults")).body.faults).toEqual([listed]);
    const zones = await send<{ zones: unknown[] }>("GET", "zones");
    const faults = [{ id: started.body.id, fault: "zone-dns-failure" }];
    expect(zones.body.zones).toContainEqual(expect.objectContaining({ name: "us-east-1b", state: "impaired", faults }));
    expect((await send("DELETE", `faults/${started.body.id}`)).body).toMatchObject({ phase: "ended" });
    expect((await send<{ faults: FaultView[] }>("GET", "faults")).body.faults).toEqual([]);
    expect((await send<{ faults: FaultView[] }>("GET", "faults?all")).body.faults).toMatchObject([{ phase: "ended" }]);
  });

  it("ends everything at once", async () => {
    await send("POST", "faults", { fault: "zone-power-loss", target: { zone: "us-east-1a" } });
    await send("POST", "faults", { fault: "quorum-loss", target: { cluster: CLUSTER }, delay: "1h" });
    const { body } = await send<{ faults: FaultView[] }>("DELETE", "faults");
    expect(body.faults.map(({ fault, phase }) => [fault, phase])).toEqual([
      ["quorum-loss", "ended"],
      ["zone-power-loss", "ended"],
    ]);
    expect((await drill.eksim.zones()).map(({ state }) => state)).toEqual(Array(3).fill("available"));
  });

  it("tells what there is to break", async () => {
    const { body } = await send<{ faults: CatalogueEntry[] }>("GET", "faults/catalogue");
    expect(body.faults.find(({ name }) => name === "zone-isolation")).toMatchObject({
      family: "zone",
      lasts: true,
      target: { type: "zone", takes: ["zone", "cluster"], needs: ["zone"] },
      parameters: { direction: { type: "choice", values: ["both", "in", "out"], default: "both" } },
    });
  });

  it.each<[string, unknown, string | undefined, number, RegExp]>([
    ["a form", "fault=zone-power-loss", "application/x-www-form-urlencoded", 400, /Unsupported Media Type/],
    ["a text", '{"fault":"zone-power-loss"}', "text/plain", 400, /content-type: application\/json/],
    ["broken JSON", "{", undefined, 400, /./],
    ["a list", [], undefined, 400, /asked for by an object/],
    ["an unknown fault", { fault: "flood" }, undefined, 400, /There is no fault "flood". Faults: zone-power-loss/],
    ["an unknown cluster", { fault: "quorum-loss", target: { cluster: "x" } }, undefined, 404, /Clusters: demo/],
  ])("refuses %s", async (_, body, type, status, why) => {
    const answer = await send("POST", "faults", body, type);
    expect([answer.status, answer.body.message]).toEqual([status, expect.stringMatching(why)]);
  });

  it("refuses ids that are not there, and bodies where none belongs", async () => {
    expect(await send("DELETE", "faults/fault-1")).toMatchObject({
      status: 404,
      body: { message: "No fault found for id: fault-1. There are no faults." },
    });
    expect((await send("POST", "zones/us-east-1a/fail", { cluster: CLUSTER })).body.message).toMatch(/not in a body/);
    expect((await drill.eksim.zones())[0]?.state).toBe("available");
  });

  it("refuses web pages of others", async () => {
    const answer = await fetch(`${drill.eksim.endpoint}/_eksim/faults`, {
      method: "DELETE",
      headers: { origin: "https://evil.example" },
    });
    expect(answer.status).toBe(403);
  });
});

describe("eksim fault", () => {
  it("says with flags what drills say in their files", () => {
    expect(
      requestOf("pod-not-ready", {
        zone: "us-east-1a",
        cluster: CLUSTER,
        node: ["n1", "n2"],
        label: ["team=ml"],
        namespace: "default",
        pod: ["a"],
        podLabel: ["app=web", "tier="],
        count: "2",
        duration: "5m",
        delay: "1m",
        seed: "7",
        emptyTargets: "skip",
        set: ["skew=-5m", "message=a=b"],
      }),
    ).toEqual({
      fault: "pod-not-ready",
      target: {
        zone: "us-east-1a",
        cluster: CLUSTER,
        nodes: ["n1", "n2"],
        labels: { team: "ml" },
        namespace: "default",
        pods: ["a"],
        podLabels: { app: "web", tier: "" },
        count: 2,
      },
      parameters: { skew: "-5m", message: "a=b" },
      duration: "5m",
      delay: "1m",
      seed: 7,
      emptyTargets: "skip",
    });
  });

  it.each([
    [{ set: ["skew"] }, /--set takes key=value, not "skew"/],
    [{ label: ["=x"] }, /--label takes key=value/],
    [{ podLabel: ["a=1", "a=2"] }, /--pod-label a is given more than once/],
    [{ count: "many" }, /--count takes a whole number/],
    [{ percent: "half" }, /--percent takes a whole number/],
  ])("refuses %j", (options, why) => {
    expect(() => requestOf("node-freeze", options)).toThrow(why);
  });

  it("starts and stops a fault of a running emulator", async () => {
    const target = { endpoint: drill.eksim.endpoint };
    await startFault("api-server-latency", { ...target, cluster: CLUSTER, set: ["latency=1s"], duration: "1h" });
    const [fault] = drill.eksim.faults();
    expect(fault).toMatchObject({ fault: "api-server-latency", parameters: { latency: 1000 } });
    await stopFault(fault?.id ?? "", target);
    expect(drill.eksim.faults()).toEqual([]);
    await expect(stopFault("fault-1", target)).rejects.toThrow(/No fault found/);
  });

  it("says where the fault is, when it is not where commands look by themselves", async () => {
    const said = vi.spyOn(console, "log").mockReturnValue();
    onTestFinished(() => said.mockRestore());
    const target = { endpoint: drill.eksim.endpoint };
    await startFault("zone-power-loss", { ...target, zone: "us-west-2a" });
    expect(said.mock.lastCall?.[0]).toMatch(/with: eksim fault stop fault-\w+ --region us-west-2$/);
    await startFault("zone-power-loss", { ...target, zone: "us-east-1b" });
    expect(said.mock.lastCall?.[0]).toMatch(/with: eksim fault stop fault-\w+$/);
    for (const region of ["us-west-2", "us-east-1"]) await stopAllFaults({ ...target, region });
  });
});
