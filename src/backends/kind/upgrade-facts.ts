/** What decides whether a cluster is ready for another version: its nodes, its kube-proxy, and what API servers count of requests that will stop working. */
import type { UpgradeFacts } from "../backend.js";
import { type Held, type KindContext, upMasters } from "./cluster.js";
import { asBackendError } from "./kube-client.js";
import { WORKERS } from "./observe.js";

interface Node {
  metadata: { name: string };
  status?: { nodeInfo?: { kubeletVersion?: string } };
}

interface DaemonSet {
  spec?: { template?: { spec?: { containers?: { image?: string }[] } } };
}

const KUBE_PROXY = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";

/** Of megabytes of metrics, those that are read. */
const METRICS = `kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://localhost:6443 get --raw /metrics |
  grep -E '^(apiserver_requested_deprecated_apis|apiserver_request_total|process_start_time_seconds)[{ ]'`;

/** Labels and value of each line of a metric. */
function samples(text: string, metric: string): { labels: Readonly<Record<string, string>>; value: number }[] {
  return text.split("\n").flatMap((line) => {
    const [, name, inner = "", value] = /^(\w+)(?:\{(.*)\})? ([-+.\deE]+)$/.exec(line) ?? [];
    if (name !== metric) return [];
    const labels = Object.fromEntries(
      [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", text = ""]) => [key, text]),
    );
    return [{ labels, value: Number(value) }];
  });
}

/**
 * What one API server says of itself, in the text form of Prometheus. Metrics do not tell who has asked, and say that somebody has until the server's end:
 * clients are `unknown`, and the last of them came by now at the latest.
 */
export function deprecations(
  text: string,
  nowMs: number,
): Pick<UpgradeFacts, "removedApis" | "deprecatedUses" | "sinceMs"> {
  const requests = samples(text, "apiserver_request_total");
  const found = samples(text, "apiserver_requested_deprecated_apis").flatMap(({ labels, value }) => {
    const { group = "", version = "", resource = "", removed_release: removedIn = "" } = labels;
    if (value === 0 || removedIn === "") return [];
    const count = requests
      .filter((one) => ["group", "version", "resource"].every((key) => one.labels[key] === labels[key]))
      .reduce((sum, one) => sum + one.value, 0);
    const usage = `${group === "" ? "/api" : `/apis/${group}`}/${version}/${resource}`;
    return [{ usage, removedIn, count: Math.max(1, count) }];
  });
  const [start] = samples(text, "process_start_time_seconds");
  return {
    removedApis: found.map(({ usage, removedIn }) => ({ usage, removedIn })),
    deprecatedUses: found.map(({ usage, count }) => ({ usage, userAgent: "unknown", count, lastMs: nowMs })),
    sinceMs: start ? Math.round(start.value * 1000) : nowMs,
  };
}

/** Each API server counts for itself. */
export async function upgradeFacts({ engine, clock }: KindContext, held: Held): Promise<UpgradeFacts> {
  const [nodes, kubeProxy] = await asBackendError(() =>
    Promise.all([
      held.client.request<{ items: Node[] }>("GET", "/api/v1/nodes", { query: WORKERS }),
      held.client.get<DaemonSet>(KUBE_PROXY),
    ]),
  );
  const nowMs = clock.wallNow();
  const told = await Promise.all(
    upMasters(held).map(async (master) =>
      deprecations((await engine.exec(master, ["sh", "-c", METRICS], { anyExitCode: true })).stdout, nowMs),
    ),
  );
  const kubeProxyVersion = kubeProxy?.spec?.template?.spec?.containers?.[0]?.image?.split(":").at(-1);
  const removed = told.flatMap(({ removedApis }) => removedApis);
  return {
    nodes: nodes.items.map(({ metadata: { name }, status }) => ({
      name,
      kubeletVersion: status?.nodeInfo?.kubeletVersion ?? "",
    })),
    ...(kubeProxyVersion === undefined ? {} : { kubeProxyVersion }),
    removedApis: [...new Map(removed.map((api) => [api.usage, api])).values()],
    deprecatedUses: told.flatMap(({ deprecatedUses }) => deprecatedUses),
    sinceMs: Math.min(nowMs, ...told.map(({ sinceMs }) => sinceMs)),
  };
}
