/**
 * Shows in each ResourceQuota's status what of it is used (upstream: resourcequota-controller). Only for showing: admission counts for itself.
 */
import type { Controller } from "../controller.js";
import { defineController, on } from "../controllers/define-controller.js";
import { type KubeObject, keyOf, parseKey } from "../object.js";
import { sameValue } from "../registry/strategies/equality.js";
import type { Pod, ResourceQuota } from "../schema/generated/types.js";
import { isTerminal, quotaUsage } from "./resource-quota.js";

/** Resources that quotas are usually made for; `count/` of any other is right again at the quota's next change. */
const COUNTED = [
  "configmaps",
  "persistentvolumeclaims",
  "replicationcontrollers",
  "secrets",
  "services",
  "cronjobs.batch",
  "deployments.apps",
  "jobs.batch",
  "replicasets.apps",
  "statefulsets.apps",
];
/** Kinds of which a change, not only coming and going, changes what they use. */
const CHANGING = new Set(["persistentvolumeclaims", "services"]);

export const resourceQuotaController = (): Controller =>
  defineController({ name: "resourcequota-controller" }, ({ api }) => {
    const quotasBeside = ({ metadata: { namespace } }: KubeObject): string[] =>
      api.list<ResourceQuota>("resourcequotas", { namespace }).map(keyOf);
    return {
      watches: [
        on<ResourceQuota>("resourcequotas", ({ type, object }) => (type === "DELETED" ? undefined : keyOf(object))),
        on<Pod>("pods", ({ type, object, previous }) =>
          type === "MODIFIED" && previous && isTerminal(previous) === isTerminal(object)
            ? undefined
            : quotasBeside(object),
        ),
        ...COUNTED.map((resource) =>
          on(resource, ({ type, object }) =>
            type === "MODIFIED" && !CHANGING.has(resource) ? undefined : quotasBeside(object),
          ),
        ),
      ],
      async reconcile(key) {
        const quota = api.get<ResourceQuota>("resourcequotas", parseKey(key));
        if (!quota) return;
        const list = (resource: string, namespace?: string) => api.list(resource, { namespace });
        const status = { hard: quota.spec?.hard ?? {}, used: quotaUsage(quota, { list }) };
        if (sameValue(status, quota.status)) return;
        await api.updateStatus<ResourceQuota>("resourcequotas", { ...quota, status });
      },
    };
  });
