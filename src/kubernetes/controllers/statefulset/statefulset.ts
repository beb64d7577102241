import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { orAbsent } from "../../runtime/absent.js";
import { isEqual } from "../../runtime/hash.js";
import { isEmptySelector, matcherOf } from "../../runtime/label-selector.js";
import { controllerOf, controllerReference } from "../../runtime/owners.js";
import { msUntilAvailable } from "../../runtime/pods.js";
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from "../../schema/generated/types.js";
import { claim, createOrphanIndex, ownerKeys } from "../claim.js";
import { defineController, on } from "../define-controller.js";
import { isNamespaceTerminating, messageOf } from "../pod-control.js";
import { type History, REVISIONS, syncHistory, trimHistory } from "../revision-history.js";
import { claimsOf, ordinalOf, podName, replicasOf, revisionOf, startOf, statefulPod } from "./identity.js";
import { planSteps, type StatefulView, type Step, statefulStatus } from "./plan.js";

/** StatefulSets: pods with a name, a place in the order and storage of their own. Decisions are in plan.ts, names in identity.ts. */
const RESOURCE = "statefulsets.apps";
const CLAIMS = "persistentvolumeclaims";
const TAKEN_RETRY_MS = 10_000;

export const statefulSetController = (): Controller =>
  defineController({ name: "statefulset-controller" }, (env) => {
    const { api, clock, events, queue } = env;
    const podOrphans = createOrphanIndex();
    const revisionOrphans = createOrphanIndex();
    const matches = (set: StatefulSet) => matcherOf(set.spec?.selector);

    const reconcile = async (key: string): Promise<void> => {
      const set = api.get<StatefulSet>(RESOURCE, parseKey(key));
      if (!set) return queue.forget(key);
      // Making anything for a set that goes would only keep the garbage collector busy.
      if (isEmptySelector(set.spec?.selector) || set.metadata.deletionTimestamp) return;
      const revisions = await claim<ControllerRevision>({
        api,
        resource: REVISIONS,
        owner: set,
        matches: matches(set),
        orphans: revisionOrphans,
      });
      const history = await syncHistory(api, set, set.spec?.template ?? {}, revisions, async (collisionCount) => {
        const status = set.status ?? { replicas: 0 };
        await api.updateStatus<StatefulSet>(RESOURCE, { ...set, status: { ...status, collisionCount } });
      });
      const view = await viewOf(set, history);
      const steps = planSteps(view);
      try {
        // Before anything is deleted: claims go by the owners that they have then.
        await keepClaims(set, view.pods);
        for (const step of steps) await take(set, step, history, view.currentRevision);
      } catch (error) {
        // The pod of an earlier set of this name is still there: its end brings us back, and so does time if it is somebody else's.
        if (isStatusError(error, "AlreadyExists")) queue.addAfter(key, TAKEN_RETRY_MS);
        else if (!isNamespaceTerminating(error)) throw error;
      } finally {
        await writeStatus(await viewOf(set, history));
      }
      const live = new Set(view.pods.map((pod) => revisionOf(pod)));
      const status = api.get<StatefulSet>(RESOURCE, set.metadata)?.status;
      const isLive = (hash: string): boolean => {
        const name = `${set.metadata.name}-${hash}`;
        return live.has(name) || name === status?.currentRevision;
      };
      await trimHistory(api, history, set.spec?.revisionHistoryLimit ?? 10, isLive);
      scheduleAvailability(key, set, view);
    };

    const viewOf = async (set: StatefulSet, history: History): Promise<StatefulView> => {
      const isMember = (pod: Pod): boolean => ordinalOf(set, pod) !== undefined;
      const pods = await claim<Pod>({
        api,
        resource: "pods",
        owner: set,
        matches: matches(set),
        orphans: podOrphans,
        adoptable: isMember,
      });
      const updateRevision = history.current.metadata.name;
      const known = [history.current, ...history.old].some(
        ({ metadata }) => metadata.name === set.status?.currentRevision,
      );
      const currentRevision = known ? (set.status?.currentRevision ?? updateRevision) : updateRevision;
      return { set, pods: pods.filter(isMember), currentRevision, updateRevision, nowMs: clock.now() };
    };

    const take = async (set: StatefulSet, step: Step, history: History, currentRevision: string): Promise<void> => {
      if (step.kind === "create") {
        const old = history.old.find(({ metadata }) => metadata.name === currentRevision);
        return create(set, step.ordinal, step.revision === "current" && old ? old : history.current);
      }
      const { namespace, name, uid } = step.pod.metadata;
      if (step.kind === "recreate") {
        events.event(
          set,
          "Warning",
          "RecreatingFailedPod",
          `StatefulSet ${keyOf(set)} is recreating failed Pod ${name}`,
        );
      }
      await announced(set, "Delete", `Pod ${name} in StatefulSet ${set.metadata.name}`, async () => {
        try {
          await api.delete("pods", { namespace, name }, { preconditions: { uid } });
        } catch (error) {
          if (!isStatusError(error, "NotFound")) throw error;
        }
      });
    };

    const create = async (set: StatefulSet, ordinal: number, revision: ControllerRevision): Promise<void> => {
      const name = podName(set, ordinal);
      // A claim that goes with an earlier pod of that name has to be gone first; its end brings us back.
      if (presentClaims(set, ordinal).some((claim) => isStale(claim, name))) return;
      await createClaims(set, ordinal);
      await announced(set, "Create", `Pod ${name} in StatefulSet ${set.metadata.name}`, () =>
        api.create<Pod>("pods", statefulPod(set, ordinal, revision)),
      );
    };

    const presentClaims = (set: StatefulSet, ordinal: number): PersistentVolumeClaim[] =>
      claimsOf(set, ordinal).flatMap(
        ({ metadata: { namespace, name = "" } }) => api.get<PersistentVolumeClaim>(CLAIMS, { namespace, name }) ?? [],
      );

    const isStale = (claim: PersistentVolumeClaim, name: string): boolean =>
      claim.metadata.ownerReferences?.some((owner) => owner.kind === "Pod" && owner.name === name) ?? false;

    const createClaims = async (set: StatefulSet, ordinal: number): Promise<void> => {
      const name = podName(set, ordinal);
      for (const draft of claimsOf(set, ordinal)) {
        if (api.get(CLAIMS, { namespace: set.metadata.namespace, name: draft.metadata.name ?? "" })) continue;
        await announced(
          set,
          "Create",
          `Claim ${draft.metadata.name} Pod ${name} in StatefulSet ${set.metadata.name}`,
          () => api.create<PersistentVolumeClaim>(CLAIMS, draft),
          "success",
        );
      }
    };

    /** Does it and tells how it went, in upstream's words. */
    const announced = async (
      set: StatefulSet,
      verb: "Create" | "Delete",
      what: string,
      work: () => Promise<unknown>,
      done = "successful",
    ): Promise<void> => {
      try {
        await work();
        events.event(set, "Normal", `Successful${verb}`, `${verb} ${what} ${done}`);
      } catch (error) {
        if (!isNamespaceTerminating(error) && !isStatusError(error, "AlreadyExists"))
          events.event(set, "Warning", `Failed${verb}`, `${verb} ${what} failed error: ${messageOf(error)}`);
        throw error;
      }
    };

    /**
     * The claims that pods have or should have. persistentVolumeClaimRetentionPolicy: those that are to go with the set, or with a pod that is scaled away,
     * are owned by it.
     */
    const keepClaims = async (set: StatefulSet, pods: readonly Pod[]): Promise<void> => {
      if (!set.spec?.volumeClaimTemplates?.length) return;
      for (const pod of pods) {
        const ordinal = ordinalOf(set, pod) ?? 0;
        const isCondemned = ordinal < startOf(set) || ordinal >= startOf(set) + replicasOf(set);
        if (pod.status?.phase === "Pending" && !isCondemned && !pod.metadata.deletionTimestamp)
          await createClaims(set, ordinal);
        for (const claim of presentClaims(set, ordinal)) await own(set, pod, claim, isCondemned);
      }
    };

    const own = async (
      set: StatefulSet,
      pod: Pod,
      claim: PersistentVolumeClaim,
      isCondemned: boolean,
    ): Promise<void> => {
      const { whenDeleted, whenScaled } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
      const ours = new Set([set.metadata.uid, pod.metadata.uid]);
      const foreign = (claim.metadata.ownerReferences ?? []).filter(({ uid }) => !ours.has(uid));
      const withPod = isCondemned && whenScaled === "Delete";
      const withSet = whenDeleted === "Delete" && !withPod;
      // What another controller owns is not ours to give away.
      const owner = foreign.some(({ controller }) => controller)
        ? undefined
        : withPod
          ? pod
          : withSet
            ? set
            : undefined;
      const ownerReferences = orAbsent([...foreign, ...(owner ? [controllerReference(owner)] : [])]);
      if (isEqual(ownerReferences, claim.metadata.ownerReferences)) return;
      await api.update<PersistentVolumeClaim>(CLAIMS, { ...claim, metadata: { ...claim.metadata, ownerReferences } });
    };

    const writeStatus = async (view: StatefulView): Promise<void> => {
      const present = api.get<StatefulSet>(RESOURCE, view.set.metadata);
      if (!present || present.metadata.uid !== view.set.metadata.uid) return;
      const status = statefulStatus(view);
      if (!isEqual(status, present.status)) await api.updateStatus<StatefulSet>(RESOURCE, { ...present, status });
    };

    const scheduleAvailability = (key: string, set: StatefulSet, view: StatefulView): void => {
      const minReadySeconds = set.spec?.minReadySeconds ?? 0;
      if (minReadySeconds === 0) return;
      for (const pod of view.pods) {
        const waitMs = msUntilAvailable(pod, minReadySeconds, view.nowMs);
        if (waitMs) queue.addAfter(key, waitMs);
      }
    };

    return {
      reconcile,
      watches: [
        on<StatefulSet>(RESOURCE, ({ object }) => keyOf(object)),
        on<ControllerRevision>(REVISIONS, (event) => {
          revisionOrphans.observe(event);
          return event.type === "ADDED"
            ? undefined
            : ownerKeys<StatefulSet>(api, event, { resource: RESOURCE, kind: "StatefulSet", matches });
        }),
        // A claim that goes may be the one that a new pod waits for.
        on<PersistentVolumeClaim>(CLAIMS, ({ type, object }) => {
          const pod = type === "DELETED" ? controllerOf(object) : undefined;
          if (pod?.kind !== "Pod") return undefined;
          const { namespace } = object.metadata;
          return `${namespace}/${pod.name.replace(/-\d+$/, "")}`;
        }),
        on<Pod>("pods", (event) => {
          podOrphans.observe(event);
          return ownerKeys<StatefulSet>(api, event, { resource: RESOURCE, kind: "StatefulSet", matches });
        }),
      ],
    };
  });
