/** The token webhooks of API servers outside this process: each at an address that those servers reach, started when it is first needed. */

import type { TokenWebhookDependencies } from "../api/kubernetes/token-webhook.js";
import { authorizationPath, webhookKubeconfig, webhookPath } from "../api/kubernetes/token-webhook-config.js";
import type { Clock } from "../clock/clock.js";
import { UsageError } from "../config.js";
import { reachableAddress } from "../domain/listening-address.js";

export interface ServedWebhook {
  url: string;
  /** PEM. */
  ca: string;
}

export interface TokenWebhooks {
  /** Serves it at the address; port 0 picks a free one. Throws UsageError when the port cannot be had. */
  serve(address: { host: string; port: number }): Promise<ServedWebhook>;
  /**
   * What the API servers of a cluster in containers read, with the webhook served at an address of this machine on the containers' network: one of those
   * given, or else, where containers live in a machine of their own, this machine's as they call it. The port is the same after a restart. `late`: the
   * first address is there as soon as a container is, and is listened at from then on.
   */
  filesForContainers(
    clusterId: string,
    addresses: readonly string[],
    how?: { late: boolean },
  ): Promise<{ authentication: string; authorization: string }>;
  close(): Promise<void>;
}

/** Where settings are kept. */
interface Settings {
  get(name: string): string | undefined;
  put(name: string, value: string): void;
}

/** How often an address is tried that is not there yet, milliseconds. */
const LOOK_MS = 200;

/** This machine, as containers call it where they live in another one. */
const HOST_OF_CONTAINERS = "host.docker.internal";

export function createTokenWebhooks(options: {
  settings: Settings;
  clock: Clock;
  /** Address that everything else listens on. */
  host: string;
  log: TokenWebhookDependencies["log"] & { error(fields: Record<string, unknown>, message: string): void };
  authenticate: TokenWebhookDependencies["authenticate"];
  authorize: NonNullable<TokenWebhookDependencies["authorize"]>;
}): TokenWebhooks {
  const { settings, log } = options;
  const servers: { close(): Promise<void> }[] = [];
  let forContainers: { key: string; served: Promise<ServedWebhook> } | undefined;
  const closing = new AbortController();

  const listen = async (
    host: string,
    bind: (listenOn: (port: number) => Promise<number>) => Promise<number>,
    name = host,
  ): Promise<ServedWebhook> => {
    const { serverTls } = await import("../backends/embedded/tls/server-tls.js");
    const { createTokenWebhook } = await import("../api/kubernetes/token-webhook.js");
    const { ca, ...tls } = serverTls(settings, { host, nowMs: options.clock.wallNow() });
    const { authenticate, authorize } = options;
    const server = createTokenWebhook({ tls, log, authenticate, authorize });
    const port = await bind((wanted) => server.listen({ host, port: wanted }));
    servers.push(server);
    return { url: `https://${name.includes(":") ? `[${name}]` : name}:${port}`, ca };
  };

  /** The port of before, so that API servers that run already find it; a free one of the range that nobody is given by chance. */
  const serveContainers = async (addresses: readonly string[], late: boolean): Promise<ServedWebhook> => {
    const { listenOnStablePort } = await import("../backends/embedded/endpoint-port.js");
    const candidates = [
      ...addresses.map((host) => ({ host, name: host })),
      { host: options.host, name: HOST_OF_CONTAINERS },
    ];
    for (const { host, name } of candidates) {
      const setting = `token-webhook.port/${name}`;
      const before = Number(settings.get(setting) ?? 0);
      try {
        const served = await listen(
          host,
          async (listenOn) => {
            const again = before > 0 ? await listenOn(before).catch(ifTaken) : undefined;
            return again ?? (await listenOnStablePort(listenOn));
          },
          name,
        );
        settings.put(setting, new URL(served.url).port);
        return served;
      } catch (error) {
        // An address that this machine does not have is that of the machine that the containers live in.
        if ((error as NodeJS.ErrnoException).code !== "EADDRNOTAVAIL") throw error;
        if (!late) continue;
        const port = before > 0 ? before : await listenOnStablePort(async (chosen) => chosen);
        settings.put(setting, String(port));
        return serveLater(host, port);
      }
    }
    throw new UsageError("the token webhook finds no address of this machine that containers reach");
  };

  /** Listens as soon as the address is there. */
  const serveLater = (host: string, port: number): Promise<ServedWebhook> =>
    listen(host, async (listenOn) => {
      const again = async (): Promise<void> => {
        while (!closing.signal.aborted) {
          try {
            await listenOn(port);
            return;
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "EADDRNOTAVAIL") throw error;
            await options.clock.sleep(LOOK_MS, closing.signal).catch(() => {});
          }
        }
      };
      again().catch((err) => log.error({ err, host, port }, "API servers do not reach the token webhook"));
      return port;
    });

  return {
    serve: async ({ host, port }) => {
      try {
        return await listen(host, (listenOn) => listenOn(port), reachableAddress(host));
      } catch (error) {
        const { message } = error as Error;
        throw new UsageError(`the token webhook has no port (${message}); choose another with --token-webhook-port`, {
          cause: error,
        });
      }
    },
    filesForContainers: async (clusterId, addresses, { late } = { late: false }) => {
      const key = addresses.join();
      // A network that was made anew may have other addresses.
      const asked = forContainers?.key === key ? forContainers : { key, served: serveContainers(addresses, late) };
      forContainers = asked;
      asked.served.catch(() => {
        if (forContainers === asked) forContainers = undefined;
      });
      const { url, ca } = await asked.served;
      return {
        authentication: webhookKubeconfig(url + webhookPath(clusterId), ca),
        authorization: webhookKubeconfig(url + authorizationPath(clusterId), ca),
      };
    },
    close: async () => {
      closing.abort();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

function ifTaken(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
  throw error;
}
