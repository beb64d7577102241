import type { Controller } from "../../controller.js";
import { keyOf, parseKey } from "../../object.js";
import { isPodTerminal } from "../../runtime/pods.js";
import type { PersistentVolumeClaim, Pod } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { CLAIMS } from "./binder.js";

/** Makes the claims of generic ephemeral volumes: each pod has its own, which goes with it. */
export const ephemeralVolumeController = (): Controller =>
  defineController({ name: "ephemeral-volume-controller", component: "ephemeral_volume" }, ({ api, events }) => ({
    async reconcile(key) {
      const pod = api.get<Pod>("pods", parseKey(key));
      if (!pod || pod.metadata.deletionTimestamp || isPodTerminal(pod)) return;
      const { namespace, name: podName, uid } = pod.metadata;
      for (const { name: volume, ephemeral } of pod.spec?.volumes ?? []) {
        const template = ephemeral?.volumeClaimTemplate;
        if (!template) continue;
        const name = `${podName}-${volume}`;
        const present = api.get<PersistentVolumeClaim>(CLAIMS, { namespace, name });
        if (present) {
          if (present.metadata.ownerReferences?.some((owner) => owner.uid === uid)) continue;
          const message = `PVC "${namespace}/${name}" was not created for pod "${namespace}/${podName}" (pod is not owner)`;
          events.event(pod, "Warning", "FailedBinding", message);
          continue;
        }
        const owner = { apiVersion: "v1", kind: "Pod", name: podName, uid, controller: true, blockOwnerDeletion: true };
        await api.create<PersistentVolumeClaim>(CLAIMS, {
          metadata: {
            name,
            namespace,
            labels: template.metadata?.labels,
            annotations: template.metadata?.annotations,
            ownerReferences: [owner],
          },
          spec: template.spec,
        });
      }
    },
    watches: [
      on<Pod>("pods", ({ type, object, previous }) =>
        type !== "DELETED" && !previous && object.spec?.volumes?.some(({ ephemeral }) => ephemeral)
          ? keyOf(object)
          : undefined,
      ),
    ],
  }));
