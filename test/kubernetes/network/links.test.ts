import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/clock/random.js";
import { leaderOf, type Member } from "../../../src/kubernetes/members.js";
import { type LinkTrouble, type Place, wayBetween } from "../../../src/kubernetes/network/links.js";
import { createZoneNetwork } from "../../../src/kubernetes/network/zone-network.js";

const machines = (zone: string): Place => ({ zone, side: "machines" });
const masters = (zone: string): Place => ({ zone, side: "masters" });
const networkWith = (...links: LinkTrouble[]) => {
  const network = createZoneNetwork(createRandom(7, "test"));
  network.set(links);
  return network;
};

describe("what is wrong with a way", () => {
  it.each<[string, LinkTrouble["from"], LinkTrouble["to"], Place, Place, boolean]>([
    ["concerns everything in both zones", { zone: "a" }, { zone: "b" }, machines("a"), masters("b"), true],
    ["concerns one direction alone", { zone: "a" }, { zone: "b" }, machines("b"), machines("a"), false],
    ["concerns one side", { zone: "a", of: "masters" }, { zone: "b" }, machines("a"), machines("b"), false],
    ["may be within one zone", { zone: "a" }, { zone: "a" }, machines("a"), machines("a"), true],
    ["leaves other zones alone", { zone: "a" }, { zone: "b" }, machines("a"), machines("c"), false],
  ])("%s", (_name, from, to, one, other, concerned) => {
    expect(wayBetween([{ from, to, cut: true }], one, other) !== undefined).toBe(concerned);
  });

  it("adds up: latencies do, and what passes one trouble has still to pass the next", () => {
    const link = { from: { zone: "a" }, to: { zone: "b" } };
    const links = [
      { ...link, latencyMs: 100, jitterMs: 10, lossPercent: 50 },
      { ...link, latencyMs: 50, lossPercent: 50 },
    ];
    expect(wayBetween(links, machines("a"), machines("b"))).toEqual({ latencyMs: 150, jitterMs: 10, passes: 0.25 });
    expect(wayBetween([...links, { ...link, cut: true }], machines("a"), machines("b"))?.passes).toBe(0);
  });
});

describe("a connection over the network between zones", () => {
  it("takes a round trip to be made and another for each exchange", () => {
    const network = networkWith(
      { from: { zone: "a" }, to: { zone: "b" }, latencyMs: 200 },
      { from: { zone: "b" }, to: { zone: "a" }, latencyMs: 100 },
    );
    expect(network.exchange(machines("a"), machines("b"), 2)).toEqual({ connectMs: 300, totalMs: 900 });
    expect(network.exchange(machines("a"), machines("c"))).toEqual({ connectMs: 0, totalMs: 0 });
  });

  it("is not made where packets pass in one direction only", () => {
    const network = networkWith({ from: { zone: "a" }, to: { zone: "b" }, cut: true });
    expect(network.exchange(machines("a"), machines("b"))).toBeUndefined();
    expect(network.exchange(machines("b"), machines("a"))).toBeUndefined();
    expect(network.passage(machines("b"), machines("a"))).toBe(0);
  });

  it("is late where packets are lost, for they are sent again, and fails where nearly all are", () => {
    const lossy = (lossPercent: number) =>
      networkWith({ from: { zone: "a" }, to: { zone: "b" }, lossPercent }, { from: { zone: "b" }, to: { zone: "a" } });
    const draws = (percent: number) => {
      const network = lossy(percent);
      return Array.from({ length: 200 }, () => network.exchange(machines("a"), machines("b")));
    };
    const some = draws(15);
    expect(some.every((exchange) => exchange !== undefined)).toBe(true);
    const late = some.filter((exchange) => (exchange?.totalMs ?? 0) > 0).length;
    expect(late).toBeGreaterThan(20);
    expect(late).toBeLessThan(120);
    expect(some.some((exchange) => exchange?.connectMs === 1_000)).toBe(true);
    expect(draws(97).filter((exchange) => exchange === undefined).length).toBeGreaterThan(100);
    expect(draws(100).every((exchange) => exchange === undefined)).toBe(true);
  });

  it("is the same for the same seed, and jitter stays within its bounds", () => {
    const link = { from: { zone: "a" }, to: { zone: "b" }, latencyMs: 100, jitterMs: 50, lossPercent: 10 };
    const run = () => {
      const network = networkWith(link);
      return Array.from({ length: 50 }, () => network.exchange(machines("a"), machines("b"))?.totalMs);
    };
    expect(run()).toEqual(run());
    const calm = networkWith({ ...link, lossPercent: 0 });
    for (let i = 0; i < 50; i++) {
      const { connectMs = 0 } = calm.exchange(machines("a"), machines("b")) ?? {};
      expect(connectMs).toBeGreaterThanOrEqual(50);
      expect(connectMs).toBeLessThanOrEqual(150);
    }
  });
});

describe("the leader of the masters", () => {
  const member = (id: string, state: Member["state"] = "up"): Member => ({
    id,
    zone: id,
    state,
    serving: true,
    address: id,
  });
  const apart =
    (...pairs: string[]) =>
    (one: { zone: string }, other: { zone: string }): boolean =>
      !pairs.includes([one.zone, other.zone].sort().join("-"));
  const all = [member("a"), member("b"), member("c")];

  it.each<[string, readonly Member[], string | undefined, string[], string | undefined]>([
    ["stays while it reaches a majority", all, "b", ["a-b"], "b"],
    ["is another one when it is alone", all, "a", ["a-b", "a-c"], "b"],
    ["is the one that reaches most", all, undefined, ["a-b"], "c"],
    ["is there with one master down", [member("a", "down"), member("b"), member("c")], "a", [], "b"],
    ["is nobody with two of three down", [member("a", "down"), member("b", "down"), member("c")], "c", [], undefined],
    ["is nobody when each is alone", all, "a", ["a-b", "a-c", "b-c"], undefined],
    [
      "is nobody with one down and the others apart",
      [member("a", "down"), member("b"), member("c")],
      "b",
      ["b-c"],
      undefined,
    ],
  ])("%s", (_name, members, present, pairs, expected) => {
    expect(leaderOf(members, present, apart(...pairs))?.id).toBe(expected);
  });
});
