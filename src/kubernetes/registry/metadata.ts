import { formatSeconds } from "../../clock/clock.js";
import type { Random } from "../../clock/random.js";
import { badRequest, type StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { ObjectMeta, OwnerReference } from "../schema/object-meta.js";
import type { ResourceEntry } from "./catalogue.js";
import { forbiddenField, invalidValue, required, tooLong } from "./strategies/field.js";
import { dns1035Label, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "./strategies/names.js";

/** Rules of metadata that hold for every kind: what the server fills in, what a client may not touch, and how names and labels must look. */

/** No vowels, so that no words come out, and no characters that look alike: apimachinery's alphabet of generated names. */
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
const LONGEST_GENERATED_BASE = 63 - SUFFIX_LENGTH;
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;

/** `web-` -> `web-x7k2p`. */
export const generateName = (base: string, random: Random): string =>
  base.slice(0, LONGEST_GENERATED_BASE) + random.string(SUFFIX_LENGTH, NAME_ALPHABET);

/** Names that become one segment of a path and nothing else, e.g. RBAC's `system:node`. */
function pathSegment(name: string): readonly string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((illegal) => name.includes(illegal)).map((illegal) => `may not contain '${illegal}'`);
}

/** Kinds whose names are not DNS subdomains. */
const NAME_RULES: Readonly<Record<string, (name: string) => readonly string[]>> = {
  namespaces: dnsLabel,
  services: dns1035Label,
  "roles.rbac.authorization.k8s.io": pathSegment,
  "rolebindings.rbac.authorization.k8s.io": pathSegment,
  "clusterroles.rbac.authorization.k8s.io": pathSegment,
  "clusterrolebindings.rbac.authorization.k8s.io": pathSegment,
  "certificatesigningrequests.certificates.k8s.io": pathSegment,
  "apiservices.apiregistration.k8s.io": pathSegment,
  "ipaddresses.networking.k8s.io": pathSegment,
};

/** Fills in what every new object gets. `draft` is the registry's own copy. */
export function beginMetadata(draft: KubeObject, nowMs: number, random: Random): void {
  const { metadata } = draft;
  metadata.uid = random.uuid();
  metadata.creationTimestamp = formatSeconds(nowMs);
  if (metadata.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
}

/** Carries over what the server decides about an existing object, whatever the client sent. */
export function keepMetadata(next: KubeObject, current: KubeObject): void {
  const meta = next.metadata;
  const before = current.metadata;
  meta.name = before.name;
  meta.uid = before.uid;
  meta.creationTimestamp = before.creationTimestamp;
  meta.resourceVersion = before.resourceVersion;
  carry(meta, before, "namespace");
  carry(meta, before, "generateName");
  carry(meta, before, "generation");
  carry(meta, before, "deletionTimestamp");
  carry(meta, before, "deletionGracePeriodSeconds");
  delete meta.selfLink;
}

function carry<K extends keyof ObjectMeta>(to: ObjectMeta, from: ObjectMeta, field: K): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}

/** Field errors of metadata for a new or changed object. */
export function validateMetadata(object: KubeObject, entry: ResourceEntry): StatusCause[] {
  const { metadata } = object;
  const causes: StatusCause[] = [];
  if (!metadata.name) causes.push(required("metadata.name", "name or generateName is required"));
  else {
    const complaints = (NAME_RULES[entry.storage] ?? dnsSubdomain)(metadata.name);
    for (const complaint of complaints) causes.push(invalidValue("metadata.name", metadata.name, complaint));
  }
  if (metadata.labels) checkLabels(metadata.labels, "metadata.labels", causes);
  if (metadata.annotations) checkAnnotations(metadata.annotations, causes);
  if (metadata.ownerReferences) checkOwners(metadata.ownerReferences, causes);
  for (const finalizer of metadata.finalizers ?? []) {
    for (const complaint of qualifiedName(finalizer))
      causes.push(invalidValue("metadata.finalizers", finalizer, complaint));
  }
  return causes;
}

/** Beside `validateMetadata`, for a change of an existing object. */
export function validateMetadataUpdate(next: KubeObject, current: KubeObject): StatusCause[] {
  const { finalizers } = next.metadata;
  if (!finalizers || !current.metadata.deletionTimestamp) return [];
  const added = finalizers.filter((finalizer) => !current.metadata.finalizers?.includes(finalizer));
  if (added.length === 0) return [];
  const listed = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
  return [
    forbiddenField(
      "metadata.finalizers",
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${listed}}`,
    ),
  ];
}

function checkLabels(labels: Record<string, string>, field: string, causes: StatusCause[]): void {
  for (const key in labels) {
    for (const complaint of qualifiedName(key)) causes.push(invalidValue(field, key, complaint));
    for (const complaint of labelValue(labels[key] as string)) causes.push(invalidValue(field, labels[key], complaint));
  }
}

function checkAnnotations(annotations: Record<string, string>, causes: StatusCause[]): void {
  let bytes = 0;
  for (const key in annotations) {
    const value = annotations[key] as string;
    // Upstream checks the lower-cased key: annotation keys may have capitals in their prefix.
    for (const complaint of qualifiedName(key.toLowerCase()))
      causes.push(invalidValue("metadata.annotations", key, complaint));
    bytes += key.length + value.length;
  }
  if (bytes > ANNOTATIONS_LIMIT_BYTES) causes.push(tooLong("metadata.annotations", ANNOTATIONS_LIMIT_BYTES));
}

function checkOwners(owners: readonly OwnerReference[], causes: StatusCause[]): void {
  let controller: OwnerReference | undefined;
  owners.forEach((owner, index) => {
    const field = `metadata.ownerReferences[${index}]`;
    for (const part of ["apiVersion", "kind", "name", "uid"] as const) {
      if (!owner[part])
        causes.push(
          invalidValue(
            `${field}.${part}`,
            owner[part] ?? "",
            part === "apiVersion" ? "version must not be empty" : "must not be empty",
          ),
        );
    }
    if (!owner.controller) return;
    if (controller) {
      causes.push(
        invalidValue(
          "metadata.ownerReferences",
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${owner.kind}/${owner.name}`,
        ),
      );
    }
    controller = owner;
  });
}
