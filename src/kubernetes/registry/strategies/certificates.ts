/** Certificate signing requests: who asks is written down by the server, what was decided stays decided. Upstream: pkg/apis/certificates/validation. */
import { formatSeconds } from "../../../clock/clock.js";
import type { StatusCause } from "../../errors.js";
import { parseCertificateRequest, RequestError } from "../../pki/certificate-request.js";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../../schema/generated/types.js";
import { defined } from "./defaulting.js";
import { sameValue } from "./equality.js";
import { forbiddenField, invalidValue, required, unsupported } from "./field.js";
import { dnsSubdomain } from "./names.js";
import { immutableFields, strategyOf } from "./rules.js";

const USAGES: readonly string[] = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];
const LEAST_SECONDS = 600;
/** Decisions: they are True, and stay. */
const DECISIONS = ["Approved", "Denied", "Failed"];

function validateSigner(name: string | undefined): StatusCause[] {
  if (!name) return [required("spec.signerName")];
  const slash = name.indexOf("/");
  const [domain, path] = [name.slice(0, slash), name.slice(slash + 1)];
  if (slash < 0 || !path || path.includes("/")) {
    const text = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    return [invalidValue("spec.signerName", name, text)];
  }
  if (!domain.includes("."))
    return [invalidValue("spec.signerName", domain, "should be a domain with at least two segments separated by dots")];
  return [...dnsSubdomain(domain), ...dnsSubdomain(path)].map((why) => invalidValue("spec.signerName", name, why));
}

function validateRequest(request: string | undefined): StatusCause[] {
  if (!request) return [required("spec.request")];
  try {
    parseCertificateRequest(Buffer.from(request, "base64").toString("latin1"));
    return [];
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return [invalidValue("spec.request", request, error.message)];
  }
}

function validateConditions(conditions: readonly CertificateSigningRequestCondition[]): StatusCause[] {
  const causes: StatusCause[] = [];
  const types = new Set<string>();
  conditions.forEach(({ type, status }, index) => {
    const at = `status.conditions[${index}]`;
    if (!type) causes.push(required(`${at}.type`));
    if (!status) causes.push(required(`${at}.status`));
    else if (DECISIONS.includes(type) && status !== "True") causes.push(unsupported(`${at}.status`, status, ["True"]));
    else if (!["True", "False", "Unknown"].includes(status))
      causes.push(unsupported(`${at}.status`, status, ["False", "True", "Unknown"]));
    if (types.has(type))
      causes.push({ reason: "FieldValueDuplicate", field: `${at}.type`, message: `Duplicate value: "${type}"` });
    types.add(type);
  });
  if (types.has("Approved") && types.has("Denied"))
    causes.push(invalidValue("status.conditions", "", "Approved and Denied conditions are mutually exclusive"));
  return causes;
}

const decided = ({ status }: CertificateSigningRequest): CertificateSigningRequestCondition[] =>
  (status?.conditions ?? []).filter(({ type }) => DECISIONS.includes(type));

export const certificateSigningRequests = strategyOf<CertificateSigningRequest>({
  prepareForCreate(request, { user }) {
    request.status = {};
    if (!request.spec) return;
    // Whoever asks is written down by the server, not by the asker.
    const extra =
      user.extra && Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]));
    request.spec = defined({
      ...request.spec,
      username: user.username,
      groups: [...user.groups],
      uid: user.uid,
      extra,
    });
  },
  prepareForUpdate(request, previous) {
    request.spec = previous.spec;
  },
  prepareForSubresource(request, previous, subresource, { nowMs }) {
    const present = previous.status?.conditions ?? [];
    const isApproval = subresource === "approval";
    let conditions = request.status?.conditions ?? [];
    if (!isApproval) {
      // A signer reports on its work; it neither approves nor denies, nor takes either back.
      conditions = conditions.filter(({ type }) => type !== "Approved" && type !== "Denied");
      conditions = [...present.filter(({ type }) => type === "Approved" || type === "Denied"), ...conditions];
      const order = new Map((request.status?.conditions ?? []).map(({ type }, index) => [type, index]));
      conditions.sort((a, b) => (order.get(a.type) ?? -1) - (order.get(b.type) ?? -1));
    }
    const now = formatSeconds(nowMs);
    const dated = conditions.map((condition) => {
      const before = present.find(({ type }) => type === condition.type);
      const lastUpdateTime = condition.lastUpdateTime ?? (isApproval || !before ? now : before.lastUpdateTime);
      const kept = before?.status === condition.status ? before?.lastTransitionTime : undefined;
      return defined({ ...condition, lastUpdateTime, lastTransitionTime: condition.lastTransitionTime ?? kept ?? now });
    });
    request.status = defined({ ...request.status, conditions: dated.length > 0 ? dated : undefined });
    if (isApproval) request.status = defined({ ...request.status, certificate: previous.status?.certificate });
  },
  validate: ({ spec }) => [
    ...validateRequest(spec?.request),
    ...(spec?.usages?.length ? [] : [required("spec.usages")]),
    ...(spec?.usages ?? []).flatMap((usage, index) =>
      USAGES.includes(usage) ? [] : [unsupported(`spec.usages[${index}]`, usage, USAGES)],
    ),
    ...validateSigner(spec?.signerName),
    ...(spec?.signerName === "kubernetes.io/legacy-unknown"
      ? [invalidValue("spec.signerName", spec.signerName, "the legacy signerName is not allowed via this API version")]
      : []),
    ...(spec?.expirationSeconds !== undefined && spec.expirationSeconds < LEAST_SECONDS
      ? [
          invalidValue(
            "spec.expirationSeconds",
            spec.expirationSeconds,
            `may not specify a duration less than ${LEAST_SECONDS} seconds (10 minutes)`,
          ),
        ]
      : []),
  ],
  validateUpdate: (now, before) => immutableFields(now, before, ["spec"]),
  validateStatusUpdate(request, previous) {
    const causes = validateConditions(request.status?.conditions ?? []);
    for (const { type } of decided(previous)) {
      if (!decided(request).some((condition) => condition.type === type))
        causes.push(forbiddenField("status.conditions", `updates may not remove a condition of type "${type}"`));
    }
    const certificate = previous.status?.certificate;
    if (certificate && !sameValue(request.status?.certificate, certificate))
      causes.push(forbiddenField("status.certificate", "updates may not modify existing certificate content"));
    const text = request.status?.certificate;
    if (text && text !== certificate && !isCertificates(text))
      causes.push(invalidValue("status.certificate", "<certificate data>", "must contain one or more PEM blocks"));
    return causes;
  },
});

const isCertificates = (base64: string): boolean =>
  Buffer.from(base64, "base64").toString("latin1").includes("-----BEGIN CERTIFICATE-----");
