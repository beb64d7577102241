import type { UserInfo } from "../api.js";
import type { Controller, ControllerContext } from "../controller.js";
import { apiServiceController } from "./api-services.js";
import { cronJobController } from "./cronjob/cronjob.js";
import { daemonSetController } from "./daemonset/daemonset.js";
import { deploymentController } from "./deployment/deployment.js";
import { disruptionController } from "./disruption.js";
import { endpointSliceController } from "./endpoints/endpoint-slice.js";
import { endpointsController } from "./endpoints/endpoints.js";
import { kubernetesServiceController } from "./endpoints/kubernetes-service.js";
import { endpointSliceMirroringController } from "./endpoints/mirroring.js";
import { eventTtlController } from "./event-ttl.js";
import { garbageCollector } from "./garbage-collector.js";
import { horizontalPodAutoscalerController } from "./hpa/hpa.js";
import { jobController } from "./job/job.js";
import { ttlAfterFinishedController } from "./job/ttl-after-finished.js";
import { namespaceController } from "./namespace.js";
import { cloudNodeController, cloudNodeLifecycleController } from "./node/cloud-node.js";
import { nodeLifecycleController } from "./node/node-lifecycle.js";
import { podGcController } from "./node/pod-gc.js";
import { taintEvictionController } from "./node/taint-eviction.js";
import { replicaSetController, replicationControllerController } from "./replicaset.js";
import { resourceQuotaController } from "./resource-quota.js";
import { rootCaCertPublisher, serviceAccountController } from "./service-account.js";
import { serviceAddressController } from "./service-addresses.js";
import { serviceCidrController } from "./service-cidrs.js";
import { statefulSetController } from "./statefulset/statefulset.js";
import { attachDetachController } from "./volumes/attacher.js";
import { volumeBinderController } from "./volumes/binder.js";
import { csiNodeController } from "./volumes/csi-nodes.js";
import { ephemeralVolumeController } from "./volumes/ephemeral.js";
import {
  attributesProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from "./volumes/protection.js";
import { volumeProvisionerController } from "./volumes/provisioner.js";
import { volumeResizerController } from "./volumes/resizer.js";

/** The controller manager: every controller of the cluster. Adding one is a file in this folder and a line here. */
const CONTROLLERS: readonly (() => Controller)[] = [
  serviceAccountController,
  rootCaCertPublisher,
  namespaceController,
  garbageCollector,
  nodeLifecycleController,
  taintEvictionController,
  podGcController,
  cloudNodeController,
  cloudNodeLifecycleController,
  deploymentController,
  replicaSetController,
  replicationControllerController,
  daemonSetController,
  statefulSetController,
  jobController,
  ttlAfterFinishedController,
  cronJobController,
  resourceQuotaController,
  endpointsController,
  endpointSliceController,
  endpointSliceMirroringController,
  kubernetesServiceController,
  disruptionController,
  horizontalPodAutoscalerController,
  volumeBinderController,
  volumeProvisionerController,
  ephemeralVolumeController,
  attachDetachController,
  claimProtectionController,
  volumeProtectionController,
  attributesProtectionController,
  volumeResizerController,
  csiNodeController,
  eventTtlController,
  serviceAddressController,
  serviceCidrController,
  apiServiceController,
];

export const controllers = (): Controller[] => CONTROLLERS.map((create) => create());

/** The service account that a controller acts as, as kube-controller-manager does with --use-service-account-credentials. */
const userOf = (name: string): UserInfo => ({
  username: `system:serviceaccount:kube-system:${name}`,
  groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
});

/** Field manager of everything that runs inside the controller manager. */
const FIELD_MANAGER = "kube-controller-manager";

/** Starts all of them (or `chosen`), each as its own service account; returns how to stop. */
export function startControllers(
  context: ControllerContext,
  chosen: readonly Controller[] = controllers(),
): () => void {
  const stops = chosen.map((controller) =>
    controller.start({ ...context, api: context.api.as(userOf(controller.name), FIELD_MANAGER) }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}
