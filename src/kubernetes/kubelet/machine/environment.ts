import type { Container, EnvVar, Pod, Service } from "../../schema/generated/types.js";
import type { ReferenceLookups, Referred } from "../pod-references.js";
import { fieldValue, type PodPlacement, resourceValue } from "./field-values.js";

/** The environment of a container as a kubelet makes it, and what else it expands: `$(NAME)` in commands, arguments and sub-paths. */
export interface EnvironmentSources {
  pod: Pod;
  placement: PodPlacement;
  references: ReferenceLookups;
  /** Services of the pod's namespace, and `kubernetes` of `default`. */
  services: readonly Service[];
}

/** Cannot be made: the container waits with reason CreateContainerConfigError. */
export class EnvironmentProblem extends Error {}

const decoded = (object: Referred, key: string, isSecret: boolean): string => {
  const text = object.data?.[key] ?? object.binaryData?.[key];
  if (typeof text !== "string") return "";
  return isSecret || object.data?.[key] === undefined ? Buffer.from(text, "base64").toString("utf8") : text;
};

/** `$(NAME)` is the variable's value, `$$` a dollar; what is not known stays as it is. */
export function expanded(
  text: string,
  variables: ReadonlyMap<string, string>,
  onMissing?: (name: string) => void,
): string {
  if (!text.includes("$")) return text;
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name?: string) => {
    if (name === undefined) return "$";
    const value = variables.get(name);
    if (value === undefined) onMissing?.(name);
    return value ?? whole;
  });
}

function fromReference({ pod, references }: EnvironmentSources, { valueFrom }: EnvVar): string | undefined {
  for (const [resource, reference, singular, kind] of [
    ["configmaps", valueFrom?.configMapKeyRef, "configmap", "ConfigMap"],
    ["secrets", valueFrom?.secretKeyRef, "secret", "Secret"],
  ] as const) {
    if (!reference?.name) continue;
    const object = references.find(resource, reference.name);
    if (!object) {
      if (reference.optional) return undefined;
      throw new EnvironmentProblem(`${singular} "${reference.name}" not found`);
    }
    if (reference.key in (object.data ?? {}) || reference.key in (object.binaryData ?? {}))
      return decoded(object, reference.key, resource === "secrets");
    if (reference.optional) return undefined;
    throw new EnvironmentProblem(
      `couldn't find key ${reference.key} in ${kind} ${pod.metadata.namespace}/${reference.name}`,
    );
  }
  return undefined;
}

/** Variables from the whole of ConfigMaps and Secrets. */
function takeAll(container: Container, { references }: EnvironmentSources, into: Map<string, string>): void {
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const reference = configMapRef ?? secretRef;
    if (!reference?.name) continue;
    const object = references.find(configMapRef ? "configmaps" : "secrets", reference.name);
    if (!object && !reference.optional)
      throw new EnvironmentProblem(`${configMapRef ? "configmap" : "secret"} "${reference.name}" not found`);
    // Any name may be a variable that a process can be given: printable, without the equals sign.
    for (const key of Object.keys(object?.data ?? {}).sort())
      if (!key.includes("=")) into.set(prefix + key, decoded(object as Referred, key, !configMapRef));
  }
}

/** The variables that links to services make: `REDIS_MASTER_SERVICE_HOST`, ... */
function serviceVariables(services: readonly Service[], into: Map<string, string>): void {
  for (const { metadata, spec } of services) {
    const host = spec?.clusterIP;
    const [first] = spec?.ports ?? [];
    if (!host || host === "None" || !first) continue;
    const name = metadata.name.toUpperCase().replaceAll("-", "_");
    into.set(`${name}_SERVICE_HOST`, host).set(`${name}_SERVICE_PORT`, String(first.port));
    for (const port of spec.ports ?? [])
      if (port.name)
        into.set(`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll("-", "_")}`, String(port.port));
    (spec.ports ?? []).forEach((port, index) => {
      const protocol = (port.protocol ?? "TCP").toLowerCase();
      const url = `${protocol}://${host}:${port.port}`;
      const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`;
      if (index === 0) into.set(`${name}_PORT`, url);
      into
        .set(prefix, url)
        .set(`${prefix}_PROTO`, protocol)
        .set(`${prefix}_PORT`, String(port.port))
        .set(`${prefix}_ADDR`, host);
    });
  }
}

/** Throws EnvironmentProblem. `image`: what the image itself sets. */
export function environmentOf(
  container: Container,
  sources: EnvironmentSources,
  image: Readonly<Record<string, string>> = {},
): Map<string, string> {
  const { pod, placement } = sources;
  const result = new Map<string, string>(Object.entries(image));
  const hostname = hostnameOf(pod);
  result.set("HOSTNAME", hostname);
  const own = new Map<string, string>();
  takeAll(container, sources, own);
  const services = new Map<string, string>();
  serviceVariables(
    sources.services.filter(
      ({ metadata }) =>
        (metadata.namespace === "default" && metadata.name === "kubernetes") ||
        (pod.spec?.enableServiceLinks !== false && metadata.namespace === pod.metadata.namespace),
    ),
    services,
  );
  for (const variable of container.env ?? []) {
    const { name, value, valueFrom } = variable;
    let text: string | undefined;
    if (value) {
      // Later definitions see earlier ones, and service variables last.
      text = expanded(value, new Map([...services, ...own]));
    } else if (valueFrom?.fieldRef) text = fieldValue(pod, placement, valueFrom.fieldRef.fieldPath);
    else if (valueFrom?.resourceFieldRef) text = resourceValue(pod, placement, container, valueFrom.resourceFieldRef);
    else if (valueFrom) {
      text = fromReference(sources, variable);
      if (text === undefined) continue;
    }
    own.set(name, text ?? "");
  }
  for (const [name, value] of own) result.set(name, value);
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return result;
}

/** What `hostname` says in the pod. */
export function hostnameOf(pod: Pod): string {
  const { spec, metadata } = pod;
  const override = (spec as { hostnameOverride?: string } | undefined)?.hostnameOverride;
  if (override) return override;
  if (spec?.hostNetwork) return spec.nodeName ?? metadata.name;
  // Linux takes no more than 63 characters.
  const name = (spec?.hostname || metadata.name).slice(0, 63).replace(/[-.]+$/, "");
  return spec?.setHostnameAsFQDN && spec.subdomain
    ? `${name}.${spec.subdomain}.${metadata.namespace}.svc.cluster.local`
    : name;
}

/** The name that a pod with a subdomain has in the cluster. */
export function qualifiedNameOf(pod: Pod): string | undefined {
  const { spec, metadata } = pod;
  if (!spec?.subdomain) return undefined;
  const name = hostnameOf(pod);
  return spec.setHostnameAsFQDN ? name : `${name}.${spec.subdomain}.${metadata.namespace}.svc.cluster.local`;
}

/** Where below its volume a mount begins. Throws EnvironmentProblem with the kubelet's words. */
export function subPathOf(
  mount: { subPath?: string; subPathExpr?: string },
  variables: ReadonlyMap<string, string>,
): string | undefined {
  let path = mount.subPath;
  if (mount.subPathExpr) {
    path = expanded(mount.subPathExpr, variables, (name) => {
      throw new EnvironmentProblem(`missing value for ${JSON.stringify(name)}`);
    });
  }
  if (!path) return undefined;
  if (path.startsWith("/")) throw new EnvironmentProblem(`error SubPath \`${path}\` must not be an absolute path`);
  if (path.split("/").includes(".."))
    throw new EnvironmentProblem(`unable to provision SubPath \`${path}\`: must not contain '..'`);
  return path;
}
