/** The work of the kind backend, loaded with the first cluster: which clusters are in hand, and what is done to them. */
import { connect } from "node:net";
import { AWS_AUTH } from "../../domain/eks/aws-auth.js";
import { NOTHING_WRONG } from "../../domain/impairments.js";
import {
  BackendError,
  type ClusterBackend,
  type ClusterEndpoint,
  type ClusterSpec,
  type IssuerKey,
} from "../backend.js";
import { adoptNodes, wakeContainers } from "./adopt.js";
import { PASS_HEADER } from "./api-front.js";
import { endApiTrouble, unfront } from "./api-trouble.js";
import { runCloudController } from "./cloud-controller.js";
import { type Held, type KindContext, memberStates, untilReady } from "./cluster.js";
import { type ConfigMap, changeConfigMap } from "./config-maps.js";
import { endContainers, setCrashing } from "./containers.js";
import { makeCluster } from "./create.js";
import { inventory, removeCluster } from "./delete.js";
import { drainNode, patchNode } from "./drain.js";
import type { ClusterFile } from "./files.js";
import { collectGarbage } from "./garbage.js";
import { again, impair } from "./impair.js";
import { asBackendError, createKubeClient } from "./kube-client.js";
import { readAdminAccess } from "./kubeconfig.js";
import { replaceMember, setMember } from "./members.js";
import { addNode, removeNode } from "./nodes.js";
import { clusterObjects } from "./objects.js";
import { nodeFacts, observeDeployments, observeNodes, summarise } from "./observe.js";
import { deletePods, pods, watchPods } from "./pods.js";
import { rebootNode, setNodePower } from "./power.js";
import { finishUpgrade } from "./upgrade.js";
import { upgradeFacts } from "./upgrade-facts.js";
import { lookAtMachines, watchMachines } from "./watch-machines.js";
import { whyNot } from "./why-not.js";

/** Field manager of what EKS itself writes. */
const EKS = "eks";

const CREATED_LIMIT_MS = 120_000;

export function createOperations(context: KindContext) {
  const { clock, files, locks } = context;
  const clusters = new Map<string, Held>();

  const find = (clusterId: string): Held => {
    const held = clusters.get(clusterId);
    if (held) return held;
    throw new BackendError("missing", `the backend kind holds no cluster ${clusterId}`);
  };

  const hold = async (file: ClusterFile): Promise<Held> => {
    const { clusterId } = file.spec;
    const { kubeconfig } = files.paths(clusterId);
    if ((await files.readText(kubeconfig)) === undefined) {
      await context.runner.run("kind", ["export", "kubeconfig", "--name", file.kindName, "--kubeconfig", kubeconfig]);
    }
    const access = await readAdminAccess(kubeconfig);
    const server = await context.whereabouts.server(
      { kindName: file.kindName, masters: file.masters.length },
      access.server,
    );
    const held: Held = {
      file,
      server,
      endpoint: { endpoint: access.server, port: access.port, certificateAuthority: access.ca },
      client: createKubeClient(
        { ...access, server },
        { clock, log: context.log, headers: { [PASS_HEADER]: context.pass } },
      ),
      listeners: new Set(),
      masters: new Map(),
      leaving: new Set(),
      nodes: new Map(),
      joins: new Map(),
      powers: new Map(),
      machines: new Map(),
      impairments: NOTHING_WRONG,
      troubled: new Set(),
      pressed: new Set(),
      podRanges: new Map(),
      // An earlier process may have set some.
      hasConditions: true,
      awsAuth: undefined,
      ending: new AbortController(),
      stops: [],
    };
    await lookAtMachines(context, held);
    return held;
  };

  const keep = (held: Held): void => {
    const path = `/api/v1/namespaces/${AWS_AUTH.namespace}/configmaps`;
    held.stops.push(
      watchMachines(context, held),
      runCloudController(context, held),
      held.client.watch<ConfigMap>(
        path,
        ({ type, object }) => {
          held.awsAuth = type === "DELETED" ? undefined : (object.data ?? {});
        },
        { fieldSelector: `metadata.name=${AWS_AUTH.name}` },
      ),
    );
    clusters.set(held.file.spec.clusterId, held);
  };

  const letGo = async (clusterId: string): Promise<void> => {
    const held = clusters.get(clusterId);
    if (!held) return;
    clusters.delete(clusterId);
    held.ending.abort();
    for (const stop of held.stops) stop();
    setCrashing(context, held, []);
    held.stopWebhooks?.();
    // Nobody but this process answers at the place that clients are sent to.
    await endApiTrouble(context, held);
    await Promise.all([...held.joins.values()].map(({ done }) => done));
    held.client.close();
  };

  /** Work on the whole of a cluster, one piece after the other. */
  const inTurn = <T>(clusterId: string, work: () => Promise<T>): Promise<T> => locks.exclusive(clusterId, work);

  const onCluster = <T>(clusterId: string, work: (held: Held) => Promise<T>): Promise<T> =>
    inTurn(clusterId, async () => work(find(clusterId)));

  const takeOver = async (file: ClusterFile): Promise<Held> => {
    await context.tools();
    await wakeContainers(context, file);
    return hold(await unfront(context, file));
  };

  const create = async (spec: ClusterSpec): Promise<ClusterEndpoint> => {
    const present = clusters.get(spec.clusterId);
    if (present) return present.endpoint;
    if (context.ending.aborted)
      throw new BackendError("unavailable", `cluster ${spec.name} is not made while eksim ends`);
    const known = await files.read(spec.clusterId);
    const held = (known && (await ifPresent(() => takeOver(known)))) ?? (await hold(await makeCluster(context, spec)));
    await untilReady(clock, held.client, { limitMs: CREATED_LIMIT_MS, signal: context.ending });
    keep(held);
    return held.endpoint;
  };

  return {
    createCluster: (spec) => inTurn(spec.clusterId, () => locks.limited(() => create(spec))),

    adoptCluster: (spec, nodes) =>
      inTurn(spec.clusterId, () =>
        locks.limited(async () => {
          const file = clusters.get(spec.clusterId)?.file ?? (await files.read(spec.clusterId));
          if (!file) throw new BackendError("missing", `the backend kind has no files of cluster ${spec.name}`);
          const held = clusters.get(spec.clusterId) ?? (await takeOver(file));
          const missingNodes = await adoptNodes(context, held, nodes);
          if (!clusters.has(spec.clusterId)) keep(held);
          return { ...held.endpoint, missingNodes };
        }),
      ),

    deleteCluster: (clusterId) => {
      // What still joins or waits shall not keep the deletion waiting.
      clusters.get(clusterId)?.ending.abort();
      return inTurn(clusterId, async () => {
        await letGo(clusterId);
        await locks.limited(() => removeCluster(context, clusterId));
      });
    },

    addNode: async (clusterId, node) => {
      const held = find(clusterId);
      await addNode(context, held, node);
      void held.joins.get(node.name)?.done.then(() => reimpairQuietly(clusterId));
    },

    removeNode: async (clusterId, nodeName, options) => removeNode(context, find(clusterId), nodeName, options),
    drainNode: async (clusterId, nodeName) => drainNode(find(clusterId).client, nodeName),
    patchNode: async (clusterId, nodeName, patch) => patchNode(find(clusterId).client, nodeName, patch),
    changeConfigMap: async (clusterId, key, change) => changeConfigMap(find(clusterId).client, key, change),
    awsAuth: (clusterId) => clusters.get(clusterId)?.awsAuth,
    setNodePower: async (clusterId, nodeName, power) => {
      await setNodePower(context, find(clusterId), nodeName, power);
      if (power === "running") await reimpairQuietly(clusterId);
    },
    rebootNode: async (clusterId, nodeName) => {
      await rebootNode(context, find(clusterId), nodeName);
      await reimpairQuietly(clusterId);
    },
    setMember: (clusterId, memberId, state) =>
      onCluster(clusterId, async (held) => {
        await setMember(context, held, memberId, state);
        if (state === "up") await reimpairQuietly(clusterId);
      }),
    replaceMember: (clusterId, lostId, member) =>
      onCluster(clusterId, async (held) => {
        await replaceMember(context, held, lostId, member);
        await reimpairQuietly(clusterId);
      }),
    upgradeControlPlane: (clusterId, version) => onCluster(clusterId, (held) => finishUpgrade(context, held, version)),

    /** Whoever stands in the VPC enters as everybody does: kind has one endpoint. */
    acceptFromVpc: (clusterId, socket) => {
      const { hostname: host, port } = new URL(find(clusterId).server);
      const inside = connect({ host, port: Number(port) });
      for (const [end, other] of [
        [socket, inside],
        [inside, socket],
      ] as const) {
        end.on("error", () => other.destroy());
        end.on("close", () => other.destroy());
      }
      socket.pipe(inside).pipe(socket);
    },

    observe: (clusterId, listener) => {
      const held = find(clusterId);
      held.listeners.add(listener);
      for (const [memberId, state] of held.masters) listener({ kind: "member", memberId, state });
      for (const [nodeName, state] of held.machines)
        if (state === "off") listener({ kind: "machine", nodeName, state });
      const stops = [observeNodes(held.client, listener), observeDeployments(held.client, EKS, listener)];
      held.stops.push(...stops);
      return () => {
        held.listeners.delete(listener);
        for (const stop of stops) stop();
      };
    },

    impair: (clusterId, impairments) => onCluster(clusterId, (held) => impair(context, held, impairments)),
    nodes: async (clusterId) => asBackendError(() => nodeFacts(find(clusterId).client)),
    pods: async (clusterId) => pods(find(clusterId).client),
    watchPods: (clusterId, listener) => watchPods(find(clusterId).client, listener),
    endPods: async (clusterId, ending, how) => {
      const held = find(clusterId);
      if (how === "crash" || how === "oom") await endContainers(context, held, ending, how);
      else await deletePods(held.client, ending, how);
    },
    whyNot: (intention) => whyNot(context, intention),
    objects: clusterObjects((clusterId) => find(clusterId).client),

    summary: async (clusterId) => {
      const held = find(clusterId);
      return summarise(held.client, memberStates(held));
    },

    issuerKeys: async (clusterId) => {
      const held = find(clusterId);
      held.issuerKeys ??= await asBackendError(async () => {
        const { keys } = await held.client.request<{ keys: IssuerKey[] }>("GET", "/openid/v1/jwks");
        return keys;
      });
      return held.issuerKeys;
    },

    upgradeFacts: async (clusterId) => upgradeFacts(context, find(clusterId)),

    inventory: () => inventory(context),
    collectGarbage: (known, { remove }) =>
      collectGarbage(context, (clusterId) => clusters.get(clusterId), known, remove),

    // Containers go on without eksim, and are adopted by the next one.
    close: async () => {
      await Promise.all([...clusters.keys()].map(letGo));
      context.metadata.close();
    },
  } satisfies Omit<ClusterBackend, "name" | "prepare">;

  async function reimpairQuietly(clusterId: string): Promise<void> {
    const held = clusters.get(clusterId);
    if (held) await again(context, held);
  }
}

/** Undefined when there is nothing to take over any more. */
async function ifPresent<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackendError && error.code === "missing") return undefined;
    throw error;
  }
}
