/** Faults of what AWS itself answers and does: its APIs, instances that never join, and what EKS finds wrong with clusters and node groups. */
import type { HealthIssue } from "../model.js";
import { didYouMean } from "../nearest.js";
import { matchesStars } from "../star-pattern.js";
import type { ActingFault, ApiTrouble, FaultDefinition, OperationsOf } from "./definition.js";
import { CLUSTER_ISSUES, NODEGROUP_ISSUES } from "./issue-codes.js";
import { duration, list, number, text } from "./meaning.js";
import { type Parameters, type ParameterValues, whereAll } from "./parameters.js";

const ACCOUNT = { type: "account", takes: [] } as const;
const NODEGROUPS = { type: "nodegroup", takes: ["cluster", "nodegroup"], needs: ["cluster"] } as const;

/** Names that requests are signed for. */
export const API_SERVICES: readonly string[] = ["eks", "eks-auth", "iam", "sts"];

const CALLS: Parameters = {
  services: { type: "list", values: API_SERVICES, default: API_SERVICES, says: "Which services." },
  operations: {
    type: "list",
    default: ["*"],
    says: "Names of operations, such as DescribeCluster; * stands for anything.",
  },
  share: { type: "percent", default: 100, says: "Share of the calls." },
};

/** Whether a name of the parameter `operations` means the operation: without regard to case. */
export const meansOperation = (pattern: string, operation: string): boolean =>
  matchesStars(pattern.toLowerCase(), operation.toLowerCase());

/** A misspelt name would befall no call at all, without a word. */
function operationProblem(
  parameters: ParameterValues,
  _target: ActingFault["target"],
  operationsOf: OperationsOf,
): string | undefined {
  const services = list({ parameters }, "services");
  const meant = list({ parameters }, "operations").filter((pattern) => pattern !== "*");
  if (meant.length === 0) return undefined;
  const known = services.flatMap(operationsOf);
  const stranger = meant.find((pattern) => !known.some((name) => meansOperation(pattern, name)));
  if (stranger === undefined) return undefined;
  const others = API_SERVICES.filter(
    (service) => !services.includes(service) && operationsOf(service).some((name) => meansOperation(stranger, name)),
  );
  const elsewhere = others.length > 0 ? `; it is one of ${others.join(" and ")}` : "";
  const which = `${services.join(", ")} ${services.length === 1 ? "has" : "have"} no operation ${stranger}${elsewhere}`;
  const hint = didYouMean(stranger.replaceAll("*", ""), known);
  return `${which}.${hint || " Give names as the APIs have them, such as DescribeCluster, or patterns such as List*."}`;
}

const trouble = (parameters: ParameterValues, answer: ApiTrouble["answer"]): ApiTrouble => ({
  services: list({ parameters }, "services"),
  operations: list({ parameters }, "operations"),
  share: number({ parameters }, "share"),
  answer,
});

function callWords(fault: ActingFault): string {
  const operations = list(fault, "operations");
  const which = operations.includes("*") ? "calls" : `calls of ${operations.join(", ")}`;
  return `${number(fault, "share")} % of ${which} to ${list(fault, "services").join(", ")}`;
}

const groupWords = ({ target, clusterName }: ActingFault): string =>
  target.nodegroup
    ? `node group ${target.nodegroup} of cluster ${clusterName}`
    : `the node groups of cluster ${clusterName}`;

const issueWords = ({ target, clusterName }: ActingFault): string =>
  target.nodegroup ? `node group ${target.nodegroup} of cluster ${clusterName}` : `cluster ${clusterName}`;

function issueOf(fault: ActingFault): HealthIssue {
  const code = text(fault, "code");
  return {
    code,
    message: (fault.parameters.message as string | undefined) ?? `${issueWords(fault)} has the issue ${code}`,
    resourceIds: [...list(fault, "resourceIds")],
  };
}

function codeProblem({ code }: ParameterValues, target: ActingFault["target"]): string | undefined {
  const allowed = target.nodegroup ? NODEGROUP_ISSUES : CLUSTER_ISSUES;
  if (allowed.includes(String(code))) return undefined;
  const [whose, other] = target.nodegroup ? ["node groups", "clusters"] : ["clusters", "node groups"];
  const hint = target.nodegroup
    ? "leave nodegroup out for those of clusters"
    : "name a node group for those of node groups";
  return `${String(code)} is an issue of ${other}, not of ${whose}: ${hint}.${didYouMean(String(code), allowed)} ${whereAll("health-issue")}`;
}

export const AWS_API_FAULTS: readonly FaultDefinition[] = [
  {
    name: "aws-api-throttling",
    family: "aws-api",
    says: "AWS refuses calls of the account because there are too many.",
    target: ACCOUNT,
    parameters: CALLS,
    problem: operationProblem,
    lasts: true,
    started: (fault) => `AWS throttles ${callWords(fault)}.`,
    ended: () => "AWS no longer throttles calls.",
    api: (parameters) => trouble(parameters, { kind: "throttled" }),
  },
  {
    name: "aws-api-errors",
    family: "aws-api",
    says: "Calls of the account fail on AWS's side.",
    target: ACCOUNT,
    parameters: {
      ...CALLS,
      status: {
        type: "choice",
        values: ["500", "503"],
        default: "500",
        says: "500: an internal failure; 503: the service is unavailable.",
      },
    },
    problem: operationProblem,
    lasts: true,
    started: (fault) => `AWS fails ${callWords(fault)} with ${text(fault, "status")}.`,
    ended: () => "AWS no longer fails calls.",
    api: (parameters) => trouble(parameters, { kind: "failed", status: parameters.status === "503" ? 503 : 500 }),
  },
  {
    name: "aws-api-latency",
    family: "aws-api",
    says: "Calls of the account are answered late.",
    target: ACCOUNT,
    parameters: {
      ...CALLS,
      latency: { type: "duration", default: "1s", min: 1, max: 300_000, says: "Added to the answer." },
      jitter: { type: "duration", default: "0s", max: 300_000, says: "How far the latency varies, upwards." },
    },
    problem: operationProblem,
    lasts: true,
    slowsAnswers: true,
    started: (fault) => `AWS answers ${callWords(fault)} ${duration(fault, "latency")} late.`,
    ended: () => "AWS answers in time again.",
    api: (parameters) =>
      trouble(parameters, {
        kind: "late",
        latencyMs: number({ parameters }, "latency"),
        jitterMs: number({ parameters }, "jitter"),
      }),
  },
  {
    name: "node-join-failure",
    family: "aws-api",
    says: "New instances of the node groups run, but never become nodes; after 15 minutes EKS says NodeCreationFailure. They join when the fault has ended.",
    target: NODEGROUPS,
    parameters: {},
    lasts: true,
    keepsFromJoining: true,
    started: (fault) => `New instances of ${groupWords(fault)} do not join.`,
    ended: (fault) => `New instances of ${groupWords(fault)} can join again.`,
  },
  {
    name: "health-issue",
    family: "aws-api",
    says: "EKS finds something wrong with a cluster or, when one is named, with a node group, which is DEGRADED then.",
    target: NODEGROUPS,
    parameters: {
      code: {
        type: "choice",
        values: [...new Set([...CLUSTER_ISSUES, ...NODEGROUP_ISSUES])].sort(),
        required: true,
        says: "Code of the issue, of those that clusters or node groups have.",
      },
      message: { type: "text", says: "Its message; none: a plain one." },
      resourceIds: { type: "list", says: "Resources that it names." },
    },
    lasts: true,
    problem: codeProblem,
    started: (fault) => `EKS finds ${text(fault, "code")} on ${issueWords(fault)}.`,
    ended: (fault) => `EKS no longer finds ${text(fault, "code")} on ${issueWords(fault)}.`,
    wants: (fault) => (fault.target.nodegroup ? {} : { issues: [issueOf(fault)] }),
    nodegroupIssue: issueOf,
  },
];
