import type { UserInfo } from "../api.js";
import type { StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";

/** What a strategy may look at while it judges one write. */
export interface WriteContext {
  user: UserInfo;
  nowMs: number;
  /** Reads of other objects, e.g. the Services whose addresses are taken. */
  get(resource: string, key: { namespace?: string; name: string }): KubeObject | undefined;
  list(resource: string, namespace?: string): readonly KubeObject[];
}

/**
 * The rules of one kind, in the order the registry calls them. `draft` objects are the registry's own mutable copies; everything else is read-only.
 * Generic rules (names, labels, annotations, owner references, finalizers, generation, uid, timestamps) are the registry's, not the strategy's.
 */
export interface Strategy {
  /** Fills absent fields with the documented defaults. Runs on create, on update and on the result of a patch. */
  setDefaults?(draft: KubeObject): void;
  /** Drops or sets what a client may not decide (status on create, allocated fields). */
  prepareForCreate?(draft: KubeObject, context: WriteContext): void;
  /** Carries over what an update may not touch. */
  prepareForUpdate?(draft: KubeObject, previous: KubeObject, context: WriteContext): void;
  /** What a write of a subresource (`status`, `approval`, ...) may not change, put back; and what it leaves to the server, filled in. */
  prepareForSubresource?(draft: KubeObject, previous: KubeObject, subresource: string, context: WriteContext): void;
  /** On create and on update; `previous` is there for updates. */
  validate?(object: KubeObject, context: WriteContext, previous?: KubeObject): StatusCause[];
  /** Immutable fields and transitions; runs beside `validate`. */
  validateUpdate?(object: KubeObject, previous: KubeObject, context: WriteContext): StatusCause[];
  /** For writes of `status`, and of `approval`, which is a part of it. */
  validateStatusUpdate?(object: KubeObject, previous: KubeObject, context: WriteContext): StatusCause[];
  /** False where status travels with the main resource (kinds without a status subresource). Default: taken from the resource table. */
  hasStatusSubresource?: boolean;
  /** True when a create may bring a status although there is a subresource for it: kubelets register their Node with one. */
  keepsStatusOnCreate?: boolean;
  /** True when changes of the status raise metadata.generation too: custom resources without a status subresource. */
  countsStatusChanges?: boolean;
  /** Adds to an object whose deletion begins. `marked` is a copy with a metadata of its own. */
  prepareForDelete?(marked: KubeObject, nowMs: number): void;
  /** True when spec changes raise metadata.generation. Default: true for kinds with a spec and a status subresource. */
  hasGeneration?: boolean;
  /**
   * Seconds an object stays after a delete before it is removed (pods: spec.terminationGracePeriodSeconds); 0 or absent = at once.
   * `requested` is the caller's gracePeriodSeconds.
   */
  deleteGracePeriodSeconds?(object: KubeObject, requested: number | undefined): number;
  /** Allocates addresses and ports after validation, just before the write. */
  allocate?(draft: KubeObject, previous: KubeObject | undefined, context: WriteContext): StatusCause[];
  /** Deprecation and other warnings for this object (`Warning: 299` headers). */
  warnings?(object: KubeObject): string[];
}
