/** Nothing is created in a namespace that does not exist or is going; the namespaces every cluster needs cannot be deleted. */
import { forbidden, isStatusError, notFound, StatusError } from "../errors.js";
import type { Namespace } from "../schema/generated/types.js";
import type { AdmissionPlugin } from "./plugin.js";

const PROTECTED = new Set(["default", "kube-system", "kube-public"]);

/** Review kinds are answered, not stored: they need no namespace. */
const isReview = (group: string): boolean => group === "authorization.k8s.io" || group === "authentication.k8s.io";

export const namespaceLifecycle: AdmissionPlugin = {
  name: "NamespaceLifecycle",
  validate({ operation, info, name, namespace, subresource }, reader) {
    if (info.resource === "namespaces" && info.group === "") {
      if (operation === "DELETE" && !subresource && PROTECTED.has(name))
        throw forbidden("", "namespaces", name, "this namespace may not be deleted");
      return;
    }
    if (operation !== "CREATE" || !info.namespaced || !namespace || isReview(info.group)) return;
    const found = reader.get("namespaces", { name: namespace }) as Namespace | undefined;
    if (!found) throw notFound("", "namespaces", namespace);
    if (found.status?.phase !== "Terminating" && !found.metadata.deletionTimestamp) return;
    const refusal = forbidden(
      info.group,
      info.resource,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
    const cause = {
      reason: "NamespaceTerminating",
      message: `namespace ${namespace} is being terminated`,
      field: "metadata.namespace",
    };
    throw new StatusError(refusal.code, refusal.reason, refusal.message, { ...refusal.details, causes: [cause] });
  },
};

/** True for the refusal of a create in a terminating namespace: controllers give up on it instead of retrying. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  isStatusError(error, "Forbidden") &&
  (error.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");
