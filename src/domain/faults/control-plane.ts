/** Faults of masters and of the Kubernetes API. */
import type { ActingFault, ClusterFacts, ClusterWants, FaultDefinition } from "./definition.js";
import { capitalised, duration, list, number, text, theCluster } from "./meaning.js";

const CLUSTER = { type: "cluster", takes: ["cluster"] } as const;

const masters = (fault: ActingFault, cluster: ClusterFacts): ClusterWants => ({
  mastersDown: (fault.targets.masters ?? []).filter(({ clusterId }) => clusterId === cluster.id).map(({ id }) => id),
});

/** The API server's of whichever clusters are meant. */
const api = (fault: ActingFault): string => `the API server of ${theCluster(fault)}`;

const SHARE = { type: "percent", says: "Share of requests." } as const;

export const CONTROL_PLANE_FAULTS: readonly FaultDefinition[] = [
  {
    name: "master-loss",
    family: "control-plane",
    says: "Masters are lost, one unless told otherwise; with two of three left the Kubernetes API goes on.",
    target: { type: "master", takes: ["zone", "cluster", "count"], masters: 1 },
    parameters: {},
    lasts: true,
    started: (fault) => `${masterWords(fault)} of ${theCluster(fault)} ${isOne(fault) ? "is" : "are"} lost.`,
    ended: (fault) => `${masterWords(fault)} of ${theCluster(fault)} can run again.`,
    wants: masters,
  },
  {
    name: "quorum-loss",
    family: "control-plane",
    says: "Two of three masters are lost: etcd has no leader, and writes and linearizable reads fail.",
    target: { type: "master", takes: ["cluster"], masters: 2 },
    parameters: {},
    lasts: true,
    slowsAnswers: true,
    started: (fault) =>
      `${capitalised(theCluster(fault))} has lost its quorum: ${masterWords(fault).toLowerCase()} are down.`,
    ended: (fault) => `${capitalised(theCluster(fault))} can have its quorum again.`,
    wants: masters,
  },
  {
    name: "api-server-latency",
    family: "control-plane",
    says: "The Kubernetes API answers late.",
    target: CLUSTER,
    parameters: {
      latency: { type: "duration", default: "2s", min: 1, max: 300_000, says: "Added to every answer." },
    },
    lasts: true,
    slowsAnswers: true,
    started: (fault) => `${capitalised(api(fault))} answers ${duration(fault, "latency")} late.`,
    ended: (fault) => `${capitalised(api(fault))} answers in time again.`,
    wants: (fault) => ({ impairments: { apiServer: { latencyMs: number(fault, "latency") } } }),
  },
  {
    name: "api-server-throttling",
    family: "control-plane",
    says: "The Kubernetes API refuses requests with 429 and a Retry-After.",
    target: CLUSTER,
    parameters: { share: { ...SHARE, default: 50 } },
    lasts: true,
    started: (fault) => `${capitalised(api(fault))} refuses ${number(fault, "share")} % of requests with 429.`,
    ended: (fault) => `${capitalised(api(fault))} no longer throttles.`,
    wants: (fault) => ({ impairments: { apiServer: { throttledPercent: number(fault, "share") } } }),
  },
  {
    name: "api-server-errors",
    family: "control-plane",
    says: "The Kubernetes API answers requests with 500.",
    target: CLUSTER,
    parameters: { share: { ...SHARE, default: 50 } },
    lasts: true,
    started: (fault) => `${capitalised(api(fault))} answers ${number(fault, "share")} % of requests with 500.`,
    ended: (fault) => `${capitalised(api(fault))} no longer fails.`,
    wants: (fault) => ({ impairments: { apiServer: { failedPercent: number(fault, "share") } } }),
  },
  {
    name: "webhook-outage",
    family: "control-plane",
    says: "Admission webhooks of the users cannot be reached.",
    target: CLUSTER,
    parameters: {
      webhooks: {
        type: "list",
        default: ["*"],
        says: "Names of webhooks or of their configurations; * stands for anything.",
      },
      mode: {
        type: "choice",
        values: ["refused", "timeout"],
        default: "timeout",
        says: "Connections are refused at once, or time out after each webhook's timeoutSeconds.",
      },
    },
    lasts: true,
    slowsAnswers: true,
    started: (fault) => `${webhookWords(fault)} of ${theCluster(fault)} cannot be reached.`,
    ended: (fault) => `${webhookWords(fault)} of ${theCluster(fault)} can be reached again.`,
    wants: (fault) => ({
      impairments: {
        webhooks: {
          names: list(fault, "webhooks"),
          mode: text(fault, "mode") === "refused" ? "refused" : "timeout",
        },
      },
    }),
  },
  {
    name: "watch-drops",
    family: "control-plane",
    says: "Watches of the Kubernetes API end soon after they began.",
    target: CLUSTER,
    parameters: {
      after: { type: "duration", default: "10s", min: 1, max: 3_600_000, says: "How long a watch lives." },
    },
    lasts: true,
    slowsAnswers: true,
    started: (fault) => `Watches of ${theCluster(fault)} end after ${duration(fault, "after")}.`,
    ended: (fault) => `Watches of ${theCluster(fault)} live on again.`,
    wants: (fault) => ({ impairments: { apiServer: { watchesEndAfterMs: number(fault, "after") } } }),
  },
];

const isOne = ({ targets }: ActingFault): boolean => targets.masters?.length === 1;

function masterWords(fault: ActingFault): string {
  const ids = [...new Set(fault.targets.masters?.map(({ id }) => id))];
  return `${ids.length === 1 ? "Master" : "Masters"} ${ids.join(", ")}`;
}

function webhookWords(fault: ActingFault): string {
  const names = list(fault, "webhooks");
  return names.includes("*") ? "Admission webhooks" : `Admission webhooks ${names.join(", ")}`;
}
