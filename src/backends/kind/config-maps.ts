/** ConfigMaps as EKS's own components read and write them. */
import type { ConfigMapData } from "../backend.js";
import { asBackendError, type KubeClient } from "./kube-client.js";

export interface ConfigMap {
  metadata: { name: string; namespace: string; resourceVersion?: string };
  data?: ConfigMapData;
  [field: string]: unknown;
}

/** The write fails with a conflict when somebody else's came between. */
export function changeConfigMap(
  client: KubeClient,
  { namespace, name }: { namespace: string; name: string },
  change: (data: ConfigMapData | undefined) => ConfigMapData | undefined,
): Promise<void> {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;
  const path = `${collection}/${encodeURIComponent(name)}`;
  return asBackendError(async () => {
    const present = await client.get<ConfigMap>(path);
    const data = change(present && (present.data ?? {}));
    if (!data) return;
    if (present) return void (await client.request("PUT", path, { body: { ...present, data } }));
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
    await client.request("POST", collection, { body });
  });
}
