import { afterEach, describe, expect, it } from "vitest";
import { BackendError } from "../../../src/backends/backend.js";
import { createEngine } from "../../../src/backends/kind/engine.js";
import { createMetadataService, type MetadataService, metadataRules } from "../../../src/backends/kind/metadata.js";
import { contractNode } from "../contract.js";
import { NO_ADDRESS, recordedRunner, silentLog } from "./recorded.js";

const node = { ...contractNode(0), accountId: "111122223333" };
const NFT = ["docker", "exec", "--privileged", "--interactive", "machine", "nft", "-f", "-"];
let service: MetadataService;
afterEach(() => service.close());

/** The service on an address of this machine, and where the rule in the machine leads to. */
async function start(gateways: string[], address = "127.0.0.1") {
  const runner = recordedRunner();
  let rules = "";
  const run = runner.run;
  runner.run = (tool, args, options) => {
    rules = options?.input ?? "";
    return run(tool, args, options);
  };
  runner.expect({ command: NFT });
  service = createMetadataService({
    engine: createEngine(runner, "docker"),
    addresses: async () => gateways,
    log: silentLog,
  });
  await service.admit("machine", address, node);
  return { url: `http://${/dnat to (\S+);/.exec(rules)?.[1]}`, runner };
}

describe("the instance metadata service of machines", () => {
  it("tells a machine about itself, known by its address", async () => {
    const { url } = await start(["fc00::1", "127.0.0.1"]);
    const answer = await fetch(`${url}/latest/meta-data/instance-id`);
    expect([answer.status, await answer.text()]).toEqual([200, node.instanceId]);
    expect((await fetch(`${url}/latest/meta-data/nothing`)).status).toBe(404);
    service.forget(node.instanceId);
    expect((await fetch(`${url}/latest/meta-data/instance-id`)).status).toBe(404);
  });

  it("gives tokens of version 2 for as long as it is asked to, six hours at most", async () => {
    const { url } = await start(["127.0.0.1"]);
    const ask = (ttl: string) =>
      fetch(`${url}/latest/api/token`, { method: "PUT", headers: { "X-aws-ec2-metadata-token-ttl-seconds": ttl } });
    const given = await ask("21600");
    expect([given.status, given.headers.get("x-aws-ec2-metadata-token-ttl-seconds")]).toEqual([200, "21600"]);
    const headers = { "X-aws-ec2-metadata-token": await given.text() };
    expect((await fetch(`${url}/latest/meta-data/instance-id`, { headers })).status).toBe(200);
    for (const ttl of ["0", "21601", "long"]) expect((await ask(ttl)).status).toBe(400);
    expect((await fetch(`${url}/latest/meta-data/`, { method: "POST" })).status).toBe(405);
  });

  it("tells nothing to anybody else", async () => {
    const { url } = await start(["127.0.0.1"], "172.18.130.1");
    expect((await fetch(`${url}/latest/meta-data/instance-id`)).status).toBe(404);
  });

  it("is not there where this machine has no address on the containers' network", async () => {
    const { runner } = await start([NO_ADDRESS]);
    expect(runner.left()).toEqual([NFT]);
  });

  it("is there for the next machine when the engine has not answered for the first, and ends whether it has or not", async () => {
    const runner = recordedRunner();
    runner.expect({ command: NFT });
    let answers = false;
    service = createMetadataService({
      engine: createEngine(runner, "docker"),
      addresses: () =>
        answers ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new BackendError("timeout", "docker did not end")),
      log: silentLog,
    });
    await expect(service.admit("machine", "127.0.0.1", node)).rejects.toMatchObject({ code: "timeout" });
    service.close();
    await expect(service.admit("machine", "127.0.0.1", node)).rejects.toMatchObject({ code: "timeout" });
    answers = true;
    await service.admit("machine", "127.0.0.1", node);
    expect(runner.left()).toEqual([]);
  });

  it("is reached at EC2's own address by the machine and by its pods", () => {
    const rules = metadataRules("172.18.0.1", 20_123);
    expect(rules.match(/ip daddr 169\.254\.169\.254 tcp dport 80 dnat to 172\.18\.0\.1:20123;/g)).toHaveLength(2);
    expect(rules).toMatch(/^table ip eksim_metadata\ndelete table ip eksim_metadata\n/);
  });
});
