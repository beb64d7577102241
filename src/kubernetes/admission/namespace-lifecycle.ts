/** Nothing is created in a namespace that does not exist or is going; the namespaces every cluster needs cannot be deleted. */
import { forbidden, notFound, StatusError } from "../errors.js";
import type { Namespace } from "../schema/generated/types.js";
import type { AdmissionPlugin } from "./plugin.js";

const PROTECTED = new Set(["default", "kube-system", "kube-public"]);

/** Review kinds are answered, not stored: they need no namespace. */
const isReview = (group: string): boolean => group === "authorization.k8s.io" || group === "authentication.k8s.io";

export const namespaceLifecycle: AdmissionPlugin = {
  name: "NamespaceLifecycle",
  // First of all plugins: the others would complain about what a missing namespace lacks.
  admit({ operation, info, name, namespace }, reader) {
    if (operation !== "CREATE" || !info.namespaced || !namespace || isReview(info.group)) return;
    const found = reader.get("namespaces", { name: namespace }) as Namespace | undefined;
    if (!found) throw notFound("", "namespaces", namespace);
    if (found.status?.phase !== "Terminating" && !found.metadata.deletionTimestamp) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const refusal = forbidden(info.group, info.resource, name, why);
    const message = `namespace ${namespace} is being terminated`;
    const causes = [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }];
    throw new StatusError(refusal.code, refusal.reason, refusal.message, { ...refusal.details, causes });
  },
  validate({ operation, info, name, subresource }) {
    if (operation !== "DELETE" || info.resource !== "namespaces" || info.group !== "" || subresource) return;
    if (PROTECTED.has(name)) throw forbidden("", "namespaces", name, "this namespace may not be deleted");
  },
};
