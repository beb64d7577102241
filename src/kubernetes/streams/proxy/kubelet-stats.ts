import { type ContainerUsage, systemUsage, usageOf } from "../../metrics/usage.js";
import type { Node, Pod } from "../../schema/generated/types.js";

/** What a kubelet tells of the use of processor and memory on its node: `/stats/summary` and `/metrics/resource`. */

type Amount = Pick<ContainerUsage, "cpuNano" | "memoryBytes">;

interface MeasuredPod extends Amount {
  pod: Pod;
  timestampMs: number;
  containers: readonly ContainerUsage[];
}

const sum = (amounts: readonly Amount[]): Amount => ({
  cpuNano: amounts.reduce((total, { cpuNano }) => total + cpuNano, 0),
  memoryBytes: amounts.reduce((total, { memoryBytes }) => total + memoryBytes, 0),
});

const measure = (pods: readonly Pod[], nowMs: number): MeasuredPod[] =>
  pods.flatMap((pod) => {
    const usage = usageOf(pod, nowMs);
    return usage ? [{ pod, ...usage, ...sum(usage.containers) }] : [];
  });

/** Seconds of processor time since `startMs`, had it always been used as now. */
const cpuSeconds = ({ cpuNano }: Amount, startMs: number, nowMs: number): number =>
  (cpuNano / 1e9) * Math.max(0, (nowMs - startMs) / 1000);

const startOf = (pod: Pod, nowMs: number): number => Date.parse(pod.status?.startTime ?? "") || nowMs;

export function statsSummary(node: Node, pods: readonly Pod[], nowMs: number): object {
  const stats = (amount: Amount, startMs: number): object => {
    const time = new Date(nowMs).toISOString();
    return {
      startTime: new Date(startMs).toISOString(),
      cpu: {
        time,
        usageNanoCores: Math.round(amount.cpuNano),
        usageCoreNanoSeconds: Math.round(cpuSeconds(amount, startMs, nowMs) * 1e9),
      },
      memory: {
        time,
        usageBytes: amount.memoryBytes,
        workingSetBytes: amount.memoryBytes,
        rssBytes: amount.memoryBytes,
      },
    };
  };
  const measured = measure(pods, nowMs);
  const total = sum([...measured, systemUsage(node.metadata.name, nowMs)]);
  return {
    node: { nodeName: node.metadata.name, ...stats(total, Date.parse(node.metadata.creationTimestamp)) },
    pods: measured.map(({ pod, containers, ...amount }) => {
      const startMs = startOf(pod, nowMs);
      const { name, namespace, uid } = pod.metadata;
      return {
        podRef: { name, namespace, uid },
        ...stats(amount, startMs),
        containers: containers.map(({ name: container, ...used }) => ({ name: container, ...stats(used, startMs) })),
      };
    }),
  };
}

/** Prometheus' text, in the names of the kubelet's `/metrics/resource`. */
export function resourceMetrics(node: Node, pods: readonly Pod[], nowMs: number): string {
  const measured = measure(pods, nowMs);
  const containers = measured.flatMap(({ pod, containers: all }) =>
    all.map((container) => ({
      labels: `{container="${container.name}",namespace="${pod.metadata.namespace}",pod="${pod.metadata.name}"}`,
      startMs: startOf(pod, nowMs),
      ...container,
    })),
  );
  const ofPods = measured.map(({ pod, ...amount }) => ({
    labels: `{namespace="${pod.metadata.namespace}",pod="${pod.metadata.name}"}`,
    startMs: startOf(pod, nowMs),
    ...amount,
  }));
  const own = sum([...measured, systemUsage(node.metadata.name, nowMs)]);
  const ofNode = [{ labels: "", startMs: Date.parse(node.metadata.creationTimestamp), ...own }];
  return Object.entries({ container: containers, pod: ofPods, node: ofNode })
    .flatMap(([scope, samples]) => [
      `# TYPE ${scope}_cpu_usage_seconds_total counter`,
      ...samples.map(
        (sample) =>
          `${scope}_cpu_usage_seconds_total${sample.labels} ${cpuSeconds(sample, sample.startMs, nowMs)} ${Math.round(nowMs)}`,
      ),
      `# TYPE ${scope}_memory_working_set_bytes gauge`,
      ...samples.map(
        ({ labels, memoryBytes }) => `${scope}_memory_working_set_bytes${labels} ${memoryBytes} ${Math.round(nowMs)}`,
      ),
    ])
    .join("\n")
    .concat("\n");
}
