/** What is broken between zones, as the programs of pods feel it. */
import { describe, expect, it } from "vitest";
import type { Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec } from "../simulated-cluster.js";
import { A, addressOf, B, between, C, readyOf, run, serverOn, threeZones, type World } from "./zone-world.js";

describe("pods in two zones with a broken link between them", () => {
  it("do not reach each other, by address or Service, while everybody else does", async () => {
    const world = await threeZones();
    const { cluster, clock } = world;
    await serverOn(world, 1, "server");
    await cluster.api.create("services", {
      metadata: { name: "server", namespace: "default" },
      spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await clock.advance(10_000);
    const address = addressOf(world, "server");
    cluster.setLinks(between(A, B, { cut: true }, "machines"));
    expect(await run(world, 0, `curl -sS -m 5 http://${address}:8080/hostname; echo $?`)).toBe(
      "curl: (28) Connection timed out after 5000 milliseconds\n28",
    );
    expect(await run(world, 0, "wget -T 3 -qO- http://server/hostname")).toBe("wget: download timed out");
    expect(await run(world, 0, `nc -z -v -w 2 ${address} 8080; echo $?`)).toContain("Connection timed out");
    expect(await run(world, 0, `ping -c 2 -W 1 ${address} | tail -1`)).toBe(
      "2 packets transmitted, 0 packets received, 100% packet loss",
    );
    expect(await run(world, 2, "wget -qO- http://server/hostname")).toBe("server");
    expect(await run(world, 1, `wget -qO- http://${address}:8080/hostname`)).toBe("server");
    expect(readyOf(world, "node-0")).toBe("True");
    cluster.setLinks([]);
    expect(await run(world, 0, "wget -qO- http://server/hostname")).toBe("server");
  });

  it("feel its latency, which curl measures", async () => {
    const world = await threeZones();
    await serverOn(world, 1, "server");
    await world.clock.advance(5_000);
    const url = `http://${addressOf(world, "server")}:8080/hostname`;
    const measure = `curl -s -o /dev/null -w '%{time_connect} %{time_total} %{http_code}' ${url}`;
    expect(await run(world, 0, measure)).toBe("0.000000 0.000000 200");
    world.cluster.setLinks(between(A, B, { latencyMs: 200 }));
    expect(await run(world, 0, measure)).toBe("0.400000 0.800000 200");
    expect(await run(world, 0, `curl -sS -m 0.5 ${url}`)).toBe(
      "curl: (28) Operation timed out after 500 milliseconds with 0 bytes received",
    );
    expect(await run(world, 2, measure)).toBe("0.000000 0.000000 200");
  });

  it("feel a slow zone within the zone itself, but not on one machine", async () => {
    const world = await threeZones();
    await world.cluster.addNode(nodeSpec(3));
    await world.clock.advance(5_000);
    await serverOn(world, 0, "server");
    await world.clock.advance(5_000);
    world.cluster.setLinks([{ from: { zone: A }, to: { zone: A }, latencyMs: 200 }]);
    const measure = `curl -s -o /dev/null -w '%{time_total}' http://${addressOf(world, "server")}:8080/hostname`;
    expect(await run(world, 3, measure)).toBe("0.800000");
    expect(await run(world, 0, measure)).toBe("0.000000");
    expect(await run(world, 1, measure)).toBe("0.000000");
  });

  it("reach the API server by the masters that they can reach", async () => {
    const world = await threeZones();
    await world.cluster.listen({ host: "127.0.0.1", port: 0 });
    await world.clock.advance(10_000);
    const ask = "curl -s -m 3 -o /dev/null -w '%{http_code} ' https://kubernetes.default/version";
    const often = Array.from({ length: 12 }, () => ask).join("; ");
    expect(await run(world, 0, often)).toBe(Array.from({ length: 12 }, () => "200").join(" "));
    // Machines of the zone do not get to one of three masters, which is no reason for it to leave the Service.
    world.cluster.setLinks([{ from: { zone: A, of: "machines" }, to: { zone: B, of: "masters" }, cut: true }]);
    const answers = (await run(world, 0, often)).split(" ");
    expect(answers).toContain("200");
    expect(answers).toContain("000");
    expect(readyOf(world, "node-0")).toBe("True");
  });
});

describe("a zone without names", () => {
  async function withDns(): Promise<World> {
    const world = await threeZones();
    const { cluster, clock } = world;
    for (const index of [0, 1])
      await cluster.api.create<Pod>("pods", {
        metadata: { name: `coredns-${index}`, namespace: "kube-system", labels: { "k8s-app": "kube-dns" } },
        spec: { nodeName: `node-${index}`, containers: [{ name: "coredns", image: "coredns" }] },
      });
    await cluster.api.create("services", {
      metadata: { name: "kube-dns", namespace: "kube-system" },
      spec: {
        selector: { "k8s-app": "kube-dns" },
        clusterIP: "10.100.0.10",
        ports: [{ name: "dns", port: 53, protocol: "UDP" }],
      },
    });
    await serverOn(world, 2, "server");
    await cluster.api.create("services", {
      metadata: { name: "server", namespace: "default" },
      spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await clock.advance(10_000);
    return world;
  }

  it("resolves none, though addresses work", async () => {
    const world = await withDns();
    world.cluster.setZonesWithoutDns([A]);
    const address = addressOf(world, "server");
    expect(await run(world, 0, "curl -sS http://server/hostname; echo $?")).toBe(
      "curl: (6) Could not resolve host: server\n6",
    );
    expect(await run(world, 0, "curl -sS -m 3 http://server/hostname")).toBe(
      "curl: (28) Resolving timed out after 3000 milliseconds",
    );
    expect(await run(world, 0, "nslookup server; echo $?")).toBe(
      ";; connection timed out; no servers could be reached\n\n1",
    );
    expect(await run(world, 0, "wget -qO- http://server/hostname")).toBe("wget: bad address 'server'");
    expect(await run(world, 0, `wget -qO- http://${address}:8080/hostname`)).toBe("server");
    expect(await run(world, 0, "ping -c 1 localhost | tail -1")).toContain("1 packets received");
    world.cluster.setZonesWithoutDns([]);
    expect(await run(world, 0, "wget -qO- http://server/hostname")).toBe("server");
  });

  it("makes lookups elsewhere late when they come to a name server there, and no more", async () => {
    const world = await withDns();
    world.cluster.setZonesWithoutDns([A]);
    const lookup = "curl -s -o /dev/null -w '%{time_namelookup} %{http_code}\\n' http://server/hostname";
    const lines = (await run(world, 2, Array.from({ length: 20 }, () => lookup).join("; "))).split("\n");
    const times = new Set(lines);
    expect(times).toContain("0.000000 200");
    expect(times).toContain("5.000000 200");
    for (const line of lines) expect(line).toMatch(/^(0|5)\.000000 200$|^(0|10)\.000000 000$/);
    expect(lines.filter((line) => line.endsWith("200")).length).toBeGreaterThan(10);
  });

  it("is what a zone is that does not reach any name server", async () => {
    const world = await withDns();
    world.cluster.setLinks([A, B].flatMap((zone) => between(zone, C, { cut: true }, "machines")));
    expect(await run(world, 2, "curl -sS http://server/hostname")).toBe("curl: (6) Could not resolve host: server");
    expect(await run(world, 0, "nslookup server > /dev/null && echo known")).toBe("known");
  });
});
