/** Serves what definitions say, now and from now on; tells them so in their status, and removes the objects of definitions that go. */
import type { Clock } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import { isStatusError } from "../errors.js";
import { deepEqual } from "../patch/json.js";
import type { ResourceCatalogue } from "../registry/catalogue.js";
import type { CustomResourceDefinition } from "../schema/generated/types.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import { type CallConverter, converterOf } from "./conversion.js";
import { isTrue } from "./definition-rules.js";
import { CLEANUP_FINALIZER, DEFINITIONS } from "./definitions.js";
import { type Acceptance, acceptNames } from "./names.js";
import { statusOf } from "./status.js";
import { customVersion, typeNameOf } from "./version.js";

export interface CustomResources {
  /** The OpenAPI schema of a custom resource's version, as its definition gives it. */
  schemaOf(info: ResourceInfo): Record<string, unknown> | undefined;
  stop(): void;
}

/** What is served of one definition. */
interface Served {
  readonly spec: CustomResourceDefinition["spec"];
  readonly acceptance: Acceptance;
  readonly established: boolean;
  readonly terminating: boolean;
  /** Called when what is served is something else from now on. */
  readonly replaced: Set<() => void>;
}

const RETRY_MS = 1_000;

export function serveCustomResources({
  api,
  catalogue,
  clock,
  callConverter,
}: {
  api: KubeApi;
  catalogue: ResourceCatalogue;
  clock: Clock;
  /** How conversion webhooks are called; without it, conversions by webhook fail. */
  callConverter?: CallConverter | undefined;
}): CustomResources {
  const served = new Map<string, Served>();
  const schemas = new Map<string, Record<string, unknown> | undefined>();
  /** Watches over the objects of definitions that are going. */
  const watches = new Map<string, () => void>();
  const random = clock.random("conversion-reviews");
  let stopped = false;

  function accept(definition: CustomResourceDefinition): Acceptance {
    const { name } = definition.metadata;
    const others = [...served]
      .filter(([other, { spec }]) => other !== name && spec.group === definition.spec.group)
      .map(([, { acceptance }]) => acceptance.names);
    return acceptNames(definition, others);
  }

  function serve(definition: CustomResourceDefinition): void {
    const { metadata, spec } = definition;
    const acceptance = accept(definition);
    const before = served.get(metadata.name);
    const established = before?.established || isTrue(definition, "Established") || !acceptance.conflict;
    const terminating = metadata.deletionTimestamp !== undefined;
    const same =
      before?.spec === spec &&
      before.established === established &&
      before.terminating === terminating &&
      deepEqual(before.acceptance, acceptance);
    if (same) return;
    const replaced = new Set<() => void>();
    served.set(metadata.name, { spec, acceptance, established, terminating, replaced });
    if (established) publish(definition, acceptance, replaced);
    end(before);
    // A name that has become free may be what another definition waits for.
    if (!deepEqual(before?.acceptance.names, acceptance.names)) reconsider(metadata.name, spec.group);
  }

  function publish(definition: CustomResourceDefinition, { names }: Acceptance, replaced: Set<() => void>): void {
    const { metadata, spec } = definition;
    const converter = converterOf(definition, { call: callConverter, uid: () => random.uuid() });
    const storage = spec.versions.find((version) => version.storage)?.name ?? "";
    for (const version of spec.versions) {
      const schema = version.schema?.openAPIV3Schema as Record<string, unknown> | undefined;
      schemas.set(typeNameOf(spec.group, version.name, names.kind), schema);
    }
    catalogue.setCustom(
      metadata.name,
      spec.versions.map((version) =>
        customVersion({
          definition,
          names,
          version,
          converter,
          storedApiVersion: `${spec.group}/${storage}`,
          onReplaced(listener) {
            replaced.add(listener);
            return () => void replaced.delete(listener);
          },
        }),
      ),
    );
  }

  function end(before: Served | undefined): void {
    for (const listener of [...(before?.replaced ?? [])]) listener();
  }

  function reconsider(name: string, group: string): void {
    for (const [other, { spec, acceptance }] of served) {
      if (other === name || spec.group !== group || !acceptance.conflict) continue;
      const definition = api.get<CustomResourceDefinition>(DEFINITIONS, { name: other });
      if (!definition) continue;
      serve(definition);
      lookSoon(other);
    }
  }

  function withdraw(name: string): void {
    const before = served.get(name);
    served.delete(name);
    for (const version of before?.spec.versions ?? [])
      schemas.delete(typeNameOf(before?.spec.group ?? "", version.name, before?.acceptance.names.kind ?? ""));
    catalogue.setCustom(name, []);
    end(before);
    if (before) reconsider(name, before.spec.group);
  }

  async function report(definition: CustomResourceDefinition): Promise<void> {
    const now = served.get(definition.metadata.name);
    if (!now) return;
    const status = statusOf(definition, now.acceptance, now.established, clock.now());
    if (!deepEqual(status, definition.status))
      await api.updateStatus<CustomResourceDefinition>(DEFINITIONS, { ...definition, status });
  }

  /** Deletes the objects of a definition that is going; lets it go when the last one has gone. */
  async function cleanUp({ metadata }: CustomResourceDefinition): Promise<void> {
    const { name } = metadata;
    if (!watches.has(name) && catalogue.byName(name)) {
      watches.set(
        name,
        api.watch(name, ({ type }) => type === "DELETED" && lookSoon(name)),
      );
    }
    const left = catalogue.byName(name) ? api.list(name) : [];
    for (const object of left) if (!object.metadata.deletionTimestamp) await api.delete(name, object.metadata);
    if (catalogue.byName(name) && api.list(name).length > 0) return;
    watches.get(name)?.();
    watches.delete(name);
    const present = api.get<CustomResourceDefinition>(DEFINITIONS, { name });
    if (!present?.metadata.finalizers?.includes(CLEANUP_FINALIZER)) return;
    const finalizers = present.metadata.finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    await api.update(DEFINITIONS, { ...present, metadata: { ...present.metadata, finalizers } });
  }

  async function look(name: string): Promise<void> {
    const definition = api.get<CustomResourceDefinition>(DEFINITIONS, { name });
    if (!definition || stopped) return;
    await report(definition);
    if (definition.metadata.deletionTimestamp) await cleanUp(definition);
  }

  function lookSoon(name: string): void {
    clock.defer(() => {
      if (stopped) return;
      void clock.track(
        look(name).catch((error: unknown) => {
          // Somebody else's write came between, or there is no quorum now: look again, later.
          if (!isStatusError(error, "NotFound")) clock.timer(RETRY_MS, () => lookSoon(name));
        }),
      );
    });
  }

  const stop = api.watch<CustomResourceDefinition>(DEFINITIONS, ({ type, object }) => {
    const { name } = object.metadata;
    if (type === "DELETED") withdraw(name);
    else {
      serve(object);
      lookSoon(name);
    }
  });

  return {
    schemaOf: ({ type }) => schemas.get(type),
    stop() {
      stopped = true;
      stop();
      for (const unwatch of watches.values()) unwatch();
    },
  };
}
