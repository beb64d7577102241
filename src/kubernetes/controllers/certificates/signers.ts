import type { CertificateRequest } from "../../pki/certificate-request.js";
import type { CertificateSigningRequestSpec } from "../../schema/generated/types.js";

/** The signers of the cluster and what each of them signs. Upstream: pkg/controller/certificates/signer and pkg/apis/certificates/helpers.go. */

/** Why a signer does not sign a request; undefined when it does. */
type Judge = (request: CertificateRequest, spec: CertificateSigningRequestSpec) => string | undefined;

const NODE_USER = "system:node:";
const NODES = "system:nodes";

/** The usages must be the required one and nothing but the optional ones beside it. */
function usageProblem(kind: string, required: string, usages: readonly string[] = []): string | undefined {
  const foreign = usages.find((usage) => ![required, "digital signature", "key encipherment"].includes(usage));
  if (foreign) return `invalid usage for ${kind} certificate: ${foreign}`;
  return usages.includes(required) ? undefined : `missing required usage for ${kind} certificate: ${required}`;
}

/** Kubelets ask for exactly these; key encipherment is left out with elliptic keys. */
const hasKubeletUsages = (required: string, usages: readonly string[] = []): boolean =>
  usages.includes(required) &&
  usages.includes("digital signature") &&
  usages.every((usage) => [required, "digital signature", "key encipherment"].includes(usage));

function subjectProblem({ subject }: CertificateRequest): string | undefined {
  if (subject.organizations.length !== 1 || subject.organizations[0] !== NODES)
    return "subject organization is not system:nodes";
  return subject.commonName.startsWith(NODE_USER) ? undefined : "subject common name does not begin with system:node:";
}

export const kubeletClientProblem: Judge = (request, { usages }) => {
  if (request.dnsNames.length > 0) return "DNS subjectAltNames are not allowed";
  if (request.emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (request.ipAddresses.length > 0) return "IP subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  const wrong = subjectProblem(request);
  if (wrong) return wrong;
  return hasKubeletUsages("client auth", usages)
    ? undefined
    : "usages did not match [client auth digital signature key encipherment]";
};

export const kubeletServingProblem: Judge = (request, { usages }) => {
  const wrong = subjectProblem(request);
  if (wrong) return wrong;
  if (request.dnsNames.length === 0 && request.ipAddresses.length === 0)
    return "at least one DNS or IP subjectAltName is required";
  if (request.emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  return hasKubeletUsages("server auth", usages)
    ? undefined
    : "usages did not match [server auth digital signature key encipherment]";
};

export const KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet";
export const KUBELET_SERVING = "kubernetes.io/kubelet-serving";

const SIGNERS: Readonly<Record<string, Judge>> = {
  "kubernetes.io/kube-apiserver-client": (_request, { usages }) => usageProblem("client", "client auth", usages),
  [KUBELET_CLIENT]: kubeletClientProblem,
  [KUBELET_SERVING]: kubeletServingProblem,
};

/** The signer of that name; `serving` are names of signers beside Kubernetes' own, which certify any server. */
export function signerOf(name: string, serving: readonly string[]): Judge | undefined {
  if (serving.includes(name)) return (_request, { usages }) => usageProblem("serving", "server auth", usages);
  return Object.hasOwn(SIGNERS, name) ? SIGNERS[name] : undefined;
}
