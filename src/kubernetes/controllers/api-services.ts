import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import type { APIService } from "../schema/generated/types.js";
import { builtinResources, GROUP_ORDER } from "../schema/resources.js";
import { defineController, on } from "./define-controller.js";

/**
 * Keeps an APIService for every group and version that this API server serves itself, those of custom resources included, as kube-apiserver's
 * autoregistration does: `kubectl get apiservices` tells what is there.
 */
const RESOURCE = "apiservices.apiregistration.k8s.io";
const MANAGED = "kube-aggregator.kubernetes.io/automanaged";

/** Its APIService belongs to whoever installs metrics-server; metrics/metrics-server.ts tells whether it is available. */
const METRICS = "metrics.k8s.io";
/** Groups of custom resources come after all others. */
const CUSTOM = { groupPriorityMinimum: 1000, versionPriority: 100 };
const HIGHEST = 18_000;

/** The APIServices that there should be, by name. */
function wanted(served: readonly { group: string; version: string }[]): Map<string, APIService["spec"]> {
  const found = new Map<string, APIService["spec"]>();
  const versions = new Map<string, number>();
  // Versions of a group come newest first; read backwards, each one outranks those before it.
  for (const { group, version } of [...served].reverse()) {
    const name = `${version}.${group}`;
    if (found.has(name) || group === "apiregistration.k8s.io" || group === METRICS) continue;
    const rank = GROUP_ORDER.indexOf(group);
    const position = (versions.get(group) ?? 0) + 1;
    versions.set(group, position);
    const priorities =
      rank < 0 ? CUSTOM : { groupPriorityMinimum: HIGHEST - 100 * rank, versionPriority: group ? 15 * position : 1 };
    found.set(name, { ...(group ? { group } : {}), version, ...priorities });
  }
  return found;
}

export const apiServiceController = (): Controller =>
  defineController({ name: "autoregister" }, (env) => {
    const { api, queue } = env;
    const served = (): Map<string, APIService["spec"]> => wanted(env.resources?.() ?? builtinResources());
    let present = served();
    const stop = env.onResourcesChanged?.(() => {
      const before = present;
      present = served();
      for (const name of new Set([...before.keys(), ...present.keys()]))
        if (before.has(name) !== present.has(name)) queue.add(name);
    });
    return {
      async reconcile(name) {
        const spec = present.get(name);
        const found = api.get<APIService>(RESOURCE, { name });
        if (spec && !found) {
          const labels = { [MANAGED]: spec.groupPriorityMinimum === CUSTOM.groupPriorityMinimum ? "true" : "onstart" };
          await api.create<APIService>(RESOURCE, { metadata: { name, labels }, spec });
        } else if (!spec && found?.metadata.labels?.[MANAGED]) {
          await api.delete(RESOURCE, { name }).catch((error: unknown) => {
            if (!isStatusError(error, "NotFound")) throw error;
          });
        }
      },
      watches: [
        on<APIService>(RESOURCE, ({ type, object }) => (type === "MODIFIED" ? undefined : object.metadata.name)),
      ],
      start: () => {
        for (const name of present.keys()) queue.add(name);
      },
      stop: () => stop?.(),
    };
  });
