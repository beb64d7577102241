import type { Controller } from "../../controller.js";
import { keyOf, parseKey } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { isEmptySelector, matcherOf } from "../../runtime/label-selector.js";
import { controllerOf } from "../../runtime/owners.js";
import { isPodTerminal } from "../../runtime/pods.js";
import type { Deployment, Pod, ReplicaSet } from "../../schema/generated/types.js";
import { claim, createOrphanIndex, ownerKeys } from "../claim.js";
import { defineController, on } from "../define-controller.js";
import { createOwnStatus } from "../own-status.js";
import { isScalingEvent } from "./plan.js";
import { isRolling } from "./replica-sets.js";
import { createRollout, DEPLOYMENTS, REPLICA_SETS, writeStatus } from "./rollout.js";

/**
 * Deployments: one ReplicaSet for every version of the pod template, and pods moved from the old ones to the new one. Here is what wakes the
 * controller and which way a rollout goes; rollout.ts takes the steps.
 */
export const deploymentController = (): Controller =>
  defineController({ name: "deployment-controller" }, (environment) => {
    const own = createOwnStatus();
    const env = { ...environment, own };
    const { api, events, queue } = env;
    const orphans = createOrphanIndex();
    const matches = (deployment: Deployment) => matcherOf(deployment.spec?.selector);

    const reconcile = async (key: string): Promise<void> => {
      const deployment = api.get<Deployment>(DEPLOYMENTS, parseKey(key));
      if (!deployment) return queue.forget(key);
      if (isEmptySelector(deployment.spec?.selector)) {
        events.event(
          deployment,
          "Warning",
          "SelectingAll",
          "This deployment is selecting all pods. A non-empty selector is required.",
        );
        return writeStatus(env, deployment, {
          ...deployment.status,
          observedGeneration: deployment.metadata.generation,
        });
      }
      const sets = await claim<ReplicaSet>({
        api,
        resource: REPLICA_SETS,
        owner: deployment,
        matches: matches(deployment),
        orphans,
      });
      const rollout = createRollout(env, deployment, sets);
      if (deployment.metadata.deletionTimestamp) return rollout.writeCounts();
      await rollout.notePause();
      if (deployment.spec?.paused || isScalingEvent(deployment, sets)) await rollout.scale();
      else if (isRolling(deployment)) await rollout.roll();
      else await rollout.recreate();
    };

    return {
      reconcile,
      watches: [
        on<Deployment>(DEPLOYMENTS, (event) => {
          const { object, previous } = event;
          if (own.isForeign(event)) return keyOf(object);
          const asked = ({ metadata, spec }: Deployment) => [spec, metadata.annotations, metadata.deletionTimestamp];
          return previous && isEqual(asked(previous), asked(object)) ? undefined : keyOf(object);
        }),
        on<ReplicaSet>(REPLICA_SETS, (event) => {
          orphans.observe(event);
          return ownerKeys<Deployment>(api, event, { resource: DEPLOYMENTS, kind: "Deployment", matches });
        }),
        // Recreate waits for the last old pod to be gone.
        on<Pod>("pods", ({ type, object }) => {
          const set = type === "DELETED" || isPodTerminal(object) ? controllerOf(object) : undefined;
          if (set?.kind !== "ReplicaSet") return undefined;
          const { namespace } = object.metadata;
          const owner = controllerOf(
            api.get<ReplicaSet>(REPLICA_SETS, { namespace, name: set.name }) ?? { metadata: {} },
          );
          if (owner?.kind !== "Deployment") return undefined;
          const deployment = api.get<Deployment>(DEPLOYMENTS, { namespace, name: owner.name });
          return deployment && !isRolling(deployment) ? keyOf(deployment) : undefined;
        }),
      ],
    };
  });
