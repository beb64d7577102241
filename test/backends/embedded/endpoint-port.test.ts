import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { listenOnStablePort } from "../../../src/backends/embedded/endpoint-port.js";
import { ENDPOINT_PORTS } from "../../../src/domain/endpoint-ports.js";

describe("the port of a new cluster's API server", () => {
  const servers: Server[] = [];
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        servers.push(server);
        resolve(port);
      });
    });

  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it("is outside the range that operating systems hand out by themselves", async () => {
    const port = await listenOnStablePort(listen);
    expect(port).toBeGreaterThanOrEqual(ENDPOINT_PORTS.first);
    expect(port).toBeLessThanOrEqual(ENDPOINT_PORTS.last);
    expect(ENDPOINT_PORTS.last).toBeLessThan(32_768);
  });

  it("is another one when a program has it already", async () => {
    const asked: number[] = [];
    const port = await listenOnStablePort(async (wanted) => {
      asked.push(wanted);
      if (asked.length === 1) await listen(wanted);
      return listen(wanted);
    });
    expect(asked.length).toBeGreaterThan(1);
    expect(port).toBe(asked.at(-1));
  });

  it("is any free one when all that are tried are taken", async () => {
    const taken = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    expect(await listenOnStablePort(async (port) => (port === 0 ? 40_000 : Promise.reject(taken)))).toBe(40_000);
  });

  it("is any of the range that somebody has chosen, and no other", async () => {
    const chosen = { first: 21_000, last: 21_029 };
    const taken = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    const onlyOne = async (port: number): Promise<number> => (port === 21_017 ? port : Promise.reject(taken));
    expect(await listenOnStablePort(onlyOne, chosen)).toBe(21_017);
    await expect(listenOnStablePort(() => Promise.reject(taken), chosen)).rejects.toThrow(
      /21000 to 21029.*--endpoint-ports/,
    );
  });

  it("is refused with what the system says when the address cannot be listened on", async () => {
    const wrong = Object.assign(new Error("listen EADDRNOTAVAIL 192.0.2.1"), { code: "EADDRNOTAVAIL" });
    await expect(listenOnStablePort(() => Promise.reject(wrong))).rejects.toThrow("EADDRNOTAVAIL");
  });
});
