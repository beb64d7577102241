/** The token webhook for API servers in containers: at which address it is served, and since when. */
import { afterEach, describe, expect, it } from "vitest";
import { createClock } from "../../src/clock/create-clock.js";
import { createTokenWebhooks, type TokenWebhooks } from "../../src/main/token-webhooks.js";

/** Nobody's (TEST-NET-1): nothing can listen there. */
const NOT_HERE = "192.0.2.1";
const clock = createClock({ kind: "real" }, { seed: 1 });
const open: TokenWebhooks[] = [];
afterEach(() => Promise.all(open.splice(0).map((webhooks) => webhooks.close())));

function start(settings = new Map<string, string>()): TokenWebhooks {
  const webhooks = createTokenWebhooks({
    settings: { get: (name) => settings.get(name), put: (name, value) => void settings.set(name, value) },
    clock,
    host: "127.0.0.1",
    log: { debug: () => {}, error: () => {} },
    authenticate: () => ({ error: "nobody" }),
    authorize: () => ({ decision: "no-opinion", reason: "" }),
  });
  open.push(webhooks);
  return webhooks;
}

const urlIn = (kubeconfig: string): URL => new URL(/https:[^"\s]+/.exec(kubeconfig)?.[0] ?? "");

describe("the token webhook for API servers in containers", () => {
  it("is at the first address that this machine has, at the same port after a restart", async () => {
    const settings = new Map<string, string>();
    const first = start(settings);
    const before = urlIn((await first.filesForContainers("c", [NOT_HERE, "127.0.0.1"])).authentication);
    expect(before.hostname).toBe("127.0.0.1");
    await first.close();
    const after = urlIn((await start(settings).filesForContainers("c", [NOT_HERE, "127.0.0.1"])).authentication);
    expect(after.href).toBe(before.href);
  });

  it("is this machine as containers call it where none of the addresses is here", async () => {
    const { authentication } = await start().filesForContainers("c", [NOT_HERE]);
    expect(urlIn(authentication).hostname).toBe("host.docker.internal");
  });

  it("is told before its address is there where that comes with the first container, and always with the same port", async () => {
    const settings = new Map<string, string>();
    const webhooks = start(settings);
    const told = urlIn((await webhooks.filesForContainers("c", [NOT_HERE], { late: true })).authentication);
    expect(told.hostname).toBe(NOT_HERE);
    const again = urlIn((await webhooks.filesForContainers("d", [NOT_HERE], { late: true })).authorization);
    expect(again.host).toBe(told.host);
    await webhooks.close();
    const later = await start(settings).filesForContainers("c", [NOT_HERE], { late: true });
    expect(urlIn(later.authentication).href).toBe(told.href);
  });

  it("moves with the network: one that was made anew has other addresses", async () => {
    const webhooks = start();
    const before = urlIn((await webhooks.filesForContainers("c", ["127.0.0.1"])).authentication);
    const after = urlIn((await webhooks.filesForContainers("c", [NOT_HERE], { late: true })).authentication);
    expect([before.hostname, after.hostname]).toEqual(["127.0.0.1", NOT_HERE]);
  });
});
