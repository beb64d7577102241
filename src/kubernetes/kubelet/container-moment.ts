import type { Container, Pod } from "../schema/generated/types.js";
import type { KubeletEvent, LifecycleEnvironment } from "./pod-lifecycle.js";
import type { ContainerRuntime, ContainerState } from "./pod-runtime.js";

/** What the steps of a container's life are taken from. */
export interface ContainerContext {
  pod: Pod;
  env: LifecycleEnvironment;
  /** Nothing starts before the sandbox is up. */
  sandboxMs: number;
  /** The pod is being ended: nothing starts any more. */
  stopping: boolean;
  /** What is wrong with the pod's behaviour annotation. */
  problem: string | undefined;
}

type Emit = (type: KubeletEvent["type"], reason: string, message: string) => void;

export interface Moment extends ContainerContext {
  spec: Container;
  emit: Emit;
}

/** What follows at the present time; undefined: nothing yet. */
export type Next = ContainerRuntime | undefined;

export const becomes = (container: ContainerRuntime, state: ContainerState): ContainerRuntime => ({
  ...container,
  state,
});
