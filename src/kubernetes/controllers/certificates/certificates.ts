import { formatSeconds } from "../../../clock/clock.js";
import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { type CertificateRequest, parseCertificateRequest } from "../../pki/certificate-request.js";
import { conditionOf, isConditionTrue } from "../../runtime/conditions.js";
import type { CertificateSigningRequest } from "../../schema/generated/types.js";
import type { AccessAttributes } from "../../security.js";
import { defineController, on } from "../define-controller.js";
import { KUBELET_CLIENT, KUBELET_SERVING, kubeletClientProblem, kubeletServingProblem, signerOf } from "./signers.js";

/**
 * Approves what kubelets ask for, signs what was approved, and clears away what is old: upstream's csrapproving, csrsigning and csrcleaner controllers,
 * which share one service account.
 */
const RESOURCE = "certificatesigningrequests.certificates.k8s.io";
const HOUR_MS = 3_600_000;
/** --cluster-signing-duration */
const DURATION_MS = 365 * 24 * HOUR_MS;
const LEAST_MS = 600_000;
const BACKDATE_MS = 300_000;
/** Validities under this are given in full after the present moment, longer ones together with the backdating. */
const SHORT_MS = 8 * HOUR_MS;
/** How long requests are kept: those that were decided or failed, and those that nobody looked at. */
const KEEP_DECIDED_MS = HOUR_MS;
const KEEP_PENDING_MS = 24 * HOUR_MS;

export interface SigningOptions {
  /** The signer's certificate and key, PEM. */
  authority(): { caCert: string; caKey: string };
  /** Asks all authorizers about somebody. */
  isAllowed(attributes: AccessAttributes): boolean;
  /** Names of signers beside Kubernetes' own, which certify any server. */
  servingSigners: readonly string[];
}

type Parsed = { request: CertificateRequest } | { problem: string };

function parsed({ spec }: CertificateSigningRequest): Parsed {
  try {
    return { request: parseCertificateRequest(Buffer.from(spec.request, "base64").toString("latin1")) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Kinds of requests that are approved without anybody looking: the permission that the asker needs, and what is said. */
const RECOGNISED: readonly {
  subresource: string;
  message: string;
  matches(object: CertificateSigningRequest, request: CertificateRequest): boolean;
}[] = [
  {
    subresource: "selfnodeclient",
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    matches: ({ spec }, request) =>
      spec.signerName === KUBELET_CLIENT &&
      spec.username === request.subject.commonName &&
      !kubeletClientProblem(request, spec),
  },
  {
    subresource: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
    matches: ({ spec }, request) => spec.signerName === KUBELET_CLIENT && !kubeletClientProblem(request, spec),
  },
  {
    // Not upstream's: managed clusters approve the serving certificates of their own nodes.
    subresource: "selfnodeserver",
    message: "Auto approving self kubelet server certificate after SubjectAccessReview.",
    matches: ({ spec }, request) =>
      spec.signerName === KUBELET_SERVING &&
      spec.username === request.subject.commonName &&
      !kubeletServingProblem(request, spec),
  },
];

export const certificateController = ({ authority, isAllowed, servingSigners }: SigningOptions): Controller =>
  defineController({ name: "certificate-controller" }, ({ api, clock, log, queue }) => {
    const update = (
      object: CertificateSigningRequest,
      subresource: "approval" | "status",
      status: CertificateSigningRequest["status"],
    ) => api.update<CertificateSigningRequest>(RESOURCE, { ...object, status }, { subresource });

    const mayAsk = ({ spec }: CertificateSigningRequest, subresource: string): boolean =>
      isAllowed({
        user: { username: spec.username ?? "", uid: spec.uid, groups: spec.groups ?? [], extra: spec.extra },
        verb: "create",
        resource: { group: "certificates.k8s.io", version: "*", resource: "certificatesigningrequests", subresource },
      });

    const approve = async (object: CertificateSigningRequest): Promise<boolean> => {
      const content = parsed(object);
      if ("problem" in content) return false;
      const recognised = RECOGNISED.filter(({ matches }) => matches(object, content.request));
      const granted = recognised.find(({ subresource }) => mayAsk(object, subresource));
      if (!granted) return false;
      const condition = { type: "Approved", status: "True", reason: "AutoApproved", message: granted.message };
      const conditions = [...(object.status?.conditions ?? []), condition];
      await update(object, "approval", { ...object.status, conditions });
      return true;
    };

    const fail = async (object: CertificateSigningRequest, message: string): Promise<void> => {
      const now = formatSeconds(clock.now());
      const condition = { type: "Failed", status: "True", reason: "SignerValidationFailure", message };
      const conditions = [...(object.status?.conditions ?? []), { ...condition, lastUpdateTime: now }];
      await update(object, "status", { ...object.status, conditions });
    };

    const sign = async (object: CertificateSigningRequest): Promise<void> => {
      const judge = signerOf(object.spec.signerName, servingSigners);
      if (!judge) return;
      const content = parsed(object);
      const problem = "problem" in content ? content.problem : judge(content.request, object.spec);
      if (problem !== undefined || "problem" in content) return fail(object, problem ?? "");
      if (!content.request.isSigned) return fail(object, "unable to verify certificate request signature");
      const { signRequest } = await import("../../pki/certificates.js");
      const askedMs = (object.spec.expirationSeconds ?? Number.POSITIVE_INFINITY) * 1000;
      const validMs = Math.max(LEAST_MS, Math.min(DURATION_MS, askedMs));
      const nowMs = clock.now();
      const certificate = signRequest({
        request: content.request,
        usages: object.spec.usages ?? [],
        ...authority(),
        notBeforeMs: nowMs - BACKDATE_MS,
        notAfterMs: validMs < SHORT_MS ? nowMs + validMs : nowMs + validMs - BACKDATE_MS,
      });
      const base64 = Buffer.from(certificate).toString("base64");
      await update(object, "status", { ...object.status, certificate: base64 });
    };

    /** Removes what has been kept long enough; otherwise comes back when it will have been. */
    const clean = async (object: CertificateSigningRequest): Promise<void> => {
      const { status, metadata } = object;
      const decided = conditionOf(status?.conditions, "Denied") ?? conditionOf(status?.conditions, "Failed");
      const approved = conditionOf(status?.conditions, "Approved");
      const issued = status?.certificate !== undefined;
      const since = decided ?? approved;
      const sinceMs = Date.parse(since?.lastUpdateTime ?? metadata.creationTimestamp);
      // Approved ones that nobody signs wait as long as those that nobody approves.
      const keepMs = decided || (approved && issued) ? KEEP_DECIDED_MS : KEEP_PENDING_MS;
      const leftMs = sinceMs + keepMs - clock.now();
      if (leftMs > 0) return queue.addAfter(metadata.name, leftMs);
      log.debug({ request: metadata.name }, "removes an old certificate signing request");
      await api.delete(RESOURCE, { name: metadata.name }, { preconditions: { uid: metadata.uid } });
    };

    return {
      async reconcile(name) {
        const object = api.get<CertificateSigningRequest>(RESOURCE, { name });
        if (!object) return queue.forget(name);
        const { conditions, certificate } = object.status ?? {};
        const is = (type: string): boolean => isConditionTrue(conditions, type);
        try {
          if (certificate === undefined && !is("Denied") && !is("Failed")) {
            if (!is("Approved") && (await approve(object))) return;
            if (is("Approved") && signerOf(object.spec.signerName, servingSigners)) return await sign(object);
          }
          await clean(object);
        } catch (error) {
          // Somebody else's change brings us back.
          if (!isStatusError(error, "NotFound") && !isStatusError(error, "Conflict")) throw error;
        }
      },
      watches: [
        on<CertificateSigningRequest>(RESOURCE, ({ type, object }) =>
          type === "DELETED" ? undefined : object.metadata.name,
        ),
      ],
    };
  });
