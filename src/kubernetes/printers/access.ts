/** Who may do what, who judges requests, and how they queue. */
import type {
  APIService,
  CertificateSigningRequest,
  ClusterRoleBinding,
  FlowSchema,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  PriorityLevelConfiguration,
  RbacSubject,
  RoleBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "../schema/generated/types.js";
import {
  age,
  type Cell,
  type Column,
  conditionStatus,
  count,
  integer,
  name,
  orNone,
  type Printable,
  type Printer,
  printer,
  text,
  wideText,
} from "./column.js";
import { humanDuration } from "./human-duration.js";
import { selectorText } from "./selector-text.js";

const subjects = (list: readonly RbacSubject[] | undefined, kind: string): string =>
  (list ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === "ServiceAccount" ? `${subject.namespace ?? ""}/${subject.name}` : subject.name))
    .join(", ");

const bindingColumns = <T extends RoleBinding | ClusterRoleBinding>(): Column<T>[] => [
  name,
  text("Role", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`, "Role that is granted."),
  age,
  wideText("Users", (binding) => subjects(binding.subjects, "User"), "Users that it is granted to."),
  wideText("Groups", (binding) => subjects(binding.subjects, "Group"), "Groups that it is granted to."),
  wideText(
    "ServiceAccounts",
    (binding) => subjects(binding.subjects, "ServiceAccount"),
    "Service accounts that it is granted to.",
  ),
];

function csrCondition({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => status?.conditions?.some((condition) => condition.type === type) ?? false;
  const verdict = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending";
  return `${verdict}${has("Failed") ? ",Failed" : ""}${status?.certificate ? ",Issued" : ""}`;
}

const webhookColumns = <T extends MutatingWebhookConfiguration | ValidatingWebhookConfiguration>(): Column<T>[] => [
  name,
  integer("Webhooks", ({ webhooks }) => webhooks?.length, "Number of webhooks."),
  age,
];

const paramKind = (kind: { apiVersion?: string; kind?: string } | undefined): string =>
  kind ? `${kind.apiVersion ?? ""}/${kind.kind ?? ""}` : "<unset>";

/** A parameter without a namespace may be cluster-scoped or in any namespace: only the star can tell so. */
function paramRef({ spec }: MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding): string {
  const ref = spec?.paramRef;
  if (ref?.name) return `${ref.namespace || "*"}/${ref.name}`;
  return ref?.selector ? selectorText(ref.selector) : "<unset>";
}

const policyBindingColumns = <
  T extends MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding,
>(): Column<T>[] => [
  name,
  text("PolicyName", ({ spec }) => spec?.policyName, "Policy that is bound."),
  text("ParamRef", paramRef, "Object with the policy's parameters."),
  age,
];

/** Numbers of a level that is not limited, or does not queue, are `<none>`. */
const levelColumn = (
  heading: string,
  value: (object: PriorityLevelConfiguration) => Cell | undefined,
  description: string,
): Column<PriorityLevelConfiguration> => text(heading, (object) => value(object) ?? "<none>", description);

function availability({ status }: APIService): string {
  const available = status?.conditions?.find(({ type }) => type === "Available");
  if (!available) return "Unknown";
  return available.status === "True" ? "True" : `${available.status} (${available.reason ?? ""})`;
}

/** Order in which flow schemas are matched. */
const byPrecedence = (a: FlowSchema, b: FlowSchema): number =>
  (a.spec?.matchingPrecedence ?? 0) - (b.spec?.matchingPrecedence ?? 0) || (a.metadata.name < b.metadata.name ? -1 : 1);

export const accessPrinters: Readonly<Record<string, Printer>> = {
  RoleBinding: printer(...bindingColumns<RoleBinding>()),
  ClusterRoleBinding: printer(...bindingColumns<ClusterRoleBinding>()),
  CertificateSigningRequest: printer<CertificateSigningRequest>(
    name,
    age,
    text("SignerName", ({ spec }) => orNone(spec.signerName), "Who is asked to sign."),
    text("Requestor", ({ spec }) => spec.username, "Who asked."),
    text(
      "RequestedDuration",
      ({ spec }) => (spec.expirationSeconds === undefined ? "<none>" : humanDuration(spec.expirationSeconds * 1000)),
      "How long the certificate is to be valid.",
    ),
    text("Condition", csrCondition, "What became of the request."),
  ),
  MutatingWebhookConfiguration: printer(...webhookColumns<MutatingWebhookConfiguration>()),
  ValidatingWebhookConfiguration: printer(...webhookColumns<ValidatingWebhookConfiguration>()),
  ValidatingAdmissionPolicy: printer<ValidatingAdmissionPolicy>(
    name,
    integer("Validations", ({ spec }) => spec?.validations?.length, "Number of rules."),
    text("ParamKind", ({ spec }) => paramKind(spec?.paramKind), "Kind of the policy's parameters."),
    age,
  ),
  MutatingAdmissionPolicy: printer<MutatingAdmissionPolicy>(
    name,
    integer("Mutations", ({ spec }) => spec?.mutations?.length, "Number of rules."),
    text("ParamKind", ({ spec }) => paramKind(spec?.paramKind), "Kind of the policy's parameters."),
    age,
  ),
  ValidatingAdmissionPolicyBinding: printer(...policyBindingColumns<ValidatingAdmissionPolicyBinding>()),
  MutatingAdmissionPolicyBinding: printer(...policyBindingColumns<MutatingAdmissionPolicyBinding>()),
  FlowSchema: {
    ...printer<FlowSchema>(
      name,
      text("PriorityLevel", ({ spec }) => spec?.priorityLevelConfiguration.name, "Level that matching requests go to."),
      count("MatchingPrecedence", ({ spec }) => spec?.matchingPrecedence, "Lower ones are matched first."),
      text("DistinguisherMethod", ({ spec }) => orNone(spec?.distinguisherMethod?.type), "What tells flows apart."),
      age,
      text(
        "MissingPL",
        ({ status }) => conditionStatus(status?.conditions, "Dangling") ?? "?",
        "Whether the level does not exist.",
      ),
    ),
    compare: (a: Printable, b: Printable) => byPrecedence(a as FlowSchema, b as FlowSchema),
  },
  PriorityLevelConfiguration: printer<PriorityLevelConfiguration>(
    name,
    text("Type", ({ spec }) => spec?.type, "Whether requests of the level are limited."),
    levelColumn(
      "NominalConcurrencyShares",
      ({ spec }) => spec?.limited?.nominalConcurrencyShares,
      "The level's share of the server.",
    ),
    levelColumn("Queues", ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues, "Number of queues."),
    levelColumn(
      "HandSize",
      ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize,
      "Queues that one flow may use.",
    ),
    levelColumn(
      "QueueLengthLimit",
      ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit,
      "Requests that one queue holds.",
    ),
    age,
  ),
  APIService: printer<APIService>(
    name,
    text(
      "Service",
      ({ spec }) => (spec?.service ? `${spec.service.namespace}/${spec.service.name}` : "Local"),
      "Service that serves the group version.",
    ),
    text("Available", availability, "Whether it answers."),
    age,
  ),
};
