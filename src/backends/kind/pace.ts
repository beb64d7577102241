/**
 * Kubernetes' own waits where the emulator's time runs faster than the machine's: real containers cannot be hurried, but how long a node may be silent and
 * how long pods stay on it are settings. What takes work, such as starting a container, takes what it takes.
 */

/** Fastest time that real machines keep up with: beyond it nodes would be taken for dead because they are slow. */
export const FASTEST = 10;

/** Kubernetes' defaults, in seconds. Source: the reference pages of kube-controller-manager, kube-apiserver and KubeletConfiguration. */
const DEFAULTS = { grace: 50, monitorPeriod: 5, toleration: 300, statusUpdate: 10, lease: 40 } as const;

/** Nodes a second of a zone whose pods may be marked for eviction. */
const EVICTION_RATES = { "node-eviction-rate": 0.1, "secondary-node-eviction-rate": 0.01 } as const;

/** Shorter than these, in seconds, a busy machine's kubelets would be taken for silent: a lease is renewed four times in its time. */
const SHORTEST = { grace: 14, monitorPeriod: 1, toleration: 5, statusUpdate: 2, lease: 12 } as const;

export interface Pace {
  apiServer: Readonly<Record<string, string>>;
  controllerManager: Readonly<Record<string, string>>;
  kubelet: Readonly<Record<string, string | number>>;
}

const NOTHING: Pace = { apiServer: {}, controllerManager: {}, kubelet: {} };

/** Arguments and settings for `speed` simulated seconds a second; none where time is not hurried. */
export function pace(speed: number): Pace {
  if (speed <= 1) return NOTHING;
  const shorter = (name: keyof typeof DEFAULTS): number => Math.max(SHORTEST[name], Math.round(DEFAULTS[name] / speed));
  const toleration = String(shorter("toleration"));
  return {
    apiServer: {
      "default-not-ready-toleration-seconds": toleration,
      "default-unreachable-toleration-seconds": toleration,
    },
    controllerManager: {
      "node-monitor-grace-period": `${shorter("grace")}s`,
      "node-monitor-period": `${shorter("monitorPeriod")}s`,
      ...Object.fromEntries(Object.entries(EVICTION_RATES).map(([flag, rate]) => [flag, String(rate * speed)])),
    },
    kubelet: {
      nodeStatusUpdateFrequency: `${shorter("statusUpdate")}s`,
      nodeLeaseDurationSeconds: shorter("lease"),
    },
  };
}
