/** Rules of containers, of any of the three sorts (upstream: validateContainers in pkg/apis/core/validation). */
import type { StatusCause } from "../../errors.js";
import type { Container, ContainerPort, EnvVar } from "../../schema/generated/types.js";
import {
  duplicate,
  forbiddenField,
  inRange,
  invalidValue,
  named,
  nonNegative,
  notFoundValue,
  oneOf,
  required,
  unsupported,
} from "./field.js";
import { dnsLabel, environmentName, portName } from "./names.js";
import { validateHandler, validateProbe } from "./probe-validation.js";
import { validateResources } from "./resource-validation.js";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
/** What of a pod its containers' environment may show. */
const SHOWN_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
/** Further fields of pods that have labels of their own in selectors and volumes. */
const OTHER_FIELDS = [
  "metadata.annotations",
  "metadata.labels",
  "spec.host",
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
];
const AMOUNTS = ["limits", "requests"].flatMap((kind) =>
  ["cpu", "ephemeral-storage", "memory"].map((resource) => `${kind}.${resource}`),
);

function validateFieldPath(field: string, path: string | undefined): StatusCause[] {
  if (!path) return [required(field)];
  const subscripted = /^(.*)\['.*'\]$/.exec(path)?.[1];
  if (subscripted === "metadata.annotations" || subscripted === "metadata.labels") return [];
  const wrong = (why: string): StatusCause[] => [invalidValue(field, path, `error converting fieldPath: ${why}`)];
  if (subscripted !== undefined) return wrong(`field label does not support subscript: ${path}`);
  if (SHOWN_FIELDS.includes(path) || path === "spec.host") return [];
  if (OTHER_FIELDS.includes(path)) return [unsupported(field, path, SHOWN_FIELDS)];
  return wrong(`field label not supported: ${path}`);
}

/** What a container's rules need to know of its pod. */
export interface PodSurroundings {
  volumes: ReadonlySet<string>;
  hostNetwork: boolean;
  /** `restartPolicy: Always` init containers may have probes and lifecycle hooks; the others may not. */
  sort: "container" | "init" | "ephemeral";
}

function validateEnvironment(field: string, environment: readonly EnvVar[]): StatusCause[] {
  return environment.flatMap(({ name, value, valueFrom }, index) => {
    const at = `${field}[${index}]`;
    const causes = name ? named(`${at}.name`, name, environmentName(name)) : [required(`${at}.name`)];
    if (!valueFrom) return causes;
    const sources = Object.values(valueFrom).filter(Boolean).length;
    if (value) causes.push(invalidValue(`${at}.valueFrom`, "", "may not be specified when `value` is not empty"));
    if (sources === 0)
      causes.push(
        invalidValue(
          `${at}.valueFrom`,
          "",
          "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
      );
    if (sources > 1)
      causes.push(invalidValue(`${at}.valueFrom`, "", "may not have more than one field specified at a time"));
    for (const kind of ["configMapKeyRef", "secretKeyRef"] as const) {
      const reference = valueFrom[kind];
      if (!reference) continue;
      if (!reference.name) causes.push(required(`${at}.valueFrom.${kind}.name`));
      if (!reference.key) causes.push(required(`${at}.valueFrom.${kind}.key`));
    }
    if (valueFrom.fieldRef)
      causes.push(...validateFieldPath(`${at}.valueFrom.fieldRef.fieldPath`, valueFrom.fieldRef.fieldPath));
    if (valueFrom.resourceFieldRef) {
      const { resource } = valueFrom.resourceFieldRef;
      const field = `${at}.valueFrom.resourceFieldRef.resource`;
      if (!resource) causes.push(required(field));
      else if (!AMOUNTS.includes(resource) && !/^(?:limits|requests)\.hugepages-/.test(resource))
        causes.push(unsupported(field, resource, AMOUNTS));
    }
    return causes;
  });
}

function validatePorts(field: string, ports: readonly ContainerPort[], surroundings: PodSurroundings): StatusCause[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `${field}[${index}]`;
    const causes: StatusCause[] = [];
    if (port.name) {
      const complaints = named(`${at}.name`, port.name, portName(port.name));
      causes.push(...complaints);
      if (names.has(port.name)) causes.push(duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) causes.push(required(`${at}.containerPort`));
    else causes.push(...inRange(`${at}.containerPort`, port.containerPort, 1, 65535));
    if (port.hostPort) causes.push(...inRange(`${at}.hostPort`, port.hostPort, 1, 65535));
    if (surroundings.hostNetwork && port.hostPort && port.hostPort !== port.containerPort) {
      causes.push(
        invalidValue(`${at}.hostPort`, port.hostPort, "must match `containerPort` when `hostNetwork` is true"),
      );
    }
    causes.push(...(port.protocol ? oneOf(`${at}.protocol`, port.protocol, PROTOCOLS) : [required(`${at}.protocol`)]));
    return causes;
  });
}

function validateMounts(field: string, container: Container, volumes: ReadonlySet<string>): StatusCause[] {
  const paths = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${field}[${index}]`;
    const causes: StatusCause[] = [];
    if (!mount.name) causes.push(required(`${at}.name`));
    else if (!volumes.has(mount.name)) causes.push(notFoundValue(`${at}.name`, mount.name));
    if (!mount.mountPath) causes.push(required(`${at}.mountPath`));
    else if (paths.has(mount.mountPath))
      causes.push(invalidValue(`${at}.mountPath`, mount.mountPath, "must be unique"));
    paths.add(mount.mountPath);
    if (mount.subPath && mount.subPathExpr)
      causes.push(
        invalidValue(`${at}.subPathExpr`, mount.subPathExpr, "subPathExpr and subPath are mutually exclusive"),
      );
    for (const part of ["subPath", "subPathExpr"] as const)
      causes.push(...validateRelativePath(`${at}.${part}`, mount[part]));
    return [
      ...causes,
      ...oneOf(`${at}.mountPropagation`, mount.mountPropagation, ["Bidirectional", "HostToContainer", "None"]),
    ];
  });
}

export function validateRelativePath(field: string, path: string | undefined): StatusCause[] {
  if (!path) return [];
  return [
    ...(path.startsWith("/") ? [invalidValue(field, path, "must be a relative path")] : []),
    ...(path.split("/").includes("..") ? [invalidValue(field, path, "must not contain '..'")] : []),
  ];
}

function validateSecurity(field: string, container: Container): StatusCause[] {
  const context = container.securityContext;
  if (!context) return [];
  const causes = [
    ...nonNegative(`${field}.runAsUser`, context.runAsUser),
    ...nonNegative(`${field}.runAsGroup`, context.runAsGroup),
  ];
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged)
      causes.push(
        invalidValue(field, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
      );
    if (context.capabilities?.add?.some((name) => name === "CAP_SYS_ADMIN")) {
      causes.push(
        invalidValue(
          field,
          context,
          "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
        ),
      );
    }
  }
  return causes;
}

/** One container. Names are checked for form here, for uniqueness by the pod's rules. */
export function validateContainer(field: string, container: Container, surroundings: PodSurroundings): StatusCause[] {
  const causes: StatusCause[] = container.name
    ? named(`${field}.name`, container.name, dnsLabel(container.name))
    : [required(`${field}.name`)];
  if (!container.image) causes.push(required(`${field}.image`));
  else if (container.image.trim() !== container.image) {
    causes.push(invalidValue(`${field}.image`, container.image, "must not have leading or trailing whitespace"));
  }
  causes.push(...oneOf(`${field}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]));
  causes.push(
    ...oneOf(`${field}.terminationMessagePolicy`, container.terminationMessagePolicy, [
      "FallbackToLogsOnError",
      "File",
    ]),
  );
  if (container.ports) causes.push(...validatePorts(`${field}.ports`, container.ports, surroundings));
  if (container.env) causes.push(...validateEnvironment(`${field}.env`, container.env));
  container.envFrom?.forEach((source, index) => {
    const at = `${field}.envFrom[${index}]`;
    if (!source.configMapRef && !source.secretRef)
      causes.push(invalidValue(at, "", "must specify one of: `configMapRef` or `secretRef`"));
    if (source.configMapRef && !source.configMapRef.name) causes.push(required(`${at}.configMapRef.name`));
    if (source.secretRef && !source.secretRef.name) causes.push(required(`${at}.secretRef.name`));
  });
  causes.push(...validateMounts(`${field}.volumeMounts`, container, surroundings.volumes));
  container.volumeDevices?.forEach((device, index) => {
    if (!surroundings.volumes.has(device.name))
      causes.push(notFoundValue(`${field}.volumeDevices[${index}].name`, device.name));
  });
  causes.push(...validateResources(`${field}.resources`, container.resources));
  causes.push(...validateSecurity(`${field}.securityContext`, container));

  const restartable =
    surroundings.sort === "container" || (surroundings.sort === "init" && container.restartPolicy === "Always");
  for (const [member, onlyOneSuccess] of [
    ["livenessProbe", true],
    ["readinessProbe", false],
    ["startupProbe", true],
  ] as const) {
    if (container[member] && !restartable)
      causes.push(forbiddenField(`${field}.${member}`, notAllowed(surroundings.sort)));
    else causes.push(...validateProbe(`${field}.${member}`, container[member], onlyOneSuccess));
  }
  if (container.lifecycle && !restartable)
    causes.push(forbiddenField(`${field}.lifecycle`, notAllowed(surroundings.sort)));
  else {
    for (const hook of ["postStart", "preStop"] as const) {
      const handler = container.lifecycle?.[hook];
      if (handler) causes.push(...validateHandler(`${field}.lifecycle.${hook}`, handler));
    }
  }
  if (surroundings.sort === "init")
    causes.push(...oneOf(`${field}.restartPolicy`, container.restartPolicy, ["Always", "Never", "OnFailure"]));
  return causes;
}

const notAllowed = (sort: PodSurroundings["sort"]): string =>
  sort === "ephemeral"
    ? "cannot be set for an Ephemeral Container"
    : "may not be set for init containers without restartPolicy=Always";
