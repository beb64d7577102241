import { formatSeconds } from "../../clock/clock.js";
import type { Random } from "../../clock/random.js";
import { foreignError, type StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import { parseApiVersion } from "../schema/kinds.js";
import type { ObjectMeta, OwnerReference } from "../schema/object-meta.js";
import type { ResourceEntry } from "./catalogue.js";
import { forbiddenField, invalidValue, required, tooLong } from "./strategies/field.js";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "./strategies/names.js";

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
  // Since 1.36 (KEP 5311) a service's name may begin with a digit.
  services: dnsLabel,
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
  if (metadata.resourceVersion) throw foreignError("resourceVersion should not be set on objects to be created");
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
  const nameRule = NAME_RULES[entry.storage] ?? dnsSubdomain;
  if (metadata.generateName) {
    // What is at the end of a prefix may be a dash: the letters that follow make a name of it.
    const prefix = metadata.generateName.replace(/-$/, "a");
    for (const complaint of nameRule(prefix))
      causes.push(invalidValue("metadata.generateName", metadata.generateName, complaint));
  }
  if (!metadata.name) causes.push(required("metadata.name", "name or generateName is required"));
  else {
    for (const complaint of nameRule(metadata.name))
      causes.push(invalidValue("metadata.name", metadata.name, complaint));
  }
  if (metadata.labels) checkLabels(metadata.labels, "metadata.labels", causes);
  if (metadata.annotations) checkAnnotations(metadata.annotations, causes);
  if (metadata.ownerReferences) checkOwners(metadata.ownerReferences, causes);
  if (metadata.finalizers) checkFinalizers(metadata.finalizers, entry, causes);
  return causes;
}

/** Beside `validateMetadata`, for a change of an existing object. */
export function validateMetadataUpdate(next: KubeObject, current: KubeObject): StatusCause[] {
  const { finalizers } = next.metadata;
  if (!finalizers || !current.metadata.deletionTimestamp) return [];
  const added = finalizers.filter((finalizer) => !current.metadata.finalizers?.includes(finalizer));
  if (added.length === 0) return [];
  const listed = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
  const cause = forbiddenField(
    "metadata.finalizers",
    `no new finalizers can be added if the object is being deleted, found new finalizers []string{${listed}}`,
  );
  // Both the rules of all objects and those of the kind look at it.
  return [cause, cause];
}

/** Finalizers without a prefix that somebody knows: those of the garbage collector, and of namespaces. */
const STANDARD_FINALIZERS = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

function checkFinalizers(finalizers: readonly string[], { info }: ResourceEntry, causes: StatusCause[]): void {
  for (const finalizer of finalizers)
    for (const complaint of qualifiedName(finalizer))
      causes.push(invalidValue("metadata.finalizers", finalizer, complaint));
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    const complaint = "finalizer orphan and foregroundDeletion cannot be both set";
    causes.push(invalidValue("metadata.finalizers", finalizers, complaint));
  }
  // Only the core group asks for more.
  if (info.group !== "") return;
  finalizers.forEach((finalizer, index) => {
    if (finalizer.includes("/") || STANDARD_FINALIZERS.has(finalizer)) return;
    const complaint = "name is neither a standard finalizer name nor is it fully qualified";
    causes.push(invalidValue(`metadata.finalizers[${index}]`, finalizer, complaint));
  });
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
  for (const owner of owners) {
    // Upstream does not say which of them it is.
    const field = "metadata.ownerReferences";
    for (const part of ["apiVersion", "kind", "name", "uid"] as const) {
      const complaint = part === "apiVersion" ? "version must not be empty" : "must not be empty";
      const missing = part === "apiVersion" ? !parseApiVersion(owner.apiVersion ?? "")?.version : !owner[part];
      if (missing) causes.push(invalidValue(`${field}.${part}`, owner[part] ?? "", complaint));
    }
    if (owner.apiVersion === "v1" && owner.kind === "Event")
      causes.push(invalidValue(field, owner, "/v1, Kind=Event is disallowed from being an owner"));
    if (!owner.controller) continue;
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
  }
}
