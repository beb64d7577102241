/** Where resources are at an API server: `deployments.apps` -> `/apis/apps/v1/namespaces/<namespace>/deployments/<name>`. */
import { BackendError, type ClusterObject, type ObjectName } from "../backend.js";
import type { KubeClient } from "./kube-client.js";

/** Path of a collection in a version of its group; of one namespace, or of all. */
export function collectionPath(resource: string, version: string, namespace?: string): string {
  const [plural, group] = split(resource);
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

/** Path of an object as it is applied: its own apiVersion says where. */
export function objectPath({ resource, object }: ClusterObject): string {
  const { name, namespace } = object.metadata;
  const version = object.apiVersion.split("/").at(-1) ?? "v1";
  return `${collectionPath(resource, version, namespace)}/${encodeURIComponent(name)}`;
}

/** Resolves paths of objects that are only named: in the version that the API server prefers. Undefined: it knows no such group. */
export function pathResolver(client: KubeClient): (name: ObjectName) => Promise<string | undefined> {
  const versions = new Map<string, string>();
  return async ({ resource, namespace, name }) => {
    const [, group] = split(resource);
    let version = group === "" ? "v1" : versions.get(group);
    if (version === undefined) {
      const found = await client.get<{ preferredVersion: { version: string } }>(`/apis/${group}`);
      if (!found) return undefined;
      ({ version } = found.preferredVersion);
      versions.set(group, version);
    }
    return `${collectionPath(resource, version, namespace)}/${encodeURIComponent(name)}`;
  };
}

function split(resource: string): [plural: string, group: string] {
  const dot = resource.indexOf(".");
  const [plural, group] = dot < 0 ? [resource, ""] : [resource.slice(0, dot), resource.slice(dot + 1)];
  // Both come into a path: neither may lead out of it.
  if (!/^[a-z0-9-]+$/.test(plural) || !/^[a-z0-9.-]*$/.test(group))
    throw new BackendError("failed", `${JSON.stringify(resource)} is no resource`);
  return [plural, group];
}
