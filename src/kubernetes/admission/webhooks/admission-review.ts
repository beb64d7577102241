/** AdmissionReview, there and back: what a webhook is sent, and what its answer may say. Texts are those of apiserver's `webhook/request`. */
import { StatusError } from "../../errors.js";
import type { KubeObject } from "../../object.js";
import type { ReviewedRequest } from "../review.js";
import { WebhookCallError } from "./failures.js";

export interface AdmissionAnswer {
  allowed: boolean;
  /** The refusal in the webhook's words. */
  status?: { code?: number; message?: string; reason?: string; details?: StatusError["details"] };
  /** JSON patch operations; absent for none. */
  patch?: unknown[];
  warnings: readonly string[];
}

const VERSIONS = ["v1", "v1beta1"] as const;

/** The version of AdmissionReview to speak: the first that both sides know. */
export const reviewVersionOf = (versions: readonly string[]): string | undefined =>
  versions.find((version) => VERSIONS.some((known) => known === version));

export function admissionReview(
  version: string,
  uid: string,
  request: ReviewedRequest,
  { object, previous }: { object: KubeObject | undefined; previous: KubeObject | undefined },
): Record<string, unknown> {
  return {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: { uid, ...request, object: object ?? null, oldObject: previous ?? null },
  };
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Throws WebhookCallError for an answer that is none. */
export function readAnswer(version: string, uid: string, mutating: boolean, body: unknown): AdmissionAnswer {
  const refuse = (why: string): never => {
    throw new WebhookCallError(why);
  };
  const review = isObject(body) ? body : refuse("couldn't get version/kind; json: cannot unmarshal into Go value");
  const response = isObject(review.response) ? review.response : refuse("webhook response was absent");
  if (version === "v1") {
    const wanted = "admission.k8s.io/v1, Kind=AdmissionReview";
    const got = `${review.apiVersion ?? ""}, Kind=${review.kind ?? ""}`;
    if (got !== wanted) refuse(`expected webhook response of ${wanted}, got ${got}`);
    if (response.uid !== uid)
      refuse(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`);
  }
  const { patch, patchType } = response;
  const hasPatch = typeof patch === "string" && patch !== "";
  if (version === "v1" && mutating) {
    if (hasPatch && !patchType) refuse("webhook returned response.patch but not response.patchType");
    if (!hasPatch && patchType) refuse("webhook returned response.patchType but not response.patch");
    if (patchType && patchType !== "JSONPatch")
      refuse(`webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`);
  }
  const warnings = Array.isArray(response.warnings) ? response.warnings.map(String) : [];
  return {
    allowed: response.allowed === true,
    ...(isObject(response.status) ? { status: response.status as AdmissionAnswer["status"] } : {}),
    ...(mutating && hasPatch ? { patch: decodePatch(patch, refuse) } : {}),
    warnings,
  };
}

function decodePatch(text: string, refuse: (why: string) => never): unknown[] {
  try {
    const operations: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    if (Array.isArray(operations)) return operations;
    if (operations === null) return [];
  } catch {
    // Said below: what is no JSON is no patch either.
  }
  return refuse(
    "received undecodable patch in webhook response: json: cannot unmarshal into Go value of type jsonpatch.Patch",
  );
}

/** The refusal that the client gets to see. */
export function rejection(name: string, status: AdmissionAnswer["status"]): StatusError {
  const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
  const { code = 0, message, reason = "", details } = status ?? {};
  const text = message ? `${denied}: ${message}` : reason ? `${denied}: ${reason}` : `${denied} without explanation`;
  return new StatusError(code < 400 ? 400 : code, reason, text, details);
}
