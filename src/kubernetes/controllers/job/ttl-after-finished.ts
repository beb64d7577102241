import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { isConditionTrue } from "../../runtime/conditions.js";
import type { Job } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";

/** Deletes finished Jobs `ttlSecondsAfterFinished` after their end. */
const RESOURCE = "jobs.batch";

/** When the job is to go, epoch ms; undefined while it runs or when it may stay. */
export function expiryMs(job: Job): number | undefined {
  const ttl = job.spec?.ttlSecondsAfterFinished;
  const end = job.status?.conditions?.find(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );
  if (ttl === undefined || !end?.lastTransitionTime || job.metadata.deletionTimestamp) return undefined;
  return Date.parse(end.lastTransitionTime) + ttl * 1000;
}

export const ttlAfterFinishedController = (): Controller =>
  defineController({ name: "ttl-after-finished-controller" }, ({ api, clock, queue }) => ({
    async reconcile(key) {
      const job = api.get<Job>(RESOURCE, parseKey(key));
      const atMs = job && expiryMs(job);
      if (!job || atMs === undefined) return;
      if (atMs > clock.now()) return queue.addAfter(key, atMs - clock.now());
      const { namespace, name, uid } = job.metadata;
      try {
        await api.delete(RESOURCE, { namespace, name }, { propagationPolicy: "Foreground", preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    },
    watches: [
      on<Job>(RESOURCE, ({ object }) =>
        object.spec?.ttlSecondsAfterFinished !== undefined &&
        ["Complete", "Failed"].some((type) => isConditionTrue(object.status?.conditions, type))
          ? keyOf(object)
          : undefined,
      ),
    ],
  }));
