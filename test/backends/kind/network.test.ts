import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/backends/kind/engine.js";
import { refuseUnsupported, type Station, troubleOf } from "../../../src/backends/kind/impair.js";
import {
  clearTrouble,
  delayCommands,
  hasNetem,
  isolationRules,
  linkRules,
  setTrouble,
} from "../../../src/backends/kind/network.js";
import { type Impairments, type LinkImpairment, NOTHING_WRONG } from "../../../src/domain/impairments.js";
import { recordedRunner } from "./recorded.js";

const station = (zone: string, role: Station["role"], addresses: string[]): Station => ({
  container: `${role}-${zone}`,
  zone,
  role,
  running: true,
  addresses,
});
const A = station("a", "masters", ["172.18.0.2", "fc00::2", "100.64.0.0/24"]);
const A2 = station("a", "machines", ["172.18.0.5"]);
const B = station("b", "masters", ["172.18.0.3", "fc00::3"]);
const B2 = station("b", "machines", ["172.18.0.6", "100.64.3.0/24"]);
const ALL = [A, A2, B, B2];

const troubles = (...links: LinkImpairment[]) =>
  Object.fromEntries(ALL.map((one) => [one.container, troubleOf(one, ALL, { links, zonesWithoutDns: [] })]));

describe("links that break", () => {
  it("lose what arrives at their end, from everything that stands at their beginning, pods included", () => {
    const cut = troubles({ from: { zone: "a" }, to: { zone: "b" }, cut: true });
    expect(cut["masters-b"]?.losses).toEqual([
      { addresses: ["172.18.0.2", "fc00::2", "100.64.0.0/24", "172.18.0.5"], percent: 100 },
    ]);
    expect(cut["machines-b"]?.losses).toHaveLength(1);
    expect(cut["masters-a"]).toEqual({ losses: [], delays: [], withoutDns: false });
  });

  it("may be those of masters alone", () => {
    const cut = troubles({ from: { zone: "a", of: "masters" }, to: { zone: "b", of: "masters" }, lossPercent: 12.5 });
    expect(cut["masters-b"]?.losses).toEqual([
      { addresses: ["172.18.0.2", "fc00::2", "100.64.0.0/24"], percent: 12.5 },
    ]);
    expect(cut["machines-b"]?.losses).toEqual([]);
  });

  it("are late where they begin", () => {
    const late = troubles({ from: { zone: "a" }, to: { zone: "b" }, latencyMs: 100, jitterMs: 20 });
    expect(late["machines-a"]?.delays).toEqual([
      { addresses: ["172.18.0.3", "fc00::3", "172.18.0.6", "100.64.3.0/24"], latencyMs: 100, jitterMs: 20 },
    ]);
    expect(late["machines-b"]?.delays).toEqual([]);
  });

  it("cut a machine off from the load balancer, which stands in no zone, when it reaches no majority of the masters", () => {
    const C = station("c", "masters", ["172.18.0.4"]);
    const stations = [...ALL, C];
    const cut = (...zones: string[]): LinkImpairment[] =>
      zones.map((zone) => ({ from: { zone }, to: { zone: "a" }, cut: true }));
    const lostBy = (one: Station, links: LinkImpairment[]) =>
      troubleOf(one, stations, { links, zonesWithoutDns: [] }, { balancer: ["172.18.0.9"] }).losses.map(
        ({ addresses }) => addresses,
      );
    expect(lostBy(A2, cut("b", "c"))).toContainEqual(["172.18.0.9"]);
    expect(lostBy(A, cut("b", "c"))).toContainEqual(["172.18.0.9"]);
    expect(lostBy(A2, cut("b"))).not.toContainEqual(["172.18.0.9"]);
    expect(lostBy(B2, cut("b", "c"))).toEqual([]);
  });

  it("may be within a zone; nobody is cut off from himself", () => {
    const cut = troubles({ from: { zone: "a" }, to: { zone: "a" }, cut: true });
    expect(cut["masters-a"]?.losses).toEqual([{ addresses: ["172.18.0.5"], percent: 100 }]);
  });
});

describe("rules of nftables", () => {
  it("cut both families, where packets arrive and where they pass on to pods, in a table of their own", () => {
    expect(
      linkRules({ losses: [{ addresses: ["172.18.0.2", "fc00::2"], percent: 100 }], withoutDns: false }),
    ).toBe(`table inet eksim_links
delete table inet eksim_links
table inet eksim_links {
  chain arriving {
    type filter hook input priority -300; policy accept;
    ip saddr { 172.18.0.2 } drop
    ip6 saddr { fc00::2 } drop
  }
  chain passing {
    type filter hook forward priority -300; policy accept;
    ip saddr { 172.18.0.2 } drop
    ip6 saddr { fc00::2 } drop
  }
  chain leaving {
    type filter hook output priority -300; policy accept;
  }
}
`);
  });

  it("lose a share of packets by chance", () => {
    expect(linkRules({ losses: [{ addresses: ["172.18.0.2"], percent: 12.5 }], withoutDns: false })).toContain(
      "ip saddr { 172.18.0.2 } numgen random mod 10000 < 1250 drop",
    );
  });

  it("keep a machine and its pods from resolving names, but not others from a CoreDNS that runs there", () => {
    const rules = linkRules({ losses: [], withoutDns: true });
    expect(rules).toContain('    iifname != "eth0" udp dport 53 drop');
    expect(rules).toMatch(/chain leaving \{[^}]*\n {4}tcp dport 53 drop/);
  });

  it("go without a trace, and without an error where there are none", () => {
    expect(linkRules({ losses: [], withoutDns: false })).toBe(
      "table inet eksim_links\ndelete table inet eksim_links\n",
    );
  });

  it("cut a machine off from everything but itself", () => {
    expect(isolationRules()).toContain("type filter hook input priority -300; policy drop; iif lo accept;");
    expect(isolationRules()).toContain("chain passing { type filter hook forward priority -300; policy drop; }");
  });
});

describe("delays", () => {
  it("hold back what goes to some addresses, each in its own band", () => {
    const text = delayCommands([
      { addresses: ["172.18.0.3", "fc00::3"], latencyMs: 100, jitterMs: 20 },
      { addresses: ["172.18.0.4"], latencyMs: 5, jitterMs: 0 },
    ]).map((command) => command.join(" "));
    expect(text).toEqual([
      "tc qdisc replace dev eth0 root handle 1: prio bands 5",
      "tc qdisc add dev eth0 parent 1:4 netem delay 100ms 20ms",
      "tc filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 172.18.0.3 flowid 1:4",
      "tc filter add dev eth0 parent 1: protocol ipv6 prio 2 u32 match ip6 dst fc00::3 flowid 1:4",
      "tc qdisc add dev eth0 parent 1:5 netem delay 5ms",
      "tc filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 172.18.0.4 flowid 1:5",
    ]);
    expect(delayCommands([])).toEqual([]);
  });

  it("are more than a machine can have beyond some number", () => {
    const many = Array.from({ length: 20 }, () => ({ addresses: ["172.18.0.3"], latencyMs: 1, jitterMs: 0 }));
    expect(() => delayCommands(many)).toThrow("at most");
  });
});

describe("machines", () => {
  const inside = (...command: string[]) => ["docker", "exec", "--privileged", ...command];
  const NFT = inside("--interactive", "n", "nft", "-f", "-");
  const NO_QDISC = {
    command: inside("n", "tc", "qdisc", "del", "dev", "eth0", "root"),
    exitCode: 2,
    stderr: "Error: Cannot delete qdisc with handle of zero.",
  };

  it("get their trouble in their own network namespace", async () => {
    const runner = recordedRunner();
    runner.expect({ command: NFT, input: /ip saddr \{ 172\.18\.0\.2 \} drop/ }, NO_QDISC);
    await setTrouble(createEngine(runner, "docker"), "n", {
      losses: [{ addresses: ["172.18.0.2"], percent: 100 }],
      delays: [],
      withoutDns: false,
    });
    expect(runner.left()).toEqual([]);
  });

  it("lose all that an earlier process has left there", async () => {
    const runner = recordedRunner();
    runner.expect(
      {
        command: NFT,
        input:
          "table inet eksim_isolation\ndelete table inet eksim_isolation\ntable inet eksim_links\ndelete table inet eksim_links\n",
      },
      NO_QDISC,
    );
    await clearTrouble(createEngine(runner, "docker"), "n");
    expect(runner.left()).toEqual([]);
  });

  it("may have a kernel without netem", async () => {
    const runner = recordedRunner();
    const add = inside("n", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "0ms");
    runner.expect({ command: add, exitCode: 2, stderr: "Error: Specified qdisc kind is unknown." });
    expect(await hasNetem(createEngine(runner, "docker"), "n")).toBe(false);
  });
});

describe("what real machines cannot have", () => {
  it.each<[string, Partial<Impairments>]>([
    ["pod b is not ready", { pods: [{ namespace: "a", name: "b", trouble: "not-ready" }] }],
    ["imagePulls of nginx on node n", { nodes: { n: { imagePulls: { images: ["nginx"] } } } }],
    ["clockSkewMs of node n", { nodes: { n: { clockSkewMs: 1 } } }],
    ["diskFull of node n", { nodes: { n: { diskFull: true } } }],
  ])("is refused with the reason: %s", (what, part) => {
    expect(() => refuseUnsupported({ ...NOTHING_WRONG, ...part })).toThrow(what);
  });

  it("is not what the node monitoring agent reports, nor links and names", () => {
    const conditions = [{ type: "NetworkingReady", reason: "IPAMDNotRunning" }];
    refuseUnsupported({ ...NOTHING_WRONG, nodes: { n: { conditions } }, zonesWithoutDns: ["a"] });
  });
});
