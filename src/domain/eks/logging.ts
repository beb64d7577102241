/** Control-plane logging: requests list types to turn on or off; a cluster keeps the set of types that are on. */
const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"] as const;
export type LogType = (typeof LOG_TYPES)[number];

export interface LoggingRequest {
  clusterLogging?: { types?: LogType[]; enabled?: boolean }[];
}

/** Types that are on after the request, in the order of the list above. Types that it does not name stay as they are. */
export function applyLogging(enabled: readonly string[], request: LoggingRequest | undefined): LogType[] {
  const on = new Set(enabled);
  for (const setup of request?.clusterLogging ?? []) {
    for (const type of setup.types ?? []) {
      if (setup.enabled) on.add(type);
      else on.delete(type);
    }
  }
  return LOG_TYPES.filter((type) => on.has(type));
}

/** As EKS shows it: at most two entries, one of what is on and one of what is off. */
export function loggingSetup(enabled: readonly string[]): { types: LogType[]; enabled: boolean }[] {
  return [true, false]
    .map((state) => ({ types: LOG_TYPES.filter((type) => enabled.includes(type) === state), enabled: state }))
    .filter((setup) => setup.types.length > 0);
}
