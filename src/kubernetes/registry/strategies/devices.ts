/** Dynamic resource allocation (resource.k8s.io/v1): claims for devices, their templates, classes and slices. */
import type { StatusCause } from "../../errors.js";
import type { KubeObject } from "../../object.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { duplicate, invalidValue, named, oneOf, required } from "./field.js";
import { dnsLabel, dnsSubdomain } from "./names.js";
import { immutableFields, strategyOf } from "./rules.js";

interface Wanted {
  name?: string;
  deviceClassName?: string;
  allocationMode?: string;
  count?: number;
}
interface Request {
  name?: string;
  exactly?: Wanted;
  firstAvailable?: Wanted[];
}
interface ClaimSpec {
  devices?: { requests?: Request[] };
}
interface ResourceClaim extends KubeObject {
  spec?: ClaimSpec;
}
interface ResourceClaimTemplate extends KubeObject {
  spec?: { spec?: ClaimSpec };
}
interface ResourceSlice extends KubeObject {
  spec?: {
    driver?: string;
    pool?: { name?: string; generation?: number; resourceSliceCount?: number };
    nodeName?: string;
    nodeSelector?: object;
    allNodes?: boolean;
    perDeviceNodeSelection?: boolean;
    devices?: { name?: string }[];
  };
}

const MODES = ["All", "ExactCount"];

function defaultWanted(wanted: Wanted): Wanted {
  const result = withDefaults(wanted, { allocationMode: "ExactCount" });
  return result.allocationMode === "ExactCount" ? withDefaults(result, { count: 1 }) : result;
}

function defaultClaim(spec: ClaimSpec | undefined): ClaimSpec | undefined {
  if (!spec?.devices?.requests) return spec;
  const requests = mapItems(spec.devices.requests, (request) => {
    const exactly = request.exactly ? withField(request, "exactly", defaultWanted(request.exactly)) : request;
    return exactly.firstAvailable
      ? withField(exactly, "firstAvailable", mapItems(exactly.firstAvailable, defaultWanted))
      : exactly;
  });
  return withField(spec, "devices", withField(spec.devices, "requests", requests));
}

function validateWanted(at: string, { deviceClassName, allocationMode, count }: Wanted): StatusCause[] {
  return [
    ...(deviceClassName
      ? named(`${at}.deviceClassName`, deviceClassName, dnsSubdomain(deviceClassName))
      : [required(`${at}.deviceClassName`)]),
    ...oneOf(`${at}.allocationMode`, allocationMode, MODES),
    ...(allocationMode === "ExactCount" && count !== undefined && count <= 0
      ? [invalidValue(`${at}.count`, count, "must be greater than zero")]
      : []),
    ...(allocationMode === "All" && count
      ? [invalidValue(`${at}.count`, count, "must not be specified when allocationMode is 'All'")]
      : []),
  ];
}

const validateName = (at: string, name: string | undefined): StatusCause[] =>
  name ? named(`${at}.name`, name, dnsLabel(name)) : [required(`${at}.name`)];

function validateClaim(at: string, spec: ClaimSpec | undefined): StatusCause[] {
  const seen = new Set<string>();
  return (spec?.devices?.requests ?? []).flatMap((request, index) => {
    const path = `${at}.devices.requests[${index}]`;
    const { name = "", exactly, firstAvailable } = request;
    const causes = validateName(path, name);
    if (seen.has(name)) causes.push(duplicate(path, name));
    seen.add(name);
    if (Boolean(exactly) === Boolean(firstAvailable?.length)) {
      const detail = "exactly one of `exactly` or `firstAvailable` is required";
      causes.push(exactly ? invalidValue(path, request, detail) : required(path, detail));
    }
    if (exactly) causes.push(...validateWanted(`${path}.exactly`, exactly));
    firstAvailable?.forEach((wanted, position) => {
      const alternative = `${path}.firstAvailable[${position}]`;
      causes.push(...validateName(alternative, wanted.name), ...validateWanted(alternative, wanted));
    });
    return causes;
  });
}

export const resourceClaims = strategyOf<ResourceClaim>({
  hasGeneration: false,
  setDefaults(claim) {
    const spec = defaultClaim(claim.spec);
    if (spec) claim.spec = spec;
  },
  validate: ({ spec }) => validateClaim("spec", spec),
  validateUpdate: (now, before) => immutableFields(now, before, ["spec"]),
});

export const resourceClaimTemplates = strategyOf<ResourceClaimTemplate>({
  setDefaults(template) {
    const spec = defaultClaim(template.spec?.spec);
    if (template.spec && spec) template.spec = withField(template.spec, "spec", spec);
  },
  validate: ({ spec }) => validateClaim("spec.spec", spec?.spec),
  validateUpdate: (now, before) => immutableFields(now, before, ["spec"]),
});

export const deviceClasses = strategyOf<KubeObject>({ hasGeneration: true });

export const resourceSlices = strategyOf<ResourceSlice>({
  hasGeneration: true,
  validate({ spec = {} }) {
    const { driver, pool, nodeName, nodeSelector, allNodes, perDeviceNodeSelection, devices = [] } = spec;
    const causes = driver ? named("spec.driver", driver, dnsSubdomain(driver)) : [required("spec.driver")];
    if (!pool?.name) causes.push(required("spec.pool.name"));
    if (!(Number(pool?.resourceSliceCount ?? 0) > 0))
      causes.push(
        invalidValue("spec.pool.resourceSliceCount", pool?.resourceSliceCount ?? 0, "must be greater than zero"),
      );
    const places = [nodeName, nodeSelector, allNodes, perDeviceNodeSelection].filter(Boolean).length;
    const detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    if (places === 0) causes.push(required("spec", detail));
    else if (places > 1) causes.push(invalidValue("spec", spec, detail));
    const seen = new Set<string>();
    devices.forEach(({ name = "" }, index) => {
      causes.push(...validateName(`spec.devices[${index}]`, name));
      if (seen.has(name)) causes.push(duplicate(`spec.devices[${index}].name`, name));
      seen.add(name);
    });
    return causes;
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.driver", "spec.pool.name", "spec.nodeName"]),
});
