import type { KubeApi } from "../api.js";
import { isStatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { contentHash, isEqual } from "../runtime/hash.js";
import { controllerReference } from "../runtime/owners.js";
import type { ControllerRevision, PodTemplateSpec } from "../schema/generated/types.js";

/** ControllerRevisions: the history of DaemonSets and StatefulSets, which `kubectl rollout history` and `undo` read. */
export const REVISIONS = "controllerrevisions.apps";
const HASH = "controller-revision-hash";

const known = new WeakMap<PodTemplateSpec, unknown>();

/**
 * What a revision holds: a strategic merge patch that puts the template back. Clients (`kubectl rollout undo`, the conformance suite) compare it byte by
 * byte with what Go makes of the present template: members in alphabetical order, and empty structs written out.
 */
function dataOf(template: PodTemplateSpec): unknown {
  const present = known.get(template);
  if (present !== undefined) return present;
  const data = asGo({ spec: { template: { metadata: {}, ...template, $patch: "replace" } } });
  known.set(template, data);
  return data;
}

/** Lists whose items are containers, which always tell their resources. */
const CONTAINERS: ReadonlySet<string> = new Set(["containers", "initContainers", "ephemeralContainers"]);

function asGo(value: unknown, field = ""): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown) => asGo(CONTAINERS.has(field) ? { resources: {}, ...(item as object) } : item));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined && member !== null);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, asGo(member, name)]));
}

export interface History {
  current: ControllerRevision;
  /** Name of the hash label of pods of the present revision. */
  hash: string;
  /** The others, oldest revision first. */
  old: ControllerRevision[];
}

/** Finds or makes the revision of the present template, always with the highest number. Throws after a name collision, for another attempt. */
export async function syncHistory(
  api: KubeApi,
  owner: KubeObject & { status?: { collisionCount?: number } },
  template: PodTemplateSpec,
  revisions: readonly ControllerRevision[],
  onCollision: (collisionCount: number) => Promise<void>,
): Promise<History> {
  const sorted = [...revisions].sort((a, b) => a.revision - b.revision);
  const data = dataOf(template);
  const next = (sorted.at(-1)?.revision ?? 0) + 1;
  const exact = sorted.filter((revision) => isEqual(revision.data, data));
  const equal = exact.length > 0 ? exact : sorted.filter((revision) => isEqual(asGo(revision.data), data));
  const found = equal.at(-1);
  if (found) {
    const old = sorted.filter((revision) => revision !== found);
    const current =
      found === sorted.at(-1) ? found : await api.update<ControllerRevision>(REVISIONS, { ...found, revision: next });
    return { current, hash: current.metadata.labels?.[HASH] ?? "", old };
  }
  const { collisionCount } = owner.status ?? {};
  const hash = contentHash(template, collisionCount);
  const { namespace, name } = owner.metadata;
  try {
    const current = await api.create<ControllerRevision>(REVISIONS, {
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...template.metadata?.labels, [HASH]: hash },
        ...(owner.metadata.annotations ? { annotations: owner.metadata.annotations } : {}),
        ownerReferences: [controllerReference(owner)],
      },
      data,
      revision: next,
    });
    return { current, hash, old: sorted };
  } catch (error) {
    if (isStatusError(error, "AlreadyExists")) await onCollision((collisionCount ?? 0) + 1);
    throw error;
  }
}

/** Deletes the oldest revisions that no pod runs any more, down to `limit` old ones. */
export async function trimHistory(
  api: KubeApi,
  { old }: History,
  limit: number,
  isLive: (hash: string) => boolean,
): Promise<void> {
  const unused = old.filter((revision) => !isLive(revision.metadata.labels?.[HASH] ?? ""));
  for (const { metadata } of unused.slice(0, Math.max(0, unused.length - limit))) {
    const { namespace, name, uid } = metadata;
    try {
      await api.delete(REVISIONS, { namespace, name }, { preconditions: { uid } });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }
}
