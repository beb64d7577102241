/** API Priority and Fairness: the mandatory and suggested levels and schemas (facts: upstream's flowcontrol/bootstrap). Shown, not enforced. */
import type { PolicyRulesWithSubjects } from "../schema/generated/types.js";
import type { BootstrapObject } from "./role-notation.js";

const GROUP = "flowcontrol.apiserver.k8s.io";
const UPDATED_BY_SERVER = { "apf.kubernetes.io/autoupdate-spec": "true" };

interface Level {
  shares: number;
  lendablePercent: number;
  queuing?: { queues: number; handSize: number; queueLengthLimit: number };
}

const LEVELS: Readonly<Record<string, Level | "exempt">> = {
  exempt: "exempt",
  "catch-all": { shares: 5, lendablePercent: 0 },
  system: { shares: 30, lendablePercent: 33, queuing: { queues: 64, handSize: 6, queueLengthLimit: 50 } },
  "node-high": { shares: 40, lendablePercent: 25, queuing: { queues: 64, handSize: 6, queueLengthLimit: 50 } },
  "leader-election": { shares: 10, lendablePercent: 0, queuing: { queues: 16, handSize: 4, queueLengthLimit: 50 } },
  "workload-high": { shares: 40, lendablePercent: 50, queuing: { queues: 128, handSize: 6, queueLengthLimit: 50 } },
  "workload-low": { shares: 100, lendablePercent: 90, queuing: { queues: 128, handSize: 6, queueLengthLimit: 50 } },
  "global-default": { shares: 20, lendablePercent: 50, queuing: { queues: 128, handSize: 6, queueLengthLimit: 50 } },
};

interface Schema {
  level: string;
  precedence: number;
  distinguisher?: "ByUser" | "ByNamespace";
  groups?: string[];
  users?: string[];
  serviceAccounts?: string[];
  verbs?: string[];
  /** Absent, without paths: all of them. */
  resources?: readonly { apiGroups: string[]; resources: string[]; clusterScope?: boolean }[];
  paths?: string[];
}

const SCHEMAS: Readonly<Record<string, Schema>> = {
  exempt: { level: "exempt", precedence: 1, groups: ["system:masters"] },
  probes: {
    level: "exempt",
    precedence: 2,
    groups: ["system:unauthenticated", "system:authenticated"],
    verbs: ["get"],
    paths: ["/healthz", "/readyz", "/livez"],
  },
  "system-leader-election": {
    level: "leader-election",
    precedence: 100,
    distinguisher: "ByUser",
    users: ["system:kube-controller-manager", "system:kube-scheduler"],
    serviceAccounts: ["*"],
    verbs: ["get", "create", "update"],
    resources: [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"] }],
  },
  "system-node-high": {
    level: "node-high",
    precedence: 400,
    distinguisher: "ByUser",
    groups: ["system:nodes"],
    resources: [
      { apiGroups: [""], resources: ["nodes", "nodes/status"], clusterScope: true },
      { apiGroups: ["coordination.k8s.io"], resources: ["leases"] },
    ],
  },
  "system-nodes": { level: "system", precedence: 500, distinguisher: "ByUser", groups: ["system:nodes"] },
  "kube-controller-manager": {
    level: "workload-high",
    precedence: 800,
    distinguisher: "ByNamespace",
    users: ["system:kube-controller-manager"],
  },
  "kube-scheduler": {
    level: "workload-high",
    precedence: 800,
    distinguisher: "ByNamespace",
    users: ["system:kube-scheduler"],
  },
  "kube-system-service-accounts": {
    level: "workload-high",
    precedence: 900,
    distinguisher: "ByNamespace",
    serviceAccounts: ["*"],
  },
  "service-accounts": {
    level: "workload-low",
    precedence: 9000,
    distinguisher: "ByUser",
    groups: ["system:serviceaccounts"],
  },
  "global-default": {
    level: "global-default",
    precedence: 9900,
    distinguisher: "ByUser",
    groups: ["system:unauthenticated", "system:authenticated"],
  },
  "catch-all": {
    level: "catch-all",
    precedence: 10_000,
    distinguisher: "ByUser",
    groups: ["system:unauthenticated", "system:authenticated"],
  },
};

function rulesOf({
  groups = [],
  users = [],
  serviceAccounts = [],
  verbs = ["*"],
  resources,
  paths,
}: Schema): PolicyRulesWithSubjects {
  const everything = !resources && !paths;
  const all = [{ apiGroups: ["*"], resources: ["*"], clusterScope: true }];
  const resourceRules = (resources ?? (everything ? all : [])).map((rule) => ({ verbs, ...rule, namespaces: ["*"] }));
  return {
    subjects: [
      ...groups.map((name) => ({ kind: "Group", group: { name } })),
      ...users.map((name) => ({ kind: "User", user: { name } })),
      ...serviceAccounts.map((name) => ({
        kind: "ServiceAccount",
        serviceAccount: { name, namespace: "kube-system" },
      })),
    ],
    ...(resourceRules.length > 0 ? { resourceRules } : {}),
    ...(paths || everything ? { nonResourceRules: [{ verbs, nonResourceURLs: paths ?? ["*"] }] } : {}),
  };
}

function limited({ shares, lendablePercent, queuing }: Level): Record<string, unknown> {
  const limitResponse = queuing ? { type: "Queue", queuing } : { type: "Reject" };
  return { type: "Limited", limited: { nominalConcurrencyShares: shares, lendablePercent, limitResponse } };
}

export const flowControl = (): BootstrapObject[] => [
  ...Object.entries(LEVELS).map(([name, settings]) => ({
    resource: `prioritylevelconfigurations.${GROUP}`,
    object: {
      apiVersion: `${GROUP}/v1`,
      kind: "PriorityLevelConfiguration",
      metadata: { name, annotations: UPDATED_BY_SERVER },
      spec:
        settings === "exempt"
          ? { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }
          : limited(settings),
    },
  })),
  ...Object.entries(SCHEMAS).map(([name, schema]) => ({
    resource: `flowschemas.${GROUP}`,
    object: {
      apiVersion: `${GROUP}/v1`,
      kind: "FlowSchema",
      metadata: { name, annotations: UPDATED_BY_SERVER },
      spec: {
        matchingPrecedence: schema.precedence,
        priorityLevelConfiguration: { name: schema.level },
        ...(schema.distinguisher ? { distinguisherMethod: { type: schema.distinguisher } } : {}),
        rules: [rulesOf(schema)],
      },
    },
  })),
];
