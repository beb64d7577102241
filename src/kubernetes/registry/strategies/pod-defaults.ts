/**
 * Documented defaults of pods and pod templates (upstream: pkg/apis/core/v1/defaults.go). Templates get what `defaultPodSpec` fills; a few fields are
 * filled in real pods only.
 */
import type {
  Container,
  EnvVar,
  PodSpec,
  PodTemplateSpec,
  Probe,
  ResourceRequirements,
  Volume,
} from "../../schema/generated/types.js";
import { canonicalQuantity } from "../quantity.js";
import { mapItems, mapValues, withDefaults, withField } from "./defaulting.js";

/** rw-r--r--, the mode of projected files. */
const FILE_MODE = 0o644;
/** Life of a projected service account token whose length nobody gave. */
const TOKEN_EXPIRATION_SECONDS = 3600;

/** The API server stores quantities in canonical spelling: `1024Mi` becomes `1Gi`. */
export const canonicalAmounts = (amounts: Record<string, string> | undefined): Record<string, string> | undefined =>
  mapValues(amounts, canonicalQuantity);

function defaultResources(resources: ResourceRequirements): ResourceRequirements {
  return withField(
    withField(resources, "limits", canonicalAmounts(resources.limits)),
    "requests",
    canonicalAmounts(resources.requests),
  );
}

/** `Always` for `:latest` and for images without tag and digest, else `IfNotPresent`. */
function defaultPullPolicy(image: string | undefined): string {
  const reference = image ?? "";
  if (reference.includes("@")) return "IfNotPresent";
  const colon = reference.lastIndexOf(":");
  const tag = colon > reference.lastIndexOf("/") ? reference.slice(colon + 1) : "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}

const httpDefaults = { path: "/", scheme: "HTTP" };

function defaultProbe(probe: Probe): Probe {
  let result = withDefaults(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  if (result.httpGet) result = withField(result, "httpGet", withDefaults(result.httpGet, httpDefaults));
  if (result.grpc) result = withField(result, "grpc", withDefaults(result.grpc, { service: "" }));
  return result;
}

function defaultEnvironment(variable: EnvVar): EnvVar {
  const source = variable.valueFrom;
  if (source?.fieldRef) {
    return withField(
      variable,
      "valueFrom",
      withField(source, "fieldRef", withDefaults(source.fieldRef, { apiVersion: "v1" })),
    );
  }
  if (source?.resourceFieldRef) {
    return withField(
      variable,
      "valueFrom",
      withField(source, "resourceFieldRef", withDefaults(source.resourceFieldRef, { divisor: "0" })),
    );
  }
  return variable;
}

function defaultContainer(container: Container): Container {
  let result = withDefaults(container, {
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: defaultPullPolicy(container.image),
    resources: {},
  });
  result = withField(result, "resources", defaultResources(result.resources as ResourceRequirements));
  result = withField(
    result,
    "ports",
    mapItems(result.ports, (port) => withDefaults(port, { protocol: "TCP" })),
  );
  result = withField(result, "env", mapItems(result.env, defaultEnvironment));
  for (const kind of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = result[kind];
    if (probe) result = withField(result, kind, defaultProbe(probe));
  }
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = result.lifecycle?.[hook];
    if (!handler?.httpGet) continue;
    const httpGet = withDefaults(handler.httpGet, httpDefaults);
    result = withField(
      result,
      "lifecycle",
      withField(result.lifecycle ?? {}, hook, withField(handler, "httpGet", httpGet)),
    );
  }
  return result;
}

const defaultFieldRefs = <T extends { fieldRef?: { apiVersion?: string; fieldPath: string } }>(
  items: T[] | undefined,
): T[] | undefined =>
  mapItems(items, (item) =>
    item.fieldRef ? withField(item, "fieldRef", withDefaults(item.fieldRef, { apiVersion: "v1" })) : item,
  );

function defaultVolume(volume: Volume): Volume {
  for (const kind of ["secret", "configMap", "downwardAPI"] as const) {
    const source = volume[kind];
    if (source)
      volume = withField(volume, kind, withDefaults(source as { defaultMode?: number }, { defaultMode: FILE_MODE }));
  }
  if (volume.downwardAPI) {
    volume = withField(
      volume,
      "downwardAPI",
      withField(volume.downwardAPI, "items", defaultFieldRefs(volume.downwardAPI.items)),
    );
  }
  if (volume.hostPath) volume = withField(volume, "hostPath", withDefaults(volume.hostPath, { type: "" }));
  if (volume.projected) {
    const projected = withDefaults(volume.projected, { defaultMode: FILE_MODE });
    const sources = mapItems(projected.sources, (source) => {
      if (source.serviceAccountToken) {
        const token = withDefaults(source.serviceAccountToken, { expirationSeconds: TOKEN_EXPIRATION_SECONDS });
        return withField(source, "serviceAccountToken", token);
      }
      if (!source.downwardAPI) return source;
      return withField(
        source,
        "downwardAPI",
        withField(source.downwardAPI, "items", defaultFieldRefs(source.downwardAPI.items)),
      );
    });
    volume = withField(volume, "projected", withField(projected, "sources", sources));
  }
  const claim = volume.ephemeral?.volumeClaimTemplate;
  if (claim) {
    const spec = withDefaults(claim.spec, { volumeMode: "Filesystem" });
    volume = withField(
      volume,
      "ephemeral",
      withField(volume.ephemeral ?? {}, "volumeClaimTemplate", withField(claim, "spec", spec)),
    );
  }
  // A volume that names no source is an emptyDir.
  return Object.entries(volume).some(([key, source]) => key !== "name" && source)
    ? volume
    : { ...volume, emptyDir: {} };
}

function defaultPodSpec(spec: PodSpec): PodSpec {
  let result = withDefaults(spec, {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    terminationGracePeriodSeconds: 30,
    schedulerName: "default-scheduler",
    securityContext: {},
  });
  // The deprecated `serviceAccount` mirrors serviceAccountName in both directions.
  const account = result.serviceAccountName || result.serviceAccount;
  if (account) result = withField(withField(result, "serviceAccountName", account), "serviceAccount", account);
  result = withField(result, "containers", mapItems(result.containers, defaultContainer));
  result = withField(result, "initContainers", mapItems(result.initContainers, defaultContainer));
  result = withField(result, "ephemeralContainers", mapItems(result.ephemeralContainers, defaultContainer));
  result = withField(result, "volumes", mapItems(result.volumes, defaultVolume));
  if (result.resources) result = withField(result, "resources", defaultResources(result.resources));
  return withField(result, "overhead", canonicalAmounts(result.overhead));
}

export function defaultTemplate(template: PodTemplateSpec): PodTemplateSpec {
  return template.spec ? withField(template, "spec", defaultPodSpec(template.spec)) : template;
}

/** A container that limits a resource without requesting it requests the limit. */
function requestLimits(container: Container): Container {
  const { limits, requests } = container.resources ?? {};
  if (!limits) return container;
  const completed = withDefaults(requests ?? {}, limits);
  return completed === requests
    ? container
    : { ...container, resources: { ...container.resources, requests: completed } };
}

/** On the host's network every port is a host port. */
function exposeHostPorts(container: Container): Container {
  const ports = mapItems(container.ports, (port) => (port.hostPort ? port : { ...port, hostPort: port.containerPort }));
  return withField(container, "ports", ports);
}

/** Defaults of a real pod: those of a template, and what only pods get. */
export function defaultPodOnly(spec: PodSpec): PodSpec {
  let result = withDefaults(defaultPodSpec(spec), { enableServiceLinks: true });
  for (const list of ["containers", "initContainers"] as const) {
    let containers = mapItems(result[list] as Container[] | undefined, requestLimits);
    if (result.hostNetwork) containers = mapItems(containers, exposeHostPorts);
    if (containers) result = withField(result, list, containers);
  }
  return result;
}
