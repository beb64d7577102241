/** What `eksim fault`, `zones`, `zonal-shift` and `drill` say to newcomers: every answer says what to do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { run } from "../../../src/cli/drill.js";
import { listFaults, startFault, stopAllFaults, stopFault } from "../../../src/cli/fault.js";
import { cancelZonalShift, listZonalShifts, startZonalShift, updateZonalShift } from "../../../src/cli/zonal-shift.js";
import { failZone, restoreZone } from "../../../src/cli/zones.js";
import { CLUSTER, type Drill, startDrill } from "../../reconcile/drill.js";

let drill: Drill;
let target: { endpoint: string };
let directory = "";
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "eksim-newcomers-"));
  drill = await startDrill();
  await drill.cluster();
  target = { endpoint: drill.eksim.endpoint };
});
afterEach(() => drill.eksim.stopAllFaults());
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await drill.eksim.stop();
});

/** What a command prints. */
async function said(work: () => Promise<void>): Promise<string> {
  const log = vi.spyOn(console, "log").mockReturnValue();
  onTestFinished(() => log.mockRestore());
  log.mockClear();
  await work();
  return log.mock.calls.flat().join("\n");
}
const idIn = (text: string): string => /fault-[0-9a-f]{8}/.exec(text)?.[0] ?? "";

describe("eksim fault", () => {
  it("says where nothing is on what could be, and knows every value of a fault", async () => {
    expect(await said(() => listFaults(target))).toBe(
      "No fault is on or scheduled in us-east-1. What can be started: eksim fault list --catalogue",
    );
    const whole = await said(() => listFaults({ fault: "health-issue" }));
    expect(whole).toMatch(/^health-issue\n/);
    expect(whole).toContain("\n    KmsKeyDisabled\n");
    expect(whole).not.toContain("zone-power-loss");
    await expect(listFaults({ fault: "health-isue" })).rejects.toThrow(/Did you mean health-issue\?/);
  });

  it("says what it hits, and which other fault does the same already", async () => {
    const start = () => said(() => startFault("zone-dns-failure", { ...target, zone: "us-east-1c" }));
    const first = await start();
    expect(first).toMatch(
      /^No name can be resolved in us-east-1c\. It hits 1 master now, and what comes\. End it with: /,
    );
    expect(await start()).toContain(`what comes. ${idIn(first)} did the same already, and ends by itself.`);
    const elsewhere = await said(() => startFault("zone-dns-failure", { ...target, zone: "us-east-1f" }));
    expect(elsewhere).toContain("Nothing stands in us-east-1f now; what comes will be hit.");
    expect(elsewhere).not.toContain("did the same");
  });

  it("says of a fault that it had ended already, and of one elsewhere in which region it is", async () => {
    const id = idIn(await said(() => startFault("quorum-loss", { ...target, cluster: CLUSTER })));
    expect(await said(() => stopFault(id, target))).toBe(`The fault ${id} (quorum-loss) has ended.`);
    expect(await said(() => stopFault(id, target))).toMatch(/had ended already, at 20\S+Z\.$/);
    const far = idIn(await said(() => startFault("zone-power-loss", { ...target, zone: "eu-west-1a" })));
    await expect(stopFault(far, target)).rejects.toThrow(`No fault found for id: ${far}. It is one of eu-west-1`);
    await stopAllFaults({ ...target, region: "eu-west-1" });
  });

  it("says which zone is without power where another was to be restored", async () => {
    await said(() => failZone("us-east-1a", target));
    expect(await said(() => failZone("use1-az1", target))).toMatch(/already without power\. Bring it back with: /);
    await expect(restoreZone("us-east-1b", target)).rejects.toThrow(
      "Zone us-east-1b has power. Without power: us-east-1a.",
    );
  });

  it("says whose clusters there are none of", async () => {
    await expect(startFault("quorum-loss", { ...target, region: "us-west-2", cluster: CLUSTER })).rejects.toThrow(
      "No cluster found for name: demo. Account 000000000000 has none in us-west-2.",
    );
  });
});

describe("eksim zonal-shift", () => {
  it("speaks of its own flags, and names the shifts that there are", async () => {
    const request = { ...target, cluster: CLUSTER };
    expect(await said(() => listZonalShifts(target))).toMatch(
      /^No zonal shift is active in us-east-1\. Start one with/,
    );
    await expect(startZonalShift("us-east-1a", { ...request, for: "90s" })).rejects.toThrow(/^--for must be minutes/);
    await expect(updateZonalShift("x", target)).rejects.toThrow("give --for, --comment or both");
    await expect(cancelZonalShift("x", target)).rejects.toThrow("No zonal shift found for id: x. None is active.");
    await drill.eksim.eks("POST", `/clusters/${CLUSTER}/update-config`, { zonalShiftConfig: { enabled: true } });
    await drill.eksim.advance("1m");
    await said(() => startZonalShift("us-east-1a", { ...request, for: "30m" }));
    const [shift] = drill.eksim.zonalShifts();
    await expect(cancelZonalShift("x", target)).rejects.toThrow(`Active: ${shift?.id} (demo, us-east-1a).`);
    await said(() => cancelZonalShift(shift?.id ?? "", target));
  });
});

describe("eksim drill run", () => {
  const file = (name: string, content: string): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };

  it("finds out before it begins that a report could not be written", async () => {
    const taken = file("taken", "");
    const work = run("zone-isolation", { ...target, quiet: true, reportDir: join(taken, "reports") });
    await expect(work).rejects.toThrow(/the report .*reports\/zone-isolation\.html cannot be written: /);
    expect(drill.eksim.events().filter(({ clusterName }) => clusterName !== CLUSTER && clusterName)).toEqual([]);
  });

  it.each<[string, () => string, RegExp]>([
    ["a directory", () => directory, /cannot be used: it is a directory; name the drill's file in it$/],
    ["a name that is nearly one", () => "spot-strom", /no drill of this name; .*Did you mean spot-storm\?$/],
    ["a text", () => file("text.yaml", "hello\n"), /text\.yaml:1:1: a drill is a mapping with [^\n]*one$/],
    ["nothing", () => file("empty.yaml", ""), /empty\.yaml:1:1: a drill is a mapping with [^\n]*one$/],
  ])("says of %s what it wants instead", async (_, named, why) => {
    await expect(run(named(), { quiet: true })).rejects.toThrow(why);
  });
});
