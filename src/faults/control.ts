/** Faults as people ask for them: by name from the catalogue, and by zone and node. Answers in sentences, refuses what does not exist by naming what does. */
import type { ClusterBackend, ClusterSummary } from "../backends/backend.js";
import { findZone, zonesOf } from "../domain/catalogue/index.js";
import { DomainError } from "../domain/errors.js";
import type { FaultControl, ZoneSummary } from "../domain/fault-control.js";
import {
  catalogueEntries,
  type FaultView,
  faultTitle,
  hitWords,
  knownFault,
  touches,
  zoneHasPower,
} from "../domain/faults/index.js";
import type { ClusterRecord, FaultRecord, InstanceRecord, Scope } from "../domain/model.js";
import { clusterZones } from "../domain/zones.js";
import type { State } from "../state/state.js";
import type { Injector } from "./injector.js";
import { listed } from "./target-search.js";
import { clustersMeant } from "./targets.js";
import { zoneStock } from "./zone-stock.js";

export function createFaultControl(options: {
  state: State;
  backends: ReadonlyMap<string, ClusterBackend>;
  injector: Injector;
}): FaultControl {
  const { state, backends, injector } = options;
  const sources = { state, backendOf: (cluster: ClusterRecord) => backends.get(cluster.backend) };

  const zoneOf = (scope: Scope, nameOrId: string): string => {
    const zone = findZone(scope.region, nameOrId);
    if (zone) return zone.name;
    const known = zonesOf(scope.region).map(({ name, id }) => `${name} (${id})`);
    throw new DomainError(
      "InvalidParameterException",
      `There is no zone ${nameOrId} in ${scope.region}. ${listed("Zones", known)}`,
    );
  };

  /** Faults that cut the zone's power, newest last. */
  const outagesOf = (scope: Scope, zone: string): FaultRecord[] =>
    state.faults.active(scope).filter((fault) => fault.zone === zone && knownFault(fault)?.takesPower);

  /** What it hits now, of a fault of a zone that has begun. */
  const hitsOf = async (fault: FaultRecord): Promise<string | undefined> => {
    const stock = fault.phase === "active" ? await zoneStock(sources, fault) : undefined;
    return stock && hitWords(fault, stock);
  };

  /** Others that are on and do the same to the same, chosen by nobody. */
  const likeOf = (scope: Scope, { id, kind, phase, target, parameters }: FaultRecord): string[] => {
    if (phase !== "active" || target.count !== undefined || target.percent !== undefined) return [];
    const wanted = JSON.stringify([kind, target, parameters]);
    return state.faults
      .active(scope)
      .filter((other) => other.id !== id && JSON.stringify([other.kind, other.target, other.parameters]) === wanted)
      .map((other) => other.id);
  };

  const faultOf = (scope: Scope, id: string): FaultRecord => {
    const fault = state.faults.get(id);
    if (fault && fault.accountId === scope.accountId && fault.region === scope.region) return fault;
    const on = [...state.faults.active(scope), ...state.faults.scheduled(scope)].map(
      (each) => `${each.id} (${each.kind})`,
    );
    const elsewhere = fault?.accountId === scope.accountId ? ` It is one of ${fault.region}: give that region.` : "";
    throw new DomainError(
      "ResourceNotFoundException",
      `No fault found for id: ${id}.${elsewhere || ` ${listed("Faults", on)}`}`,
    );
  };

  return {
    zones: async (scope, clusterName) => {
      const clusters = clustersMeant(state, scope, clusterName);
      const summaries = await Promise.all(clusters.map((cluster) => summaryOf(cluster, state, backends)));
      const acting = state.faults
        .active(scope)
        .filter((fault) => clusterName === undefined || touches(fault, clusterName));
      const used = new Set([
        ...clusterZones(scope.region).map(({ name }) => name),
        ...summaries.flatMap((summary) => Object.keys(summary)),
        ...acting.flatMap((fault) => [...zonesOfFault(fault)]),
      ]);
      return zonesOf(scope.region)
        .filter(({ name }) => used.has(name))
        .map(({ name, id }) => {
          const here = acting.filter((fault) => zonesOfFault(fault).has(name));
          const hasPower = here.every((fault) => zoneHasPower([fault], name, fault.clusterName));
          const counts = { ...NO_COUNTS };
          for (const summary of summaries) {
            for (const key of COUNTED) counts[key] += summary[name]?.[key] ?? 0;
          }
          const isImpaired = here.some((fault) => fault.zone === name && knownFault(fault)?.family === "zone");
          return {
            name,
            id,
            state: hasPower ? (isImpaired ? ("impaired" as const) : ("available" as const)) : ("failed" as const),
            ...counts,
            faults: here.map((fault) => ({ id: fault.id, fault: fault.kind })),
          };
        });
    },

    failZone: async (scope, zone, clusterName) => {
      const name = zoneOf(scope, zone);
      clustersMeant(state, scope, clusterName);
      const before = outagesOf(scope, name).find(
        (fault) => touches(fault, clusterName) || fault.clusterName === clusterName,
      );
      if (before)
        return {
          message: `Zone ${name} is already without power. Bring it back with: eksim fault stop ${before.id}`,
          faultId: before.id,
        };
      const target = { zone: name, ...(clusterName ? { cluster: clusterName } : {}) };
      const fault = await injector.startFault(scope, { fault: "zone-power-loss", target });
      const [whose, flag] = clusterName ? [` for cluster ${clusterName}`, ` --cluster ${clusterName}`] : ["", ""];
      const said = [
        `Zone ${name} has lost power${whose}.`,
        await hitsOf(fault),
        `Bring it back with: eksim zone restore ${name}${flag}`,
      ];
      return {
        message: said.filter((sentence) => sentence !== undefined).join(" "),
        faultId: fault.id,
      };
    },

    restoreZone: async (scope, zone, clusterName) => {
      const name = zoneOf(scope, zone);
      clustersMeant(state, scope, clusterName);
      const faults = outagesOf(scope, name);
      const meant = faults.filter((fault) => clusterName === undefined || fault.clusterName === clusterName);
      if (meant.length === 0) {
        const why =
          faults.some((fault) => fault.clusterName === undefined) && clusterName !== undefined
            ? `is without power for every cluster; restore it without naming one`
            : `has power`;
        const dark = zonesOf(scope.region).filter((each) => outagesOf(scope, each.name).length > 0);
        const hint = dark.length > 0 ? ` Without power: ${dark.map((each) => each.name).join(", ")}.` : "";
        throw new DomainError("InvalidRequestException", `Zone ${name} ${why}.${faults.length > 0 ? "" : hint}`);
      }
      for (const fault of meant) await injector.stopFault(fault.id);
      return { message: `Zone ${name} has power again${clusterName ? ` for cluster ${clusterName}` : ""}.` };
    },

    killNode: async (scope, node, clusterName) => {
      const fault = await injector.startFault(scope, {
        fault: "instance-termination",
        target: { nodes: [node], ...(clusterName ? { cluster: clusterName } : {}) },
      });
      const [killed] = fault.targets.nodes ?? [];
      const instanceId = killed?.instanceId ?? "";
      return {
        message: `Instance ${instanceId} (${killed?.name}) in ${killed?.zone} is terminated.`,
        instanceId,
      };
    },

    start: async (scope, request) => {
      const fault = await injector.startFault(scope, request);
      const hits = await hitsOf(fault);
      const likewise = likeOf(scope, fault);
      return {
        ...viewOf(fault),
        ...(hits === undefined ? {} : { hits }),
        ...(likewise.length === 0 ? {} : { likewise }),
      };
    },
    stop: async (scope, id) => {
      const before = faultOf(scope, id);
      const view = viewOf(await injector.stopFault(before.id));
      return before.phase === "ended" ? { ...view, wasOver: true } : view;
    },
    stopAll: async (scope) => {
      const views: FaultView[] = [];
      for (const { id } of [...state.faults.active(scope), ...state.faults.scheduled(scope)].reverse())
        views.push(viewOf(await injector.stopFault(id)));
      return views;
    },
    list: (scope, { all = false } = {}) =>
      state.faults
        .all(scope)
        .filter(({ phase }) => all || phase !== "ended")
        .map(viewOf),
    catalogue: catalogueEntries,
  };
}

/** The zone that it is of, and those in which masters and nodes stand that it was found to mean. */
const zonesOfFault = ({ zone, targets: { masters = [], nodes = [] } }: FaultRecord): Set<string> =>
  new Set(
    [zone, ...masters.map((master) => master.zone), ...nodes.map((node) => node.zone)].filter(
      (each) => each !== undefined,
    ),
  );

function viewOf(fault: FaultRecord): FaultView {
  const { id, kind, phase, target, targets, parameters, seed, startedAtMs, endsAtMs, endedAtMs, reason } = fault;
  return {
    id,
    fault: kind,
    title: faultTitle(fault),
    phase,
    ...(fault.zone ? { zone: fault.zone } : {}),
    target,
    targets,
    parameters,
    seed,
    startedAtMs,
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(reason === undefined ? {} : { reason }),
  };
}

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
