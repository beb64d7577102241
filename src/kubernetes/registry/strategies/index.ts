/** The table of strategies: which rules belong to which resource. Adding a kind's rules = one entry here. */
import type { Strategy } from "../strategy.js";
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "./admission-policies.js";
import { horizontalPodAutoscalers } from "./autoscaling.js";
import { cronJobs, jobs } from "./batch.js";
import { certificateSigningRequests } from "./certificates.js";
import { events, leases, limitRanges, namespaces, nodes, resourceQuotas, runtimeClasses } from "./cluster-objects.js";
import { configMaps, secrets } from "./config.js";
import { deviceClasses, resourceClaims, resourceClaimTemplates, resourceSlices } from "./devices.js";
import { apiServices, flowSchemas, priorityLevelConfigurations } from "./extension-configs.js";
import {
  endpointSlices,
  endpoints,
  ingressClasses,
  ingresses,
  ipAddresses,
  networkPolicies,
  serviceCidrs,
} from "./networking.js";
import { pods, podTemplates } from "./pods.js";
import { podDisruptionBudgets, priorityClasses } from "./policy.js";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "./rbac.js";
import { servicesStrategy } from "./services.js";
import { csiDrivers, persistentVolumeClaims, persistentVolumes, storageClasses } from "./storage.js";
import { csiNodes, csiStorageCapacities, volumeAttachments, volumeAttributesClasses } from "./storage-drivers.js";
import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from "./webhook-configs.js";
import {
  controllerRevisions,
  daemonSets,
  deployments,
  replicaSets,
  replicationControllers,
  statefulSets,
} from "./workloads.js";

export { fromStoredVersion, storedResource, toStoredVersion } from "./conversion.js";

const STRATEGIES: Readonly<Record<string, Strategy>> = {
  configmaps: configMaps,
  endpoints,
  events,
  limitranges: limitRanges,
  namespaces,
  nodes,
  persistentvolumeclaims: persistentVolumeClaims,
  persistentvolumes: persistentVolumes,
  pods,
  podtemplates: podTemplates,
  replicationcontrollers: replicationControllers,
  resourcequotas: resourceQuotas,
  secrets,
  "apiservices.apiregistration.k8s.io": apiServices,
  "certificatesigningrequests.certificates.k8s.io": certificateSigningRequests,
  "clusterrolebindings.rbac.authorization.k8s.io": clusterRoleBindings,
  "clusterroles.rbac.authorization.k8s.io": clusterRoles,
  "controllerrevisions.apps": controllerRevisions,
  "cronjobs.batch": cronJobs,
  "csidrivers.storage.k8s.io": csiDrivers,
  "csinodes.storage.k8s.io": csiNodes,
  "csistoragecapacities.storage.k8s.io": csiStorageCapacities,
  "daemonsets.apps": daemonSets,
  "deployments.apps": deployments,
  "deviceclasses.resource.k8s.io": deviceClasses,
  "endpointslices.discovery.k8s.io": endpointSlices,
  "flowschemas.flowcontrol.apiserver.k8s.io": flowSchemas,
  "horizontalpodautoscalers.autoscaling": horizontalPodAutoscalers,
  "ingressclasses.networking.k8s.io": ingressClasses,
  "ingresses.networking.k8s.io": ingresses,
  "ipaddresses.networking.k8s.io": ipAddresses,
  "jobs.batch": jobs,
  "leases.coordination.k8s.io": leases,
  "mutatingadmissionpolicies.admissionregistration.k8s.io": mutatingAdmissionPolicies,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": mutatingAdmissionPolicyBindings,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": mutatingWebhookConfigurations,
  "networkpolicies.networking.k8s.io": networkPolicies,
  "poddisruptionbudgets.policy": podDisruptionBudgets,
  "priorityclasses.scheduling.k8s.io": priorityClasses,
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priorityLevelConfigurations,
  "replicasets.apps": replicaSets,
  "resourceclaims.resource.k8s.io": resourceClaims,
  "resourceclaimtemplates.resource.k8s.io": resourceClaimTemplates,
  "resourceslices.resource.k8s.io": resourceSlices,
  "rolebindings.rbac.authorization.k8s.io": roleBindings,
  "roles.rbac.authorization.k8s.io": roles,
  "runtimeclasses.node.k8s.io": runtimeClasses,
  "servicecidrs.networking.k8s.io": serviceCidrs,
  "statefulsets.apps": statefulSets,
  "storageclasses.storage.k8s.io": storageClasses,
  "validatingadmissionpolicies.admissionregistration.k8s.io": validatingAdmissionPolicies,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": validatingAdmissionPolicyBindings,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": validatingWebhookConfigurations,
  "volumeattachments.storage.k8s.io": volumeAttachments,
  "volumeattributesclasses.storage.k8s.io": volumeAttributesClasses,
};

/** The rules of a resource (`pods`, `deployments.apps`); undefined for kinds that have none beyond the generic ones. */
export type StrategyLookup = (resourceName: string) => Strategy | undefined;

/** `serviceCidr`, e.g. `10.100.0.0/16`: where Services get their cluster IPs. */
export function createStrategies({ serviceCidr }: { serviceCidr: string }): StrategyLookup {
  const services = servicesStrategy(serviceCidr);
  return (resourceName) => (resourceName === "services" ? services : STRATEGIES[resourceName]);
}

/** For uses without a cluster of their own (tests, tools): cluster IPs come from Kubernetes' customary range. */
export const strategyFor: StrategyLookup = createStrategies({ serviceCidr: "10.96.0.0/12" });
