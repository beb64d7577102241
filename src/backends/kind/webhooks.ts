/** An outage of admission webhooks: where the API server would ask those that are meant, so that the masters do not reach it. */
import { isIP } from "node:net";
import type { WebhookImpairment } from "../../domain/impairments.js";
import { matchesStars } from "../../domain/star-pattern.js";
import { type Held, type KindContext, upMasters } from "./cluster.js";
import { asBackendError, type WatchedObject } from "./kube-client.js";
import type { LostCall } from "./network.js";

const CONFIGURATIONS = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"].map(
  (resource) => `/apis/admissionregistration.k8s.io/v1/${resource}`,
);
const HTTPS = 443;
/** Outages are mended too while an API server does not answer. */
const PATIENCE_MS = 3_000;

interface ClientConfig {
  url?: string;
  service?: { namespace: string; name: string; port?: number };
}

interface Configuration extends WatchedObject {
  webhooks?: { name: string; clientConfig: ClientConfig }[];
}

/** Of the webhooks whose own name, or whose configuration's, is meant. */
const meantClients = (
  configurations: readonly Configuration[],
  { names }: Pick<WebhookImpairment, "names">,
): ClientConfig[] =>
  configurations.flatMap(({ metadata, webhooks = [] }) =>
    webhooks
      .filter(({ name }) => names.some((one) => matchesStars(one, name) || matchesStars(one, metadata.name)))
      .map(({ clientConfig }) => clientConfig),
  );

async function addressesOf(context: KindContext, held: Held, host: string): Promise<string[]> {
  const literal = host.replace(/^\[|\]$/g, "");
  if (isIP(literal) > 0) return [literal];
  const [master] = upMasters(held);
  if (master === undefined) return [];
  // As the API server itself finds it: it runs in the master's network.
  const { stdout } = await context.engine.exec(master, ["getent", "ahosts", host], { anyExitCode: true });
  const found = stdout.split("\n").map((line) => line.split(/\s/)[0] ?? "");
  return [...new Set(found.filter((address) => isIP(address) > 0))];
}

async function whereAsked(
  context: KindContext,
  held: Held,
  { url, service }: ClientConfig,
): Promise<Omit<LostCall, "mode">[]> {
  if (url !== undefined) {
    const { hostname, port } = new URL(url);
    const addresses = await addressesOf(context, held, hostname);
    return addresses.map((address) => ({ address, port: port === "" ? HTTPS : Number(port) }));
  }
  if (!service) return [];
  const { namespace, name, port = HTTPS } = service;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`;
  const found = await held.client.get<{ spec?: { clusterIPs?: string[] } }>(path);
  return (found?.spec?.clusterIPs ?? []).filter((address) => isIP(address) > 0).map((address) => ({ address, port }));
}

/** What the API servers are not to reach; while none answers, as it was last known. */
export async function lostWebhooks(
  context: KindContext,
  held: Held,
  outage: WebhookImpairment,
): Promise<readonly LostCall[]> {
  try {
    held.lostWebhooks = await asBackendError(async () => {
      const lists = await Promise.all(
        CONFIGURATIONS.map((path) =>
          held.client.request<{ items: Configuration[] }>("GET", path, { timeoutMs: PATIENCE_MS }),
        ),
      );
      const clients = meantClients(
        lists.flatMap(({ items }) => items),
        outage,
      );
      const asked = await Promise.all(clients.map((client) => whereAsked(context, held, client)));
      const calls = asked.flat().map((call): LostCall => ({ ...call, mode: outage.mode }));
      return [...new Map(calls.map((call) => [`${call.address} ${call.port}`, call])).values()];
    });
  } catch (err) {
    context.log.debug({ err, cluster: held.file.spec.name }, "webhooks are taken as they were last known");
  }
  return held.lostWebhooks ?? [];
}

/** While there is an outage: calls whenever webhooks come or change. */
export function watchWebhooks(held: Held, outage: WebhookImpairment | undefined, changed: () => Promise<void>): void {
  if (!outage) {
    held.stopWebhooks?.();
    delete held.stopWebhooks;
    delete held.lostWebhooks;
    return;
  }
  if (held.stopWebhooks) return;
  const stops = CONFIGURATIONS.map((path) => held.client.watch<Configuration>(path, () => void changed()));
  held.stopWebhooks = () => {
    for (const stop of stops) stop();
  };
}
