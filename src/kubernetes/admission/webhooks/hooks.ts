/** The webhooks of all configurations of one kind, in the order in which they are called, kept as they are written. */
import type { KubeApi } from "../../api.js";
import type { KubeObject } from "../../object.js";
import type { MutatingWebhook, ValidatingWebhook } from "../../schema/generated/types.js";
import type { MatchCriteria } from "../matching.js";
import { type CompiledConditions, compileConditions } from "../policies/conditions.js";

/** What both kinds of webhooks have; `reinvocationPolicy` only mutating ones. */
export type Webhook = MutatingWebhook & ValidatingWebhook;

export interface WebhookHook {
  readonly webhook: Webhook;
  /** Name of the object that it stands in. */
  readonly configuration: string;
  /** Configuration, name and occurrence: webhooks of one configuration may share a name. */
  readonly key: string;
  readonly criteria: MatchCriteria;
  /** Compiled when they are first looked at. */
  readonly conditions: CompiledConditions;
}

export interface WebhookIndex {
  /** By name of the configuration, then in its order. */
  readonly hooks: readonly WebhookHook[];
  stop(): void;
}

function hookOf(configuration: string, webhook: Webhook, occurrence: number): WebhookHook {
  let conditions: CompiledConditions | undefined;
  return {
    webhook,
    configuration,
    key: `${configuration}/${webhook.name}/${occurrence}`,
    criteria: {
      rules: webhook.rules ?? [],
      namespaceSelector: webhook.namespaceSelector,
      objectSelector: webhook.objectSelector,
      matchPolicy: webhook.matchPolicy,
    },
    get conditions() {
      conditions ??= compileConditions(webhook.matchConditions, { params: false, authorizer: true });
      return conditions;
    },
  };
}

export function createWebhookIndex(api: KubeApi, resource: string): WebhookIndex {
  const configurations = new Map<string, KubeObject>();
  let hooks: readonly WebhookHook[] | undefined = [];
  const stop = api.watch(resource, ({ type, object }) => {
    if (type === "DELETED") configurations.delete(object.metadata.name);
    else configurations.set(object.metadata.name, object);
    hooks = undefined;
  });

  const build = (): readonly WebhookHook[] =>
    [...configurations.values()]
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .flatMap(({ metadata, webhooks }) => {
        const seen = new Map<string, number>();
        return ((webhooks as Webhook[] | undefined) ?? []).map((webhook) => {
          const occurrence = seen.get(webhook.name) ?? 0;
          seen.set(webhook.name, occurrence + 1);
          return hookOf(metadata.name, webhook, occurrence);
        });
      });

  return {
    get hooks() {
      hooks ??= build();
      return hooks;
    },
    stop,
  };
}
