/** Calls of the simulated API server, with its refusals in the terms of the backend contract. */
import type { Manifest } from "../../domain/addons/manifest.js";
import type { KubeApi } from "../../kubernetes/api.js";
import { isStatusError } from "../../kubernetes/errors.js";
import type { KubeObject } from "../../kubernetes/object.js";
import { BackendError, type ConfigMapData } from "../backend.js";

/** What the API server refuses is an expected failure of this backend; anything else stays the bug it is. */
export async function asBackendError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackendError || !isStatusError(error)) throw error;
    // 5xx: no quorum, so nothing is wrong with the request; 409: somebody else was faster, and the next try will do.
    const code =
      error.reason === "NotFound" ? "missing" : error.code >= 500 || error.code === 409 ? "unavailable" : "failed";
    throw new BackendError(code, error.message, { cause: error });
  }
}

/** Creates what is not there yet, in order; the fields are `fieldManager`'s. */
export async function createMissing(api: KubeApi, manifests: readonly Manifest[], fieldManager: string): Promise<void> {
  for (const { resource, object } of manifests) {
    try {
      await api.create(resource, object, { fieldManager });
    } catch (error) {
      if (!isStatusError(error, "AlreadyExists")) throw error;
    }
  }
}

interface ConfigMap extends KubeObject {
  data?: ConfigMapData;
}

/** Undefined when there is no such ConfigMap. */
export function configMapData(api: KubeApi, key: { namespace: string; name: string }): ConfigMapData | undefined {
  const present = api.get<ConfigMap>("configmaps", key);
  return present && (present.data ?? {});
}

/** The write fails with a conflict when somebody else's came between. */
export async function changeConfigMap(
  api: KubeApi,
  key: { namespace: string; name: string },
  change: (data: ConfigMapData | undefined) => ConfigMapData | undefined,
): Promise<void> {
  const present = api.get<ConfigMap>("configmaps", key);
  const data = change(present && (present.data ?? {}));
  if (!data) return;
  if (present) await api.update("configmaps", { ...present, data });
  else await api.create<ConfigMap>("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata: key, data });
}
