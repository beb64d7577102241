/** Faults as people ask for them: by zone, by node. Answers in sentences, refuses what does not exist by naming what does. */
import type { ClusterBackend, ClusterSummary } from "../backends/backend.js";
import { findZone, zonesOf } from "../domain/catalogue/index.js";
import { DomainError } from "../domain/errors.js";
import type { FaultControl, ZoneSummary } from "../domain/fault-control.js";
import { catalogueEntries, touches } from "../domain/faults/index.js";
import type { ClusterRecord, FaultRecord, InstanceRecord, Scope } from "../domain/model.js";
import { clusterZones } from "../domain/zones.js";
import type { State } from "../state/state.js";
import type { Injector } from "./injector.js";

/** How many names an error lists. */
const LISTED = 10;

export function createFaultControl(options: {
  state: State;
  backends: ReadonlyMap<string, ClusterBackend>;
  injector: Injector;
}): FaultControl {
  const { state, backends, injector } = options;

  const clustersOf = (scope: Scope, clusterName: string | undefined): ClusterRecord[] => {
    if (clusterName === undefined) {
      const isMine = (cluster: ClusterRecord): boolean =>
        cluster.accountId === scope.accountId && cluster.region === scope.region;
      return state.clusters.all().filter(isMine);
    }
    const cluster = state.clusters.get({ ...scope, name: clusterName });
    if (cluster) return [cluster];
    const known = state.clusters.names(scope, { limit: LISTED });
    throw new DomainError(
      "ResourceNotFoundException",
      `No cluster found for name: ${clusterName}. ${listed("Clusters", known)}`,
      { clusterName },
    );
  };

  const zoneOf = (scope: Scope, nameOrId: string): string => {
    const zone = findZone(scope.region, nameOrId);
    if (zone) return zone.name;
    const known = zonesOf(scope.region).map(({ name, id }) => `${name} (${id})`);
    throw new DomainError(
      "InvalidParameterException",
      `There is no zone ${nameOrId} in ${scope.region}. ${listed("Zones", known)}`,
    );
  };

  const faultsOn = (scope: Scope, zone: string): FaultRecord[] =>
    state.faults.active(scope).filter((fault) => fault.zone === zone);

  return {
    zones: async (scope, clusterName) => {
      const clusters = clustersOf(scope, clusterName);
      const summaries = await Promise.all(clusters.map((cluster) => summaryOf(cluster, state, backends)));
      const used = new Set([
        ...clusterZones(scope.region).map(({ name }) => name),
        ...summaries.flatMap((summary) => Object.keys(summary)),
        ...state.faults.active(scope).flatMap(({ zone }) => (zone ? [zone] : [])),
      ]);
      return zonesOf(scope.region)
        .filter(({ name }) => used.has(name))
        .map(({ name, id }) => {
          const failed = faultsOn(scope, name).some(
            (fault) => clusterName === undefined || touches(fault, clusterName),
          );
          const counts = { ...NO_COUNTS };
          for (const summary of summaries) {
            for (const key of COUNTED) counts[key] += summary[name]?.[key] ?? 0;
          }
          const on = faultsOn(scope, name).map((fault) => ({ id: fault.id, fault: fault.kind }));
          return { name, id, state: failed ? ("failed" as const) : ("available" as const), ...counts, faults: on };
        });
    },

    failZone: async (scope, zone, clusterName) => {
      const name = zoneOf(scope, zone);
      clustersOf(scope, clusterName);
      const before = faultsOn(scope, name).find(
        (fault) => touches(fault, clusterName) || fault.clusterName === clusterName,
      );
      if (before) return { message: `Zone ${name} is already without power.`, faultId: before.id };
      const fault = await injector.startFault({ kind: "zone-power-loss", scope, zone: name, clusterName });
      const whose = clusterName ? ` for cluster ${clusterName}` : "";
      return {
        message: `Zone ${name} has lost power${whose}. Bring it back with: eksim zone restore ${name}${clusterName ? ` --cluster ${clusterName}` : ""}`,
        faultId: fault.id,
      };
    },

    restoreZone: async (scope, zone, clusterName) => {
      const name = zoneOf(scope, zone);
      clustersOf(scope, clusterName);
      const faults = faultsOn(scope, name);
      const meant = faults.filter((fault) => clusterName === undefined || fault.clusterName === clusterName);
      if (meant.length === 0) {
        const why =
          faults.some((fault) => fault.clusterName === undefined) && clusterName !== undefined
            ? `is without power for every cluster; restore it without naming one`
            : `has power`;
        throw new DomainError("InvalidRequestException", `Zone ${name} ${why}.`);
      }
      for (const fault of meant) await injector.stopFault(fault.id);
      return { message: `Zone ${name} has power again${clusterName ? ` for cluster ${clusterName}` : ""}.` };
    },

    killNode: async (scope, node, clusterName) => {
      const clusters = clustersOf(scope, clusterName);
      const all = clusters.flatMap((cluster) => state.instances.ofCluster(cluster.id));
      const instance = all.find(({ instanceId, privateDnsName }) => instanceId === node || privateDnsName === node);
      if (!instance) {
        const names = all.map(({ privateDnsName }) => privateDnsName);
        throw new DomainError("ResourceNotFoundException", `There is no node ${node}. ${listed("Nodes", names)}`);
      }
      await injector.startFault({
        kind: "instance-termination",
        scope,
        clusterName: instance.clusterName,
        parameters: { instanceId: instance.instanceId },
      });
      return {
        message: `Instance ${instance.instanceId} (${instance.privateDnsName}) in ${instance.zone} is terminated.`,
        instanceId: instance.instanceId,
      };
    },

    start: () => Promise.reject(notYet),
    stop: () => Promise.reject(notYet),
    stopAll: () => Promise.reject(notYet),
    list: () => [],
    catalogue: catalogueEntries,
  };
}

const notYet = new DomainError("NotImplementedException", "Faults cannot be started by name yet.");

type Counts = Omit<ZoneSummary, "name" | "id" | "state" | "faults">;

const NO_COUNTS: Counts = { members: 0, membersUp: 0, nodes: 0, readyNodes: 0, pods: 0, readyPods: 0 };
const COUNTED = Object.keys(NO_COUNTS) as (keyof Counts)[];

/** What the backend counts; where it cannot be asked, what the rows say. */
async function summaryOf(
  cluster: ClusterRecord,
  state: State,
  backends: ReadonlyMap<string, ClusterBackend>,
): Promise<ClusterSummary["zones"]> {
  try {
    const backend = backends.get(cluster.backend);
    if (backend && cluster.endpoint !== undefined) return (await backend.summary(cluster.id)).zones;
  } catch {
    // A data plane that does not answer is what this page is looked at for.
  }
  const zones: ClusterSummary["zones"] = {};
  const at = (zone: string): Counts => {
    zones[zone] ??= { ...NO_COUNTS };
    return zones[zone];
  };
  for (const member of state.members.list(cluster.id)) {
    at(member.zone).members++;
    if (member.status === "READY") at(member.zone).membersUp++;
  }
  for (const instance of state.instances
    .ofCluster(cluster.id)
    .filter((row: InstanceRecord) => row.state === "running")) {
    at(instance.zone).nodes++;
    if (instance.nodeReady) at(instance.zone).readyNodes++;
  }
  return zones;
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `There are no ${what.toLowerCase()}.`;
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : "";
  return `${what}: ${names.slice(0, LISTED).join(", ")}${more}.`;
}
