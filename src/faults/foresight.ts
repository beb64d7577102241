/** What backends cannot bring about, found out with a cluster that is not there: a machine, a master and a pod in each zone, and the fault on all that it could mean. */
import type { ClusterBackend, Intention } from "../backends/backend.js";
import { parseDuration } from "../clock/duration.js";
import { DEFAULT_VERSION, zonesOf } from "../domain/catalogue/index.js";
import { DomainError } from "../domain/errors.js";
import {
  type ActingFault,
  type ClusterFacts,
  combine,
  type FaultRequest,
  type OperationsOf,
  type ReadRequest,
  readRequest,
} from "../domain/faults/index.js";
import type { Foresight, PlannedAct } from "../domain/foresight.js";
import { NOTHING_WRONG } from "../domain/impairments.js";
import type { Scope } from "../domain/model.js";

const ANY = "any";

export function createForesight({
  backends,
  operationsOf,
}: {
  backends: ReadonlyMap<string, ClusterBackend>;
  operationsOf: OperationsOf;
}): Foresight {
  const refusalOf = async (scope: Scope, act: PlannedAct): Promise<string | undefined> => {
    const backend = backends.get(act.backend);
    if (!backend) return `this eksim has no backend ${act.backend}`;
    switch (act.act) {
      case "version":
        return backend.whyNot?.({ kind: "run-version", version: act.version ?? DEFAULT_VERSION });
      case "addon":
        return backend.whyNot?.({ kind: "run-addon", name: act.addon });
      case "fargate":
        return backend.setFargate ? undefined : `the backend ${backend.name} has no Fargate`;
      case "zonal-shift":
        return backend.setShiftedZones ? undefined : `the backend ${backend.name} takes no endpoints out of service`;
      case "fault":
        return faultRefusal(backend, scope, act.fault);
    }
  };

  const faultRefusal = async (
    backend: ClusterBackend,
    { region }: Scope,
    request: FaultRequest,
  ): Promise<string | undefined> => {
    const read = readRequest(request, { region, readDuration: parseDuration, operationsOf });
    const intentions = intentionsOf(read, region);
    if (intentions.some(({ kind }) => kind === "reboot") && !backend.rebootNode)
      return `the backend ${backend.name} cannot reboot nodes`;
    for (const intention of intentions) {
      if (intention.kind === "reboot") continue;
      if (intention.kind === "impair" && !backend.impair) return `the backend ${backend.name} has no such faults`;
      if (intention.kind === "end-pods" && !backend.endPods) return `the backend ${backend.name} cannot end pods`;
      const refusal = await backend.whyNot?.(intention);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  };

  return {
    foresee: (scope, acts) =>
      Promise.all(
        acts.map(async (act) => {
          try {
            return (await refusalOf(scope, act)) ?? null;
          } catch (error) {
            if (error instanceof DomainError) return error.message;
            throw error;
          }
        }),
      ),
  };
}

/** What the fault will ask of a backend, at its beginning and at its next change. */
function intentionsOf(read: ReadRequest, region: string): (Intention | { kind: "reboot" })[] {
  const { definition, parameters } = read;
  const cluster = anyCluster(region);
  const fault = onAnyOf(cluster, read);
  const once = definition.once?.(parameters);
  const intentions: (Intention | { kind: "reboot" })[] = [];
  if (once?.kind === "end-pods") intentions.push({ kind: "end-pods", how: once.how });
  if (once?.kind === "reboot-nodes") intentions.push({ kind: "reboot" });
  const now = definition.wants?.(fault, cluster, 0);
  const later = now?.changesAtMs === undefined ? undefined : definition.wants?.(fault, cluster, now.changesAtMs);
  for (const wants of [now, later]) {
    const { impairments } = combine(wants ? [wants] : []);
    if (JSON.stringify(impairments) !== JSON.stringify(NOTHING_WRONG)) intentions.push({ kind: "impair", impairments });
  }
  return intentions;
}

function anyCluster(region: string): ClusterFacts {
  const zones = zonesOf(region).map(({ name }) => name);
  return {
    id: ANY,
    zones,
    nodes: zones.map((zone) => ({ name: `a node in ${zone}`, zone, nodegroup: ANY, instanceId: `i-${zone}` })),
    masters: zones.map((zone) => ({ id: `a master in ${zone}`, zone })),
  };
}

function onAnyOf(
  { id: clusterId, nodes, masters }: ClusterFacts,
  { definition, target, parameters }: ReadRequest,
): ActingFault {
  const { zone } = target;
  const isMeant = (one: { zone: string }): boolean => zone === undefined || one.zone === zone;
  return {
    id: ANY,
    kind: definition.name,
    ...(zone === undefined ? {} : { zone }),
    ...(target.cluster === undefined ? {} : { clusterName: target.cluster }),
    target,
    targets: {
      clusterIds: [clusterId],
      ...(zone === undefined ? {} : { zone }),
      nodes: nodes
        .filter(isMeant)
        .map(({ name, zone: at, instanceId = "" }) => ({ clusterId, name, zone: at, instanceId })),
      masters: masters.filter(isMeant).map(({ id }) => ({ clusterId, id })),
      nodegroups: [{ clusterId, name: ANY }],
      pods: [{ clusterId, namespace: target.namespace ?? "default", name: "a pod" }],
    },
    parameters,
    seed: 0,
    startedAtMs: 0,
  };
}
