/**
 * Who may approve and sign: the plugins CertificateApproval, CertificateSigning and CertificateSubjectRestriction in one. Approving and signing need rights
 * upon the signer beside those upon the request.
 */
import type { UserInfo } from "../api.js";
import { forbidden } from "../errors.js";
import { parseCertificateRequest } from "../pki/certificate-request.js";
import { sameValue } from "../registry/strategies/equality.js";
import type { CertificateSigningRequest } from "../schema/generated/types.js";
import type { AccessAttributes } from "../security.js";
import type { AdmissionPlugin } from "./plugin.js";

const GROUP = "certificates.k8s.io";
const RESOURCE = "certificatesigningrequests";
const MASTERS = "system:masters";

export function certificateApprovals(isAllowed: (attributes: AccessAttributes) => boolean): AdmissionPlugin {
  const mayUse = (user: UserInfo, verb: string, signerName: string): boolean =>
    [signerName, `${signerName.split("/")[0]}/*`].some((name) =>
      isAllowed({ user, verb, resource: { group: GROUP, version: "*", resource: "signers", name } }),
    );
  return {
    name: "CertificateApproval",
    validate({ info, operation, subresource, user, name, object, previous }) {
      if (info.resource !== RESOURCE || info.group !== GROUP || !object) return;
      const { spec, status } = object as CertificateSigningRequest;
      const before = previous as CertificateSigningRequest | undefined;
      const refuse = (verb: string): never => {
        const why = `user not permitted to ${verb} requests with signerName ${JSON.stringify(spec.signerName)}`;
        throw forbidden(GROUP, RESOURCE, name, why);
      };
      if (operation === "UPDATE" && subresource === "approval" && !mayUse(user, "approve", spec.signerName))
        refuse("approve");
      if (operation === "UPDATE" && subresource === "status" && before) {
        const isSame =
          sameValue(status?.certificate, before.status?.certificate) &&
          sameValue(status?.conditions, before.status?.conditions);
        if (!isSame && !mayUse(user, "sign", spec.signerName)) refuse("sign");
      }
      if (operation === "CREATE" && spec.signerName === "kubernetes.io/kube-apiserver-client") {
        const { subject } = parseCertificateRequest(Buffer.from(spec.request, "base64").toString("latin1"));
        if (subject.organizations.includes(MASTERS)) {
          const why = `use of ${spec.signerName} signer with ${MASTERS} group is not allowed`;
          throw forbidden(GROUP, RESOURCE, name, why);
        }
      }
    },
  };
}
