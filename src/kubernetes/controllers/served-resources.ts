import type { ControllerContext } from "../controller.js";
import { resourceOfKind } from "../schema/kinds.js";
import { type ResourceInfo, resourceName } from "../schema/resource-info.js";
import { builtinResources } from "../schema/resources.js";

/** What controllers over all kinds need to know about resources: garbage collection and namespace deletion. */

/** Another view of a resource that is listed under its own name. */
const VIEWS: ReadonlySet<string> = new Set(["events.events.k8s.io"]);

/** Resources whose objects can be listed and deleted, each once whatever versions it is served in. */
function deletableResources(context: Pick<ControllerContext, "resources">): ResourceInfo[] {
  const seen = new Set<string>();
  return (context.resources?.() ?? builtinResources()).filter((info) => {
    const name = resourceName(info);
    if (seen.has(name) || VIEWS.has(name)) return false;
    seen.add(name);
    return info.verbs.includes("delete") && info.verbs.includes("list") && info.verbs.includes("watch");
  });
}

/** The deletable resources that a controller looks after, those included that are defined while it runs. */
export interface ServedResources {
  /** By name, as in the store. */
  names(): readonly string[];
  /** Calls `begin` for each of them now, and for others as they come to be served; stops what it returned when they go. Returns how to stop all. */
  follow(begin: (resource: string) => () => void): () => void;
}

export function servedResources(
  context: Pick<ControllerContext, "resources" | "onResourcesChanged">,
  wants: (info: ResourceInfo) => boolean,
): ServedResources {
  const find = (): readonly string[] => deletableResources(context).filter(wants).map(resourceName);
  let names = find();
  return {
    names: () => names,
    follow(begin) {
      const stops = new Map<string, () => void>();
      const keepUp = (): void => {
        names = find();
        const served = new Set(names);
        for (const [name, stop] of stops) {
          if (served.has(name)) continue;
          stop();
          stops.delete(name);
        }
        for (const name of names) if (!stops.has(name)) stops.set(name, begin(name));
      };
      keepUp();
      const stop = context.onResourcesChanged?.(keepUp);
      return () => {
        stop?.();
        for (const end of stops.values()) end();
      };
    },
  };
}

/** The resource that an owner reference means; undefined for a kind that is not served. */
export function resourceOfReference(
  context: Pick<ControllerContext, "resources">,
  reference: { apiVersion: string; kind: string },
): ResourceInfo | undefined {
  const builtin = resourceOfKind(reference.apiVersion, reference.kind);
  if (builtin || !context.resources) return builtin;
  return context.resources().find((info) => {
    const apiVersion = info.group ? `${info.group}/${info.version}` : info.version;
    return info.kind === reference.kind && apiVersion === reference.apiVersion;
  });
}
