/** A request for admission in the form in which webhooks and expressions see it: `AdmissionRequest` of admission.k8s.io/v1, without the objects. */
import type { KubeObject } from "../object.js";
import { type ScalePaths, scaleOf } from "../registry/scale.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import type { AdmissionRequest } from "./plugin.js";

interface Kind {
  group: string;
  version: string;
  kind: string;
}
interface Resource {
  group: string;
  version: string;
  resource: string;
}

export interface ReviewedRequest {
  kind: Kind;
  resource: Resource;
  subResource?: string;
  requestKind: Kind;
  requestResource: Resource;
  requestSubResource?: string;
  name?: string;
  namespace?: string;
  operation: string;
  userInfo: { username: string; uid?: string; groups: readonly string[]; extra?: Record<string, readonly string[]> };
  dryRun: boolean;
  options: Record<string, unknown>;
}

const OPTIONS: Readonly<Record<AdmissionRequest["operation"], string>> = {
  CREATE: "CreateOptions",
  UPDATE: "UpdateOptions",
  DELETE: "DeleteOptions",
  CONNECT: "",
};

/** The kind of what goes over the wire: a subresource may have one of its own. */
function kindOf(info: ResourceInfo, subresource: string | undefined, object: KubeObject | undefined): Kind {
  if (subresource !== undefined && object?.kind && object.kind !== info.kind) {
    const slash = object.apiVersion.lastIndexOf("/");
    const [group, version] = [object.apiVersion.slice(0, Math.max(slash, 0)), object.apiVersion.slice(slash + 1)];
    return { group, version, kind: object.kind };
  }
  return { group: info.group, version: info.version, kind: info.kind };
}

/** `matched`: the version in which the webhook or policy speaks of the object; `object`: what goes over the wire. */
export function reviewedRequest(
  request: AdmissionRequest,
  matched: ResourceInfo,
  object: KubeObject | undefined,
): ReviewedRequest {
  const { info, subresource, name, namespace, user, operation, dryRun } = request;
  const isNamespace = info.group === "" && info.resource === "namespaces";
  const where = isNamespace ? name : namespace;
  const { username, uid, groups, extra } = user;
  const resource = (of: ResourceInfo): Resource => ({ group: of.group, version: of.version, resource: of.resource });
  const options = OPTIONS[operation];
  return {
    kind: kindOf(matched, subresource, object),
    resource: resource(matched),
    ...(subresource === undefined ? {} : { subResource: subresource }),
    requestKind: kindOf(info, subresource, object),
    requestResource: resource(info),
    ...(subresource === undefined ? {} : { requestSubResource: subresource }),
    ...(name ? { name } : {}),
    ...(where ? { namespace: where } : {}),
    operation,
    userInfo: { username, ...(uid ? { uid } : {}), groups, ...(extra ? { extra: { ...extra } } : {}) },
    dryRun,
    options: options
      ? { kind: options, apiVersion: "meta.k8s.io/v1", ...(dryRun ? { dryRun: ["All"] } : {}) }
      : { ...(object as Record<string, unknown> | undefined) },
  };
}

/** The objects as the request's kind has them: the scale subresource is written as a Scale. */
export function wireObjects({ subresource, object, previous, info }: AdmissionRequest, paths?: ScalePaths) {
  if (subresource !== "scale" || object?.kind !== info.kind) return { object, previous };
  return { object: scaleOf(object, paths), previous: previous && scaleOf(previous, paths) };
}

/** Makes `target` say what `source` says without becoming another object: the registry holds on to the draft, and to its metadata. */
export function replaceContents(target: KubeObject, source: KubeObject): void {
  const replace = (into: Record<string, unknown>, from: Record<string, unknown>): void => {
    for (const key of Object.keys(into)) if (!Object.hasOwn(from, key)) delete into[key];
    Object.assign(into, from);
  };
  const { metadata } = target;
  // Options of a connection have none.
  if (metadata)
    replace(
      metadata as unknown as Record<string, unknown>,
      { ...source.metadata } as unknown as Record<string, unknown>,
    );
  replace(target, metadata ? { ...source, metadata } : source);
}
