/**
 * The admission plugins of this API server, in kube-apiserver's order. Policies and webhooks, which users bring, are put among them by extensions.ts.
 */
import { limitRanger } from "./limit-ranger.js";
import { namespaceLifecycle } from "./namespace-lifecycle.js";
import { nodeRestriction } from "./node-restriction.js";
import type { AdmissionPlugin } from "./plugin.js";
import { defaultTolerationSeconds, priority, runtimeClass, taintNodesByCondition } from "./pod-placement.js";
import { podSecurity } from "./pod-security.js";
import { resourceQuota } from "./resource-quota.js";
import { serviceAccount } from "./service-account.js";
import {
  defaultIngressClass,
  defaultStorageClass,
  persistentVolumeClaimResize,
  storageObjectInUseProtection,
} from "./storage-defaults.js";

export { quotaUsage } from "./resource-quota.js";

/** ResourceQuota comes last: only what everybody else has let through is counted. */
export function admissionPlugins(): readonly AdmissionPlugin[] {
  return [
    namespaceLifecycle,
    limitRanger,
    serviceAccount,
    nodeRestriction,
    taintNodesByCondition,
    podSecurity,
    priority,
    defaultTolerationSeconds,
    defaultStorageClass,
    storageObjectInUseProtection,
    persistentVolumeClaimResize,
    runtimeClass,
    defaultIngressClass,
    resourceQuota,
  ];
}
