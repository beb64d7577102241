/** Rules of probes, lifecycle handlers and the ports they name. */
import type { StatusCause } from "../../errors.js";
import type { LifecycleHandler, Probe } from "../../schema/generated/types.js";
import { forbiddenField, inRange, invalidValue, named, nonNegative, oneOf, required } from "./field.js";
import { portName } from "./names.js";

const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const;

/** A port by number or by name. */
export const validatePort = (field: string, port: number | string | undefined): StatusCause[] => {
  if (typeof port === "string") return named(field, port, portName(port));
  return port === undefined ? [required(field)] : inRange(field, port, 1, 65535);
};

export function validateHandler(field: string, handler: Probe | LifecycleHandler): StatusCause[] {
  const given = HANDLERS.filter((kind) => (handler as Record<string, unknown>)[kind]);
  if (given.length === 0) return [required(field, "must specify a handler type")];
  if (given.length > 1)
    return given.slice(1).map((kind) => forbiddenField(`${field}.${kind}`, "may not specify more than 1 handler type"));
  const { exec, httpGet, tcpSocket } = handler;
  if (exec) return exec.command?.length ? [] : [required(`${field}.exec.command`)];
  if (httpGet) {
    return [
      ...(httpGet.path ? [] : [required(`${field}.httpGet.path`)]),
      ...validatePort(`${field}.httpGet.port`, httpGet.port),
      ...oneOf(`${field}.httpGet.scheme`, httpGet.scheme, ["HTTP", "HTTPS"]),
    ];
  }
  if (tcpSocket) return validatePort(`${field}.tcpSocket.port`, tcpSocket.port);
  const grpc = "grpc" in handler ? handler.grpc : undefined;
  return grpc ? validatePort(`${field}.grpc.port`, grpc.port) : [];
}

/** `onlyOneSuccess`: liveness and startup probes succeed once or not at all. */
export function validateProbe(field: string, probe: Probe | undefined, onlyOneSuccess: boolean): StatusCause[] {
  if (!probe) return [];
  const causes = validateHandler(field, probe);
  for (const number of [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ] as const) {
    causes.push(...nonNegative(`${field}.${number}`, probe[number]));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && !onlyOneSuccess)
    causes.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes"));
  else if (grace !== undefined && grace <= 0)
    causes.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  if (onlyOneSuccess && probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    causes.push(invalidValue(`${field}.successThreshold`, probe.successThreshold, "must be 1"));
  }
  return causes;
}
