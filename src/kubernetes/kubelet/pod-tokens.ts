import type { Container, Pod, Volume } from "../schema/generated/types.js";
import type { BehaviourOf } from "./behaviour.js";
import { commandOf } from "./entrypoint.js";
import type { ImageProgram } from "./image-programs.js";
import type { ReferenceLookups } from "./pod-references.js";
import { newRuntime, specOf } from "./pod-runtime.js";
import type { TokenSource } from "./token-cache.js";

/**
 * Tokens of service accounts as volumes that a pod waits for. A kubelet makes all of them before it starts a container. Signing one takes this process a
 * millisecond, and most are never read: those whose container may read them by itself are made, and of the others it is known whether they could be.
 */
export interface TokenProblem {
  /** In the kubelet's words; undefined: they are on their way. */
  message?: string;
  /** When to look again, epoch ms; undefined: somebody will say so. */
  retryMs?: number;
}

const DEFAULT_SECONDS = 3600;

interface TokenWanted {
  volume: string;
  audience: string | undefined;
  expirationSeconds: number;
}

function* tokensOf({ name, projected }: Volume): Iterable<TokenWanted> {
  for (const { serviceAccountToken: token } of projected?.sources ?? [])
    if (token)
      yield {
        volume: name,
        audience: token.audience,
        expirationSeconds: token.expirationSeconds ?? DEFAULT_SECONDS,
      };
}

/** Names of the volumes that a container's own program may read: those whose place it is told, or all where nobody here knows what it does. */
export function volumesRead(container: Container, image: ImageProgram): string[] {
  const { env = [], volumeMounts = [] } = container;
  if (image.programs !== undefined) return volumeMounts.map(({ name }) => name);
  const argv = commandOf(container, image);
  return volumeMounts
    .filter(({ mountPath }) => {
      // AWS's SDKs and those who act like them are told the place by a variable.
      const variables = env.filter(({ value }) => value?.startsWith(mountPath)).map(({ name }) => name);
      return argv.some((arg) => [mountPath, ...variables].some((sign) => arg.includes(sign)));
    })
    .map(({ name }) => name);
}

/** Why the pod's containers cannot start for lack of a token; undefined: they can. */
export function tokenProblem(
  pod: Pod,
  { token, behaviourOf, references }: { token: TokenSource; behaviourOf: BehaviourOf; references: ReferenceLookups },
  nowMs: number,
): TokenProblem | undefined {
  const wanted = (pod.spec?.volumes ?? []).flatMap((volume) => [...tokensOf(volume)]);
  if (wanted.length === 0) return undefined;
  const [mounted, read] = [new Set<string>(), new Set<string>()];
  for (const container of newRuntime(pod, nowMs, nowMs).containers) {
    const spec = specOf(pod, container);
    if (!spec) continue;
    for (const { name } of spec.volumeMounts ?? []) mounted.add(name);
    const { image, runsProgram } = behaviourOf(pod, spec, container.role);
    if (runsProgram) for (const name of volumesRead(spec, image)) read.add(name);
  }
  const account = pod.spec?.serviceAccountName ?? "default";
  for (const { volume, audience, expirationSeconds } of wanted) {
    // A kubelet prepares no volume that no container mounts.
    if (!mounted.has(volume)) continue;
    if (!read.has(volume)) {
      if (!references.find("serviceaccounts", account))
        return { message: failedText(volume, `serviceaccounts "${account}" not found`) };
      continue;
    }
    const { isMissing, problem } = token(pod, audience, expirationSeconds);
    if (!isMissing) continue;
    return problem ? { message: failedText(volume, problem.message), retryMs: problem.retryMs } : {};
  }
  return undefined;
}

const failedText = (volume: string, why: string): string =>
  `MountVolume.SetUp failed for volume "${volume}" : failed to fetch token: ${why}`;
