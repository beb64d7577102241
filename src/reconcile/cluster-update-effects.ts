/** What follows from an update of a cluster beyond the cluster's own row, once it has succeeded. */
import { entriesOfAutoMode, entriesOfCluster } from "../domain/eks/automatic-entries.js";
import type { ClusterRecord, UpdateRecord } from "../domain/model.js";
import { stableHex } from "../domain/stable-hex.js";
import { addAutomaticEntries } from "../identity/automatic-entries.js";
import type { ReconcileContext } from "./context.js";

type Effect = (context: ReconcileContext, cluster: ClusterRecord, update: UpdateRecord) => void;

/** With access entries come the creator's and AWS's own; with Auto Mode those of its roles. */
const makeEntries =
  (entriesOf: typeof entriesOfCluster): Effect =>
  ({ state, clock, principalIdOf }, cluster) => {
    const uuidOf = (principalArn: string): string =>
      stableHex(`access entry ${cluster.id} ${principalArn} ${clock.now()}`, 32).replace(
        /^(.{8})(.{4})(.{4})(.{4})/,
        "$1-$2-$3-$4-",
      );
    const present = state.accessEntries;
    addAutomaticEntries({ present, nowMs: clock.now(), uuidOf, principalIdOf }, cluster, entriesOf(cluster));
  };

const EFFECTS: Readonly<Record<string, Effect>> = {
  // From API_AND_CONFIG_MAP to API nothing is made: what somebody has deleted stays so.
  AccessConfigUpdate: (context, cluster, update) => {
    if (cluster.accessConfig.authenticationMode === "API_AND_CONFIG_MAP")
      makeEntries(entriesOfCluster)(context, cluster, update);
  },
  AutoModeUpdate: makeEntries(entriesOfAutoMode),
  AssociateIdentityProviderConfig: ({ state }, cluster, update) => {
    const provider = state.identityProviderConfigs.get(cluster.id, providerOf(update));
    if (provider) state.identityProviderConfigs.put({ ...provider, status: "ACTIVE" });
  },
  DisassociateIdentityProviderConfig: ({ state }, cluster, update) => {
    state.identityProviderConfigs.remove(cluster.id, providerOf(update));
  },
};

const providerOf = (update: UpdateRecord): string => String(update.plan.identityProviderConfigName);

/** `cluster` is as it is after the update. To be called in the transaction that ends it. */
export function applyEffects(context: ReconcileContext, cluster: ClusterRecord, update: UpdateRecord): void {
  EFFECTS[update.type]?.(context, cluster, update);
}
