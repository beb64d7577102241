import type { KubeObject } from "../object.js";
import type { Container, Pod, Volume } from "../schema/generated/types.js";
import { isRootImage } from "./image-programs.js";
import { EnvironmentProblem, environmentOf, subPathOf } from "./machine/environment.js";
import type { PodPlacement } from "./machine/field-values.js";

/**
 * What a pod needs of other objects before its containers can start: ConfigMaps, Secrets and claims that it mounts, and those that its environment
 * is made of. Nothing is really mounted; but a pod that names what is not there waits for it, and says so in the kubelet's words.
 */
export interface ReferenceLookups {
  /** `configmaps`, `secrets` or `persistentvolumeclaims` of the pod's namespace. */
  find(resource: string, name: string): Referred | undefined;
  /** True when a volume is attached to this node, or needs not be. */
  isAttached(volume: string): boolean;
  /** The handler of a RuntimeClass, and whether this node has it; undefined without such a class. */
  runtimeOf?(runtimeClass: string): { handler: string; isConfigured: boolean } | undefined;
}

export type Referred = KubeObject & {
  data?: Record<string, unknown>;
  binaryData?: Record<string, unknown>;
  spec?: { volumeName?: string };
};

interface Reference {
  resource: "configmaps" | "secrets";
  name: string | undefined;
  optional: boolean | undefined;
}

const SINGULAR = { configmaps: "configmap", secrets: "secret" } as const;

function* mounted(volume: Volume): Iterable<Reference> {
  if (volume.configMap) yield { resource: "configmaps", ...pick(volume.configMap) };
  if (volume.secret) yield { resource: "secrets", name: volume.secret.secretName, optional: volume.secret.optional };
  for (const source of volume.projected?.sources ?? []) {
    if (source.configMap) yield { resource: "configmaps", ...pick(source.configMap) };
    if (source.secret) yield { resource: "secrets", ...pick(source.secret) };
  }
}

const pick = ({ name, optional }: { name?: string; optional?: boolean }): Pick<Reference, "name" | "optional"> => ({
  name,
  optional,
});

/** The controllers are still at work for a volume: a kubelet says nothing of that. */
export const ATTACHING = "";

/** A kubelet prepares no volume that no container mounts. */
function usedVolumes({ spec }: Pod): ReadonlySet<string> {
  const containers = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...((spec?.ephemeralContainers ?? []) as Container[]),
  ];
  return new Set(
    containers.flatMap(({ volumeMounts = [], volumeDevices = [] }) =>
      [...volumeMounts, ...volumeDevices].map(({ name }) => name),
    ),
  );
}

/** Why a volume of the pod cannot be mounted yet (event FailedMount), or ATTACHING; undefined when all can. */
export function mountProblem(pod: Pod, { find, isAttached }: ReferenceLookups): string | undefined {
  const used = usedVolumes(pod);
  for (const volume of pod.spec?.volumes ?? []) {
    if (!used.has(volume.name)) continue;
    for (const { resource, name, optional } of mounted(volume))
      if (name && !optional && !find(resource, name))
        return `MountVolume.SetUp failed for volume "${volume.name}" : ${SINGULAR[resource]} "${name}" not found`;
    const claim =
      volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : undefined);
    if (!claim) continue;
    const bound = find("persistentvolumeclaims", claim)?.spec?.volumeName;
    if (bound && !isAttached(bound)) return ATTACHING;
    if (!bound)
      return `Unable to attach or mount volumes: unmounted volumes=[${volume.name}]: error processing PVC ${pod.metadata.namespace}/${claim}: PVC is not bound`;
  }
  return undefined;
}

/** Why the pod's sandbox cannot be made (event FailedCreatePodSandBox), in the words of kubelet and containerd; undefined when it can. */
export function sandboxProblem(pod: Pod, { runtimeOf }: ReferenceLookups): string | undefined {
  const name = pod.spec?.runtimeClassName;
  if (!name || !runtimeOf) return undefined;
  const runtime = runtimeOf(name);
  if (!runtime) return `Failed to create pod sandbox: runtimeclass.node.k8s.io "${name}" not found`;
  return runtime.isConfigured
    ? undefined
    : `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "${runtime.handler}" is configured`;
}

/** Why the container's environment cannot be made (waiting reason CreateContainerConfigError); undefined when it can. */
export function environmentProblem(
  pod: Pod,
  container: Container,
  references: ReferenceLookups,
  placement: PodPlacement,
): string | undefined {
  const mustNotBeRoot = container.securityContext?.runAsNonRoot ?? pod.spec?.securityContext?.runAsNonRoot;
  const user = container.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser;
  const { name, namespace, uid } = pod.metadata;
  if (mustNotBeRoot && (user === 0 || (user === undefined && isRootImage(container.image ?? "")))) {
    const whose = `(pod: "${name}_${namespace}(${uid})", container: ${container.name})`;
    return user === 0
      ? `container's runAsUser breaks non-root policy ${whose}`
      : `container has runAsNonRoot and image will run as root ${whose}`;
  }
  const hasSubPaths = container.volumeMounts?.some(({ subPath, subPathExpr }) => subPath || subPathExpr);
  if (!hasSubPaths && !container.envFrom?.length && !container.env?.some(({ valueFrom }) => valueFrom))
    return undefined;
  try {
    const variables = environmentOf(container, { pod, placement, references, services: [] });
    for (const mount of container.volumeMounts ?? []) subPathOf(mount, variables);
  } catch (error) {
    if (error instanceof EnvironmentProblem) return error.message;
    throw error;
  }
  return undefined;
}
