/** The token webhooks of API servers outside this process: each at an address that those servers reach, started when it is first needed. */

import type { TokenWebhookDependencies } from "../api/kubernetes/token-webhook.js";
import { authorizationPath, webhookKubeconfig, webhookPath } from "../api/kubernetes/token-webhook-config.js";
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
   * given, or else, where containers live in a machine of their own, this machine's as they call it. The port is the same after a restart.
   */
  filesForContainers(
    clusterId: string,
    addresses: readonly string[],
  ): Promise<{ authentication: string; authorization: string }>;
  close(): Promise<void>;
}

/** Where settings are kept. */
interface Settings {
  get(name: string): string | undefined;
  put(name: string, value: string): void;
}

/** This machine, as containers call it where they live in another one. */
const HOST_OF_CONTAINERS = "host.docker.internal";

export function createTokenWebhooks(options: {
  settings: Settings;
  wallNow: () => number;
  /** Address that everything else listens on. */
  host: string;
  log: TokenWebhookDependencies["log"];
  authenticate: TokenWebhookDependencies["authenticate"];
  authorize: NonNullable<TokenWebhookDependencies["authorize"]>;
}): TokenWebhooks {
  const { settings, log } = options;
  const servers: { close(): Promise<void> }[] = [];
  let forContainers: Promise<ServedWebhook> | undefined;

  const listen = async (
    host: string,
    bind: (listenOn: (port: number) => Promise<number>) => Promise<number>,
    name = host,
  ): Promise<ServedWebhook> => {
    const { serverTls } = await import("../backends/embedded/tls/server-tls.js");
    const { createTokenWebhook } = await import("../api/kubernetes/token-webhook.js");
    const { ca, ...tls } = serverTls(settings, { host, nowMs: options.wallNow() });
    const { authenticate, authorize } = options;
    const server = createTokenWebhook({ tls, log, authenticate, authorize });
    const port = await bind((wanted) => server.listen({ host, port: wanted }));
    servers.push(server);
    return { url: `https://${name.includes(":") ? `[${name}]` : name}:${port}`, ca };
  };

  /** The port of before, so that API servers that run already find it; a free one of the range that nobody is given by chance. */
  const serveContainers = async (addresses: readonly string[]): Promise<ServedWebhook> => {
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
      }
    }
    throw new UsageError("the token webhook finds no address of this machine that containers reach");
  };

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
    filesForContainers: async (clusterId, addresses) => {
      forContainers ??= serveContainers(addresses);
      forContainers.catch(() => {
        forContainers = undefined;
      });
      const { url, ca } = await forContainers;
      return {
        authentication: webhookKubeconfig(url + webhookPath(clusterId), ca),
        authorization: webhookKubeconfig(url + authorizationPath(clusterId), ca),
      };
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

function ifTaken(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
  throw error;
}
