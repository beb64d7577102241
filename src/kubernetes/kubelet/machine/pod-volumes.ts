import { formatMicros } from "../../../clock/clock.js";
import type { KeyToPath, Pod, Volume, VolumeProjection } from "../../schema/generated/types.js";
import type { ReferenceLookups, Referred } from "../pod-references.js";
import type { PodToken } from "../token-cache.js";
import { fieldValue, type PodPlacement, resourceValue } from "./field-values.js";
import { type DirectoryNode, directory, file, link, type TreeNode } from "./file-nodes.js";
import { toBytes } from "./files.js";

/**
 * The volumes of a pod as directories. Those that are made of API objects follow them, with the delay of a kubelet, when somebody looks: nothing happens
 * for volumes that nobody reads.
 */
export interface VolumeSources {
  pod: () => Pod;
  placement: PodPlacement;
  references: ReferenceLookups;
  now: () => number;
  /** What outlives the pod: by the name of a PersistentVolume. */
  persistent: (volume: string) => DirectoryNode;
  /** Directories of the node. */
  host: (path: string, type: string | undefined) => TreeNode;
  /** A token of the pod's service account for this audience. */
  token: (audience: string | undefined, expirationSeconds: number) => PodToken;
  rootCa: string;
}

/** How long a kubelet may take until it looks at its ConfigMaps and Secrets again: its sync period is a minute. */
const REFRESH_MS = 20_000;

interface Payload {
  path: string;
  data: string;
  mode: number;
  /** A token that is not there yet. */
  missing?: PodToken;
}

const bytesOf = (object: Referred, key: string, isSecret: boolean): string => {
  const plain = object.data?.[key];
  if (typeof plain === "string" && !isSecret) return toBytes(plain);
  const text = plain ?? object.binaryData?.[key];
  return typeof text === "string" ? Buffer.from(text, "base64").toString("latin1") : "";
};

function keyPayloads(
  object: Referred | undefined,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  isSecret: boolean,
): Payload[] {
  if (!object) return [];
  const keys = [...Object.keys(object.data ?? {}), ...Object.keys(object.binaryData ?? {})];
  if (!items?.length) return keys.map((key) => ({ path: key, data: bytesOf(object, key, isSecret), mode }));
  return items
    .filter(({ key }) => keys.includes(key))
    .map((item) => ({ path: item.path, data: bytesOf(object, item.key, isSecret), mode: item.mode ?? mode }));
}

function downwardPayloads(
  sources: VolumeSources,
  items: NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>,
  mode: number,
): Payload[] {
  const pod = sources.pod();
  return items.map(({ path, fieldRef, resourceFieldRef, mode: own }) => {
    const container = pod.spec?.containers.find(({ name }) => name === resourceFieldRef?.containerName);
    const text = fieldRef
      ? fieldValue(pod, sources.placement, fieldRef.fieldPath)
      : resourceFieldRef && container
        ? resourceValue(pod, sources.placement, container, resourceFieldRef)
        : "";
    return { path, data: toBytes(text ?? ""), mode: own ?? mode };
  });
}

function projectedPayloads(sources: VolumeSources, projections: readonly VolumeProjection[], mode: number): Payload[] {
  const { references } = sources;
  return projections.flatMap((source): Payload[] => {
    if (source.configMap?.name)
      return keyPayloads(references.find("configmaps", source.configMap.name), source.configMap.items, mode, false);
    if (source.secret?.name)
      return keyPayloads(references.find("secrets", source.secret.name), source.secret.items, mode, true);
    if (source.downwardAPI) return downwardPayloads(sources, source.downwardAPI.items ?? [], mode);
    if (source.serviceAccountToken) {
      const { path, audience, expirationSeconds } = source.serviceAccountToken;
      const token = sources.token(audience, expirationSeconds ?? 3600);
      return [{ path, data: token.text, mode, ...(token.isMissing ? { missing: token } : {}) }];
    }
    const bundle = source.clusterTrustBundle;
    return bundle ? [{ path: bundle.path, data: toBytes(sources.rootCa), mode }] : [];
  });
}

/** What the volume holds at the moment; undefined when it is not made of API objects. */
function payloadsOf(sources: VolumeSources, volume: Volume): Payload[] | undefined {
  const { references } = sources;
  const { configMap, secret, projected, downwardAPI } = volume;
  if (configMap?.name)
    return keyPayloads(
      references.find("configmaps", configMap.name),
      configMap.items,
      configMap.defaultMode ?? 0o644,
      false,
    );
  if (secret?.secretName)
    return keyPayloads(references.find("secrets", secret.secretName), secret.items, secret.defaultMode ?? 0o644, true);
  if (projected) return projectedPayloads(sources, projected.sources ?? [], projected.defaultMode ?? 0o644);
  if (downwardAPI) return downwardPayloads(sources, downwardAPI.items ?? [], downwardAPI.defaultMode ?? 0o644);
  return undefined;
}

/** The way of kubelet's atomic writer: `..data` points to a directory with the time as its name, and everything else points into `..data`. */
function fill(root: DirectoryNode, payloads: readonly Payload[], nowMs: number, fsGroup: number | undefined): void {
  const owner = { gid: fsGroup ?? 0, mtimeMs: nowMs };
  const stamp = `..${formatMicros(nowMs).slice(0, 19).replace(/[-:]/g, "_").replace("T", "_")}.${(nowMs % 1_000_000_000) + 1}`;
  const data = directory(fsGroup === undefined ? 0o755 : 0o2775, owner);
  for (const { path, data: content, mode } of payloads) {
    const parts = path.split("/");
    let at = data;
    for (const part of parts.slice(0, -1)) {
      let next = at.entries.get(part);
      if (next?.is !== "directory") {
        next = directory(0o755, owner);
        at.entries.set(part, next);
      }
      at = next;
    }
    // With an fsGroup its members may read: the volume is set up for them.
    const shared = fsGroup === undefined ? mode : mode | 0o440;
    at.entries.set(parts[parts.length - 1] as string, file(content, shared, owner));
  }
  root.entries.clear();
  root.entries.set(stamp, data);
  root.entries.set("..data", link(stamp));
  for (const name of data.entries.keys()) root.entries.set(name, link(`..data/${name}`));
  root.mtimeMs = nowMs;
}

const same = (a: readonly Payload[], b: readonly Payload[]): boolean =>
  a.length === b.length &&
  a.every((one, i) => one.path === b[i]?.path && one.data === b[i]?.data && one.mode === b[i]?.mode);

function followingDirectory(sources: VolumeSources, volume: Volume, first: readonly Payload[]): DirectoryNode {
  const fsGroup = sources.pod().spec?.securityContext?.fsGroup;
  const root = directory(fsGroup === undefined ? 0o777 : 0o2777, { gid: fsGroup ?? 0 });
  let present = first;
  let lookedMs = sources.now();
  fill(root, present, lookedMs, fsGroup);
  root.refresh = () => {
    const nowMs = sources.now();
    if (nowMs - lookedMs < REFRESH_MS && !present.some(({ missing }) => missing)) return;
    lookedMs = nowMs;
    const next = payloadsOf(sources, volume) ?? [];
    if (same(present, next)) return;
    present = next;
    fill(root, next, nowMs, fsGroup);
  };
  return root;
}

export interface PodVolumes {
  /** The node that a mount shows: a directory, or a single file below its volume. Makes a sub-path that is not there. */
  mounted(name: string, subPath: string | undefined): TreeNode | undefined;
  typeOf(name: string): string;
  /** Whether the tokens that the volume holds are there; asking has them made. `failed`: for now they cannot be had. */
  tokens(name: string): "there" | "coming" | "failed";
}

export function createPodVolumes(sources: VolumeSources): PodVolumes {
  const made = new Map<string, TreeNode>();
  const volumeNamed = (name: string): Volume | undefined =>
    sources.pod().spec?.volumes?.find((volume) => volume.name === name);
  const make = (volume: Volume): TreeNode => {
    const payloads = payloadsOf(sources, volume);
    if (payloads) return followingDirectory(sources, volume, payloads);
    if (volume.hostPath) return sources.host(volume.hostPath.path, volume.hostPath.type);
    const claim =
      volume.persistentVolumeClaim?.claimName ??
      (volume.ephemeral ? `${sources.pod().metadata.name}-${volume.name}` : undefined);
    const bound = claim && sources.references.find("persistentvolumeclaims", claim)?.spec?.volumeName;
    if (bound) return sources.persistent(bound);
    const fsGroup = sources.pod().spec?.securityContext?.fsGroup;
    return directory(fsGroup === undefined ? 0o777 : 0o2777, { gid: fsGroup ?? 0, mtimeMs: sources.now() });
  };
  return {
    mounted(name, subPath) {
      const volume = volumeNamed(name);
      if (!volume) return undefined;
      let root = made.get(name);
      if (!root) {
        root = make(volume);
        made.set(name, root);
      }
      if (!subPath || root.is !== "directory") return root;
      root.refresh?.();
      let at: TreeNode = root;
      for (const part of subPath.split("/").filter((step) => step !== "" && step !== ".")) {
        if (at.is !== "directory") return at;
        let next: TreeNode | undefined = at.entries.get(part);
        // A mount of a single key shows the file that the links lead to when the container starts, and never another.
        for (let hops = 0; next?.is === "link" && hops < 5; hops++) {
          let target: TreeNode | undefined = at;
          for (const step of next.target.split("/"))
            target = target?.is === "directory" ? resolved(target, step) : undefined;
          next = target;
        }
        if (!next) {
          next = directory(0o755, { gid: at.gid, mtimeMs: sources.now() });
          at.entries.set(part, next);
        }
        at = next;
      }
      return at;
    },
    tokens(name) {
      const volume = volumeNamed(name);
      if (!volume?.projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken)) return "there";
      const missing = payloadsOf(sources, volume)?.flatMap((payload) => payload.missing ?? []) ?? [];
      if (missing.length === 0) return "there";
      return missing.some(({ problem }) => problem) ? "failed" : "coming";
    },
    typeOf(name) {
      const volume = volumeNamed(name);
      const inMemory =
        volume?.emptyDir?.medium === "Memory" || volume?.secret || volume?.projected || volume?.downwardAPI;
      return inMemory ? "tmpfs" : volume?.emptyDir || volume?.configMap ? "ext4" : "xfs";
    },
  };
}

/** One step that may be a link to a sibling. */
function resolved(parent: DirectoryNode, name: string): TreeNode | undefined {
  const node = parent.entries.get(name);
  return node?.is === "link" ? parent.entries.get(node.target) : node;
}
