import type { Container, LifecycleHandler, Probe } from "../schema/generated/types.js";
import type { Signal } from "./machine/kernel.js";
import type { ContainerRuntime, ProbeKind } from "./pod-runtime.js";
import type { CheckResult } from "./probes.js";

/** What the life of a container needs of the machine that it runs on. Everything that takes time is asked for again until it is there. */
export interface ContainerOperations {
  /** How the present run has ended, if it has; undefined: it goes on, or there is none. */
  exitOf(container: ContainerRuntime): { code: number; atMs: number } | undefined;
  /** True when there is a run of this container on the machine. */
  isLive(container: ContainerRuntime): boolean;
  /** Starts the container's program. */
  start(container: ContainerRuntime, spec: Container, atMs: number): void;
  signal(container: ContainerRuntime, signal: Signal): void;
  /** The container has ended: whatever still runs in it does so no longer. */
  end(container: ContainerRuntime): void;
  /** Undefined while it is under way. */
  check(container: ContainerRuntime, spec: Container, kind: ProbeKind, probe: Probe): CheckResult | undefined;
  hook(
    container: ContainerRuntime,
    spec: Container,
    kind: "postStart" | "preStop",
    handler: LifecycleHandler,
  ): CheckResult | undefined;
  lastWords(container: ContainerRuntime, spec: Container): string | undefined;
}
