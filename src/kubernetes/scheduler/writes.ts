import { type Clock, formatSeconds } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { ClusterLog } from "../cluster.js";
import { isStatusError } from "../errors.js";
import { parseKey } from "../object.js";
import { withCondition } from "../runtime/conditions.js";
import type { EventRecorder } from "../runtime/event-recorder.js";
import { SELECTED_NODE } from "../runtime/volumes.js";
import type { PersistentVolume, PersistentVolumeClaim, Pod, PodStatus } from "../schema/generated/types.js";
import type { VolumeWork } from "./plugins/volumes.js";
import type { PodInfo } from "./pod-info.js";

/** What the scheduler writes beside bindings. Nobody waits for it, except for volumes; what fails is logged and comes right with the next attempt. */
export interface PodWrites {
  /** PodScheduled=False, and the node that preemption cleared for the pod, if any. */
  unschedulable(pod: PodInfo, reason: string, message: string, nominatedNodeName: string | undefined): void;
  gated(key: string, message: string): void;
  clearNomination(pod: PodInfo): void;
  evict(victims: readonly PodInfo[], preemptor: PodInfo, nodeName: string): void;
  /** Resolves once everything is written; rejects with what was refused. */
  prepareVolumes(work: VolumeWork, nodeName: string): Promise<unknown>;
}

export interface PodWritesOptions {
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  events: EventRecorder;
}

export function createPodWrites({ api, clock, log, events }: PodWritesOptions): PodWrites {
  const fire = (what: string, key: string, work: Promise<unknown>): void => {
    const done = work.catch((error: unknown) => {
      // Deleted, or changed by somebody, in the meantime: planning again sorts it out.
      if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict")) return;
      log.warn({ key, error }, `${what} not written`);
    });
    void clock.track(done);
  };

  /** Writes the status that `change` makes of the pod's newest one; nothing when it is gone or stays the same. */
  const status = (
    what: string,
    key: string,
    uid: string | undefined,
    change: (status: PodStatus) => PodStatus,
  ): Promise<unknown> => {
    const pod = api.get<Pod>("pods", parseKey(key));
    if (!pod || (uid !== undefined && pod.metadata.uid !== uid)) return Promise.resolve();
    const present = pod.status ?? {};
    const next = change(present);
    if (next === present) return Promise.resolve();
    const work = api.updateStatus<Pod>("pods", { ...pod, status: next });
    fire(what, key, work);
    return work;
  };

  const notScheduled = (present: PodStatus, reason: string, message: string): PodStatus => {
    const conditions = withCondition(present.conditions, {
      type: "PodScheduled",
      status: "False",
      lastTransitionTime: formatSeconds(clock.now()),
      reason,
      message,
    });
    return conditions === present.conditions ? present : { ...present, conditions };
  };

  return {
    unschedulable(pod, reason, message, nominatedNodeName) {
      status("scheduling condition", pod.key, pod.uid, (present) => {
        const next = notScheduled(present, reason, message);
        if (present.nominatedNodeName === nominatedNodeName) return next;
        const { nominatedNodeName: _old, ...rest } = next;
        return nominatedNodeName ? { ...rest, nominatedNodeName } : rest;
      });
    },
    gated(key, message) {
      status("scheduling condition", key, undefined, (present) => notScheduled(present, "SchedulingGated", message));
    },
    clearNomination(pod) {
      status("nomination", pod.key, pod.uid, ({ nominatedNodeName: _old, ...rest }) => rest);
    },
    evict(victims, preemptor, nodeName) {
      for (const victim of victims) {
        const text = `${SCHEDULER}: preempting to accommodate a higher priority pod`;
        const marked = status("disruption", victim.key, victim.uid, (present) => ({
          ...present,
          conditions: withCondition(present.conditions, {
            type: "DisruptionTarget",
            status: "True",
            lastTransitionTime: formatSeconds(clock.now()),
            reason: "PreemptionByScheduler",
            message: text,
          }),
        }));
        const remove = async (): Promise<void> => {
          await marked.catch(() => {});
          await api.delete("pods", parseKey(victim.key), { preconditions: { uid: victim.uid } });
          events.event(victim.pod, "Normal", "Preempted", `Preempted by pod ${preemptor.uid} on node ${nodeName}`);
        };
        fire("preemption", victim.key, remove());
      }
    },
    prepareVolumes({ provision, bind }, nodeName) {
      const writing: Promise<unknown>[] = [];
      for (const claim of provision) {
        if (claim.metadata.annotations?.[SELECTED_NODE] === nodeName) continue;
        const annotations = { ...claim.metadata.annotations, [SELECTED_NODE]: nodeName };
        const next: PersistentVolumeClaim = { ...claim, metadata: { ...claim.metadata, annotations } };
        writing.push(api.update("persistentvolumeclaims", next));
      }
      for (const { claim, volume } of bind) {
        if (volume.spec?.claimRef) continue;
        const { namespace, name, uid } = claim.metadata;
        const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid };
        const next: PersistentVolume = { ...volume, spec: { ...volume.spec, claimRef } };
        writing.push(api.update("persistentvolumes", next));
      }
      return Promise.all(writing);
    },
  };
}

const SCHEDULER = "default-scheduler";
