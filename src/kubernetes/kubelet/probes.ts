import type { Container, Probe } from "../schema/generated/types.js";
import type { ProbeKind, ProbeState, Probes, Running } from "./pod-runtime.js";

/** Probes that are made for real, one look after the other, as kubelet's prober does: when the next one is due, and what its result means. */

/** What a probe or a hook found. */
export interface CheckResult {
  ok: boolean;
  output: string;
}

const PROBE_KINDS: readonly ProbeKind[] = ["startup", "readiness", "liveness"];

const probeOf = (spec: Container, kind: ProbeKind): Probe | undefined => spec[`${kind}Probe`];

const periodMs = ({ periodSeconds }: Probe): number => (periodSeconds || 10) * 1000;

export const hasProbes = (spec: Container): boolean => PROBE_KINDS.some((kind) => probeOf(spec, kind) !== undefined);

/** The prober hears of a container a moment after it was started. */
const FIRST_PROBE_MS = 100;

/** The states from which probing begins; a container that was running for a while keeps what was found so far. */
export function beginProbes(spec: Container, startedMs: number, nowMs: number): Probes {
  const probes: { [kind in ProbeKind]?: ProbeState } = {};
  for (const kind of PROBE_KINDS) {
    const probe = probeOf(spec, kind);
    if (!probe) continue;
    const firstMs = startedMs + Math.max(FIRST_PROBE_MS, (probe.initialDelaySeconds ?? 0) * 1000);
    const missed = Math.max(0, Math.ceil((nowMs - firstMs) / periodMs(probe)));
    probes[kind] = { nextMs: firstMs + missed * periodMs(probe), streak: 0 };
  }
  return probes;
}

/** The probe that is due, if one is: the others wait for the startup probe. */
export function dueProbe(
  running: Running,
  spec: Container,
  nowMs: number,
): { kind: ProbeKind; probe: Probe } | undefined {
  for (const kind of PROBE_KINDS) {
    const state = running.probes?.[kind];
    const probe = probeOf(spec, kind);
    if (!state || !probe || state.nextMs > nowMs) continue;
    if (kind === "startup" ? !running.started : running.started) return { kind, probe };
  }
  return undefined;
}

/** When the next probe is due after this time; Infinity: none. One that is due already is under way, and says so when it is done. */
export function nextProbeMs({ probes = {}, started }: Running, nowMs: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const kind of PROBE_KINDS) {
    const state = probes[kind];
    if (state && state.nextMs > nowMs && (kind === "startup") === !started) next = Math.min(next, state.nextMs);
  }
  return next;
}

/** What a result leads to: the container's new state, and whether it must be restarted. */
export function judged(
  running: Running,
  kind: ProbeKind,
  probe: Probe,
  { ok }: CheckResult,
  nowMs: number,
): { running: Running; restart: boolean } {
  const before = running.probes?.[kind];
  const streak = before?.lastOk === ok ? before.streak + 1 : 1;
  const base = before?.nextMs ?? nowMs;
  // A kubelet that comes late goes on at its pace.
  const nextMs = Math.max(base + periodMs(probe), nowMs);
  const probes: Probes = { ...running.probes, [kind]: { nextMs, streak, lastOk: ok } };
  const next: Running = { ...running, probes };
  const isSure = streak >= (ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3));
  if (!isSure) return { running: next, restart: false };
  if (kind === "startup")
    return ok ? { running: afterStartup(next, nowMs), restart: false } : { running: next, restart: true };
  if (kind === "readiness") return { running: { ...next, ready: ok }, restart: false };
  return { running: next, restart: !ok };
}

/** The startup probe passed: readiness and liveness are looked at at once. */
function afterStartup(running: Running, nowMs: number): Running {
  const { readiness, liveness } = running.probes ?? {};
  const soon = (state: ProbeState | undefined): ProbeState | undefined =>
    state && { ...state, nextMs: Math.max(state.nextMs, nowMs) };
  return {
    ...running,
    started: true,
    ready: readiness === undefined,
    probes: {
      ...running.probes,
      ...(readiness ? { readiness: soon(readiness) } : {}),
      ...(liveness ? { liveness: soon(liveness) } : {}),
    },
  };
}
