import { X509Certificate } from "node:crypto";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { clusterTls, firstServiceAddress, serviceAccountKey } from "../../../src/backends/embedded/tls/cluster-tls.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { openState } from "../../../src/state/sqlite.js";
import { contractSpec } from "../contract.js";

const clock = createClock({ kind: "real" });
let stop = (): void => {};
afterEach(() => stop());

const ask = (port: number, ca: string, servername: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = request({ port, host: "127.0.0.1", ca, servername, agent: false }, (answer) => {
      answer.setEncoding("utf8").on("data", resolve);
    });
    call.on("error", reject).end();
  });

describe("the certificates of a cluster", () => {
  it("are trusted by TLS clients under every name of the API server, and under no other", async () => {
    const { secrets } = openState({ file: ":memory:" });
    const { caCert, serverCert, serverKey } = clusterTls(secrets, clock, contractSpec, "10.1.2.3");
    const server = createServer({ key: serverKey, cert: serverCert }, (_, answer) => answer.end("hello"));
    stop = () => server.close();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const names = ["localhost", "kubernetes.default.svc", `${contractSpec.clusterId}.gr7.us-east-1.eks.amazonaws.com`];
    for (const name of names) expect(await ask(port, caCert, name)).toBe("hello");
    await expect(ask(port, caCert, "example.com")).rejects.toThrow(/does not match/);
    const certificate = new X509Certificate(serverCert);
    for (const address of ["127.0.0.1", "::1", "10.100.0.1", "10.1.2.3"]) {
      expect(certificate.checkIP(address)).toBe(address);
    }
    const authority = new X509Certificate(caCert);
    expect(authority.subject).toBe("CN=kubernetes");
    expect(authority.ca).toBe(true);
    expect(certificate.checkIssued(authority)).toBe(true);
    expect(new Date(authority.validTo).getUTCFullYear() - new Date().getUTCFullYear()).toBeGreaterThanOrEqual(9);
  });

  it("stay the same over a restart; another host gets a new server certificate under the same authority", () => {
    const { secrets } = openState({ file: ":memory:" });
    const first = clusterTls(secrets, clock, contractSpec, "127.0.0.1");
    expect(clusterTls(secrets, clock, contractSpec, "127.0.0.1")).toEqual(first);
    const other = clusterTls(secrets, clock, contractSpec, "192.168.1.9");
    expect(other.caCert).toBe(first.caCert);
    expect(other.serverCert).not.toBe(first.serverCert);
  });

  it("include a service account key that is made once", async () => {
    const { secrets } = openState({ file: ":memory:" });
    const key = await serviceAccountKey(secrets, "C")();
    expect(key).toContain("BEGIN PRIVATE KEY");
    expect(await serviceAccountKey(secrets, "C")()).toBe(key);
  });

  it("know the first address of a service range", () => {
    expect(firstServiceAddress("10.100.0.0/16")).toBe("10.100.0.1");
    expect(firstServiceAddress("fd00::/108")).toBeUndefined();
  });
});
