/**
 * What EKS's node monitoring agent says of a node: conditions that are True while all is well. It runs where its add-on put a pod, and on nodes of Auto Mode,
 * which have it built in. Source: aws/eks-node-monitoring-agent.
 */
export interface MonitoringFinding {
  type: string;
  reason: string;
  message?: string;
}

export interface MonitoringReport {
  status: "True" | "False";
  reason: string;
  message: string;
}

/** Name of the add-on, and of its DaemonSet in kube-system. */
export const MONITORING_AGENT = "eks-node-monitoring-agent";

const SYSTEMS: Readonly<Record<string, readonly [reason: string, system: string]>> = {
  KernelReady: ["KernelIsReady", "Kernel"],
  StorageReady: ["DiskIsReady", "Disk"],
  ContainerRuntimeReady: ["ContainerRuntimeIsReady", "ContainerRuntime"],
  NetworkingReady: ["NetworkingIsReady", "Networking"],
};

const ACCELERATORS: Readonly<Record<string, readonly [reason: string, system: string]>> = {
  "nvidia.com/gpu": ["NvidiaGPUIsReady", "NvidiaGPU"],
  "aws.amazon.com/neuron": ["NeuronAcceleratedHardwareIsReady", "NeuronAcceleratedHardware"],
};

const ACCELERATED = "AcceleratedHardwareReady";

const well = ([reason, system]: readonly [string, string]): MonitoringReport => ({
  status: "True",
  reason,
  message: `Monitoring for the ${system} system is active`,
});

/**
 * Conditions by type, of a node with these resources. What is found wrong is said by whoever found it, be the agent there (`isMonitored`) or not; without it
 * nothing is said of what is well.
 */
export function monitoringReports(node: {
  isMonitored: boolean;
  capacity: Readonly<Record<string, string>>;
  findings: readonly MonitoringFinding[];
}): Record<string, MonitoringReport> {
  const reports: Record<string, MonitoringReport> = {};
  if (node.isMonitored) {
    for (const [type, words] of Object.entries(SYSTEMS)) reports[type] = well(words);
    const accelerator = Object.keys(ACCELERATORS).find((resource) => Number(node.capacity[resource] ?? 0) > 0);
    const words = accelerator && ACCELERATORS[accelerator];
    if (words) reports[ACCELERATED] = well(words);
  }
  for (const { type, reason, message } of node.findings)
    reports[type] = { status: "False", reason, message: message ?? `${reason} has been found on the node` };
  return reports;
}
