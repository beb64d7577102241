import { quotaUsage } from "../admission/resource-quota.js";
import type { Controller } from "../controller.js";
import { type KubeObject, keyOf, parseKey } from "../object.js";
import { isEqual } from "../runtime/hash.js";
import { isPodTerminal } from "../runtime/pods.js";
import type { Pod, ResourceQuota } from "../schema/generated/types.js";
import { defineController, on } from "./define-controller.js";
import { servedResources } from "./served-resources.js";

/** ResourceQuota status: the limits in force and what is used of them. Enforcement is admission's, which counts for itself. */
const RESOURCE = "resourcequotas";
/** Many changes in a row are counted together. */
const GATHER_MS = 100;
/** Changes of a status alone are not looked at, but every so often everything is counted again: upstream's --resource-quota-sync-period. */
const RESYNC_MS = 5 * 60_000;

export const resourceQuotaController = (): Controller =>
  defineController({ name: "resourcequota-controller" }, (env) => {
    const { api, queue, clock } = env;
    const reader = { list: (resource: string, namespace?: string) => api.list(resource, { namespace }) };
    /** Keys of the quotas of each namespace; most have none, and then nothing is looked at. */
    const quotas = new Map<string, Set<string>>();

    const countable = servedResources(
      env,
      ({ namespaced, resource }) => namespaced && !["events", "leases", RESOURCE].includes(resource),
    );

    const resync = (): void => {
      for (const keys of quotas.values()) for (const key of keys) queue.add(key);
      timer = clock.timer(RESYNC_MS, resync);
    };
    let timer = clock.timer(RESYNC_MS, resync);

    return {
      stop: () => timer.cancel(),
      async reconcile(key) {
        const quota = api.get<ResourceQuota>(RESOURCE, parseKey(key));
        if (!quota) return queue.forget(key);
        const hard = quota.spec?.hard ?? {};
        const status = { hard, used: { ...quotaUsage(quota, reader) } };
        if (!isEqual(status, quota.status)) await api.updateStatus<ResourceQuota>(RESOURCE, { ...quota, status });
      },
      watches: [
        on<ResourceQuota>(RESOURCE, ({ type, object, previous }) => {
          const { namespace = "" } = object.metadata;
          const keys = quotas.get(namespace) ?? new Set();
          if (type === "DELETED") keys.delete(keyOf(object));
          else keys.add(keyOf(object));
          if (keys.size > 0) quotas.set(namespace, keys);
          else quotas.delete(namespace);
          return previous && isEqual(previous.spec, object.spec) ? undefined : keyOf(object);
        }),
      ],
      each: {
        resources: countable,
        changesOnly: true,
        watch: (resource) =>
          on<KubeObject>(resource, ({ type, object, previous }) => {
            const keys = quotas.get(object.metadata.namespace ?? "");
            if (!keys) return undefined;
            // Usage is a matter of what there is and what it asks for; of a status only the end of a pod counts.
            const ended =
              previous && resource === "pods" && isPodTerminal(previous as Pod) !== isPodTerminal(object as Pod);
            if (type === "MODIFIED" && previous?.spec === object.spec && !ended) return undefined;
            for (const key of keys) queue.addAfter(key, GATHER_MS);
            return undefined;
          }),
      },
    };
  });
