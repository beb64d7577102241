import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../../src/testkit/index.js";
import { CLUSTER, type Drill, isReady, type Node, startDrill, temporaryDataDir, ZONES } from "./drill.js";

let d: Drill;
afterEach(() => d.eksim.stop());

const AWAY = ZONES[0];
const zoneOf = ({ metadata }: Node): string => metadata.labels["topology.kubernetes.io/zone"] ?? "";
const cordoned = async (): Promise<string[]> =>
  (await d.nodes())
    .filter(({ spec }) => spec.unschedulable)
    .map(({ metadata }) => metadata.name)
    .sort();
const namesIn = async (zone: string): Promise<string[]> =>
  (await d.nodes())
    .filter((node) => zoneOf(node) === zone)
    .map(({ metadata }) => metadata.name)
    .sort();
const cordon = async (name: string): Promise<void> => {
  const node = await d.eksim.kubernetes<Node>(CLUSTER, "GET", `/api/v1/nodes/${name}`);
  const changed = { ...node, spec: { ...node.spec, unschedulable: true } };
  await d.eksim.kubernetes(CLUSTER, "PUT", `/api/v1/nodes/${name}`, changed);
};

async function expose(app: string): Promise<void> {
  await d.eksim.kubernetes(CLUSTER, "POST", "/api/v1/namespaces/default/services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: app },
    spec: { selector: { app }, ports: [{ port: 80 }] },
  });
  await d.eksim.advance("2s");
}
async function endpointZones(app: string): Promise<string[]> {
  const { items } = await d.eksim.kubernetes<{ items: { endpoints?: { zone: string }[] | null }[] }>(
    CLUSTER,
    "GET",
    `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${app}`,
  );
  return items.flatMap(({ endpoints }) => (endpoints ?? []).map(({ zone }) => zone)).sort();
}
const enableShifts = async (enabled: boolean): Promise<void> => {
  await d.eksim.eks("POST", `/clusters/${CLUSTER}/update-config`, { zonalShiftConfig: { enabled } });
  await d.until(async () => (await d.clusterStatus()) === "ACTIVE");
  await d.eksim.advance("1s");
};
const shift = (expiresIn = "30m", awayFrom: string = AWAY) =>
  d.eksim.startZonalShift({ cluster: CLUSTER, awayFrom, expiresIn, comment: "gray failure" });
const told = (type: string): number => d.events().filter((event) => event.type === type).length;

/** Spreads pods over the zones evenly. */
const SPREAD = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "topology.kubernetes.io/zone",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: { app: "web" } },
    },
  ],
};

async function start(options: Parameters<typeof startDrill>[0] = {}, request: Record<string, unknown> = {}) {
  d = await startDrill(options);
  await d.cluster();
  await enableShifts(true);
  await d.nodegroup("workers", { scalingConfig: { minSize: 0, maxSize: 12, desiredSize: 6 }, ...request });
}

describe("a zonal shift", () => {
  beforeEach(() => start());

  it("cordons the zone and takes its endpoints away, evicts and terminates nothing, and undoes both when it expires", async () => {
    await d.deploy("web", 6, SPREAD);
    await expose("web");
    expect(new Set(await endpointZones("web"))).toEqual(new Set(ZONES));
    const podsBefore = (await d.podsOf("web")).map(({ metadata }) => metadata.uid).sort();
    const nodesBefore = (await d.nodes()).map(({ metadata }) => metadata.uid).sort();

    const { zoneId } = await shift("30m");
    await d.eksim.advance("2s");
    expect(zoneId).toBe("use1-az1");
    expect(await cordoned()).toEqual(await namesIn(AWAY));
    expect(new Set(await endpointZones("web"))).toEqual(new Set(ZONES.slice(1)));

    await d.eksim.advance("29m");
    expect((await d.podsOf("web")).map(({ metadata }) => metadata.uid).sort()).toEqual(podsBefore);
    expect((await d.nodes()).map(({ metadata }) => metadata.uid).sort()).toEqual(nodesBefore);
    expect(d.eksim.zonalShifts()).toHaveLength(1);

    await d.eksim.advance("2m");
    expect(d.eksim.zonalShifts()).toEqual([]);
    expect(d.eksim.zonalShifts({ ended: true })).toMatchObject([{ status: "EXPIRED" }]);
    expect(await cordoned()).toEqual([]);
    expect(new Set(await endpointZones("web"))).toEqual(new Set(ZONES));
    expect([told("ZonalShiftStarted"), told("ZonalShiftExpired")]).toEqual([1, 1]);
  });

  it("leaves nodes cordoned that somebody else had cordoned before", async () => {
    const [mine = "", other = ""] = await namesIn(AWAY);
    await cordon(mine);
    const { id } = await shift();
    await d.eksim.advance("2s");
    expect(await cordoned()).toEqual([mine, other].sort());
    await d.eksim.cancelZonalShift(id);
    await d.eksim.advance("2s");
    expect(await cordoned()).toEqual([mine]);
    expect(told("ZonalShiftCanceled")).toBe(1);
  });

  it("cordons self-managed nodes that come while it is on", async () => {
    await shift("20m", "use1-az1");
    await d.eksim.kubernetes(CLUSTER, "POST", "/api/v1/nodes", {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "own", labels: { "topology.kubernetes.io/zone": AWAY } },
    });
    await d.eksim.advance("5s");
    expect(await cordoned()).toContain("own");
    await d.eksim.advance("20m");
    expect(await cordoned()).not.toContain("own");
  });

  it("launches in the other zones alone, does not level the zones meanwhile, and levels them afterwards", async () => {
    await shift("1h");
    const [lost = ""] = await namesIn(AWAY);
    await d.eksim.killNode(lost);
    await d.until(async () => Object.values(await d.spread()).reduce((a, b) => a + b, 0) === 6);
    await d.eksim.advance("30m");
    expect(Object.values(await d.spread()).sort()).toEqual([1, 2, 3]);
    expect((await d.spread())[AWAY]).toBe(1);
    await d.until(async () => (await d.spread())[AWAY] === 2, "1h");
    await d.until(async () => (await d.nodes()).length === 6);
    expect(await d.spread()).toEqual({ [ZONES[0]]: 2, [ZONES[1]]: 2, [ZONES[2]]: 2 });
  });

  it("ends when the cluster's zonal shift is disabled", async () => {
    await shift("72h");
    await d.eksim.advance("2s");
    expect(await cordoned()).toHaveLength(2);
    await enableShifts(false);
    expect(await cordoned()).toEqual([]);
    expect(d.eksim.zonalShifts({ ended: true })).toMatchObject([{ status: "CANCELED" }]);
  });

  it("is not seen in DescribeCluster", async () => {
    const before = await d.eksim.eks("GET", `/clusters/${CLUSTER}`);
    await shift();
    await d.eksim.advance("2s");
    expect(await d.eksim.eks("GET", `/clusters/${CLUSTER}`)).toEqual(before);
  });

  it("is one at a time, by name, id or ARN, and cannot be canceled twice", async () => {
    const arn = `arn:aws:eks:us-east-1:000000000000:cluster/${CLUSTER}`;
    const { id } = await d.eksim.startZonalShift({ cluster: arn, awayFrom: "use1-az2", expiresIn: "1m" });
    await expect(shift()).rejects.toThrow(/shifted away from use1-az2 already/);
    await d.eksim.cancelZonalShift(id);
    await expect(d.eksim.cancelZonalShift(id)).rejects.toThrow(/it is CANCELED/);
    await expect(d.eksim.cancelZonalShift("none")).rejects.toThrow(/No zonal shift found/);
    await shift();
  });

  it("is started, extended, listed and canceled over HTTP", async () => {
    const ask = async (method: string, path: string) => {
      const response = await fetch(`${d.eksim.endpoint}/_eksim/zonal-shifts${path}`, { method });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const started = await ask("POST", `?cluster=${CLUSTER}&awayFrom=${AWAY}&expiresIn=10m&comment=now`);
    expect(started).toMatchObject({ status: 200, body: { awayFrom: "use1-az1", status: "ACTIVE", comment: "now" } });
    const id = String(started.body.zonalShiftId);
    await ask("POST", `/${id}/update?expiresIn=2h`);
    await d.eksim.advance("30m");
    expect((await ask("GET", "")).body).toMatchObject({ zonalShifts: [{ zonalShiftId: id, status: "ACTIVE" }] });
    expect((await ask("POST", `/${id}/cancel`)).body).toMatchObject({ status: "CANCELED" });
    expect((await ask("GET", `?cluster=${CLUSTER}`)).body).toEqual({ zonalShifts: [] });
    expect((await ask("GET", "?all=true")).body).toMatchObject({ zonalShifts: [{ status: "CANCELED" }] });
    expect(await ask("POST", `?cluster=${CLUSTER}&expiresIn=10m`)).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/awayFrom is missing/) },
    });
    expect((await ask("POST", `/${id}/update`)).body.message).toMatch(/nothing is to be changed/);
    expect((await ask("GET", "?all=perhaps")).status).toBe(400);
  });
});

describe("a zonal shift that makes no sense", () => {
  it("is refused, with what would make sense", async () => {
    await start();
    const refusals: [Record<string, string>, RegExp][] = [
      [
        { awayFrom: "us-east-1z" },
        /no subnets in a zone us-east-1z; it can be shifted away from us-east-1a \(use1-az1\)/,
      ],
      [{ awayFrom: "us-east-1f" }, /no subnets in a zone us-east-1f/],
      [{ expiresIn: "73h" }, /from 1m to 72h/],
      [{ expiresIn: "0m" }, /from 1m to 72h/],
      [{ expiresIn: "1d" }, /from 1m to 72h/],
      [{ cluster: "nobody" }, /No cluster found for name: nobody\. Clusters: demo/],
      [{ comment: "x".repeat(129) }, /at most 128 characters/],
    ];
    for (const [wrong, message] of refusals) {
      const request = { cluster: CLUSTER, awayFrom: AWAY, expiresIn: "30m", ...wrong };
      await expect(d.eksim.startZonalShift(request)).rejects.toThrow(message);
    }
    expect(d.eksim.zonalShifts({ ended: true })).toEqual([]);
  });
});

describe("a cluster that has not enabled zonal shifts", () => {
  it("cannot be shifted, and says how to enable it", async () => {
    d = await startDrill();
    await d.cluster();
    const refused = await d.eksim
      .startZonalShift({ cluster: CLUSTER, awayFrom: AWAY, expiresIn: "30m" })
      .catch((error: unknown) => error);
    expect(refused).not.toBeInstanceOf(ApiError);
    expect(String(refused)).toMatch(/update-cluster-config --name demo --zonal-shift-config enabled=true/);
  });
});

describe("a zonal shift and a restart", () => {
  it("goes on, and ends on time even when eksim was away then", async () => {
    await start({ dataDir: temporaryDataDir() });
    await d.deploy("web", 6, SPREAD);
    await expose("web");
    await shift("30m");
    await d.eksim.advance("2s");
    await d.restart();
    await d.eksim.advance("5s");
    expect(await cordoned()).toEqual(await namesIn(AWAY));
    expect(new Set(await endpointZones("web"))).toEqual(new Set(ZONES.slice(1)));
    await d.eksim.advance("31m");
    expect(await cordoned()).toEqual([]);
    expect(new Set(await endpointZones("web"))).toEqual(new Set(ZONES));
  });
});

describe("a zonal shift and node auto repair", () => {
  it("holds repairs while it is on, and lets them go on afterwards", async () => {
    await start({}, { nodeRepairConfig: { enabled: true } });
    await shift("90m");
    const [node] = (await d.nodes()).filter((each) => zoneOf(each) === ZONES[1]);
    const name = node?.metadata.name ?? "";
    const present = await d.eksim.kubernetes<Node>(CLUSTER, "GET", `/api/v1/nodes/${name}`);
    const condition = { type: "NetworkingReady", status: "False", reason: "IPAMDNotRunning", message: "" };
    await d.eksim.kubernetes(CLUSTER, "PUT", `/api/v1/nodes/${name}/status`, {
      ...present,
      status: { ...present.status, conditions: [...(present.status.conditions ?? []), condition] },
    });
    await d.eksim.advance("60m");
    expect((await d.nodes()).some(({ metadata }) => metadata.name === name)).toBe(true);
    expect(told("NodeRepairHeld")).toBe(1);
    await d.until(async () => !(await d.nodes()).some(({ metadata }) => metadata.name === name), "60m");
    await d.until(async () => (await d.nodes()).filter(isReady).length === 6);
  });
});
