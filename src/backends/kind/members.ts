/** Masters: their power, and their replacement. At no step are fewer of etcd's members alive than its quorum needs. */
import { randomBytes } from "node:crypto";
import type { MemberSpec } from "../backend.js";
import { serveMasters } from "./api-trouble.js";
import { type Held, type KindContext, masterOf, noteMaster, until, untilReady, upMasters } from "./cluster.js";
import { zoneLabels } from "./config-file.js";
import { deleteNode } from "./drain.js";
import { removeEtcdMember } from "./etcd.js";
import type { MasterFile } from "./files.js";
import { nodeImage } from "./images.js";
import { boot, joinConfiguration, kubeadmJoin, labelList, type Machine, runMachine } from "./join.js";
import { asBackendError, KubeRefusal } from "./kube-client.js";
import { joinEndpoint, LABELS, masterName } from "./names.js";
import { joinToken, onAnyMaster } from "./nodes.js";
import { startAtAddress } from "./power.js";
import { setTargetVersion } from "./upgrade.js";

/** etcd has to find a leader, and API servers have to find etcd. */
const READY_LIMIT_MS = 180_000;

const hasQuorum = ({ masters, file }: Held): boolean =>
  file.masters.filter(({ id }) => masters.get(id) === "up").length * 2 > file.masters.length;

export async function setMember(
  context: KindContext,
  held: Held,
  memberId: string,
  state: "up" | "down",
): Promise<void> {
  const master = masterOf(held, memberId);
  if (state === "down") {
    await context.engine.kill(master.container);
    noteMaster(held, memberId, "down");
    return;
  }
  await startAtAddress(context, master);
  noteMaster(held, memberId, "up");
  if (hasQuorum(held)) {
    await untilServing(context, held, master.container);
    await untilReady(context.clock, held.client, { limitMs: READY_LIMIT_MS, signal: held.ending.signal });
  }
}

/** Until the API server of that very master is ready, its etcd included. */
async function untilServing({ engine, clock }: KindContext, held: Held, container: string): Promise<void> {
  const command = ["curl", "--silent", "--insecure", "--fail", "--max-time", "3", "https://localhost:6443/readyz"];
  const serves = async (): Promise<boolean> =>
    (await engine.exec(container, command, { anyExitCode: true })).exitCode === 0;
  const what = `the API server of ${container} was ready`;
  await until(clock, serves, { limitMs: READY_LIMIT_MS, what, signal: held.ending.signal });
}

/** One that still works is only let go when its successor serves. */
export async function replaceMember(
  context: KindContext,
  held: Held,
  lostId: string,
  member: MemberSpec,
): Promise<void> {
  const { files } = context;
  const lost = held.file.masters.find(({ id }) => id === lostId);
  const others = held.file.masters.filter(({ id }) => id !== lostId && id !== member.id);
  const works = lost !== undefined && held.masters.get(lostId) === "up";
  const write = async (masters: readonly MasterFile[]): Promise<void> => {
    held.file = { ...held.file, masters };
    await files.write(held.file);
  };
  const serve = (masters: readonly MasterFile[]): Promise<void> =>
    serveMasters(
      context,
      held,
      masters.map(({ container }) => container),
    );

  if (member.version !== undefined) await setTargetVersion(context, held, member.version);
  // A dead member of three leaves no room for another failure, and one more would need three of four: it leaves first.
  if (lost && !works) await leave(context, held, lost);
  const present = held.file.masters.find(({ id }) => id === member.id);
  const next = present && held.masters.get(member.id) === "up" ? present : await joinMaster(context, held, member);
  await write([...others, ...(lost && works ? [lost] : []), next]);
  noteMaster(held, member.id, "up");
  await serve([...others, next]);
  held.leaving.add(lostId);
  try {
    if (lost && works) await leave(context, held, lost);
    await write([...others, next]);
    held.masters.delete(lostId);
  } finally {
    held.leaving.delete(lostId);
  }
}

/** The master leaves etcd, its machine and its Node go. */
async function leave(context: KindContext, held: Held, master: MasterFile): Promise<void> {
  const { engine } = context;
  await removeEtcdMember(engine, upMasters(held, master.container), master);
  await engine.remove([master.container]);
  held.client.renew();
  await asBackendError(async () => {
    await deleteNode(held.client, master.container);
    // kubeadm asks every etcd that it finds a pod of, and pods of nodes that are gone stay for a while.
    await deleteStaticPods(held, master.container);
  });
}

async function deleteStaticPods({ client }: Held, nodeName: string): Promise<void> {
  for (const component of ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]) {
    try {
      const path = `/api/v1/namespaces/kube-system/pods/${component}-${nodeName}`;
      await client.request("DELETE", path, { query: { gracePeriodSeconds: "0" } });
    } catch (error) {
      if (!(error instanceof KubeRefusal && error.status === 404)) throw error;
    }
  }
}

async function joinMaster(context: KindContext, held: Held, member: MemberSpec): Promise<MasterFile> {
  const { engine, files, nodeImages } = context;
  const { kindName, spec, masters } = held.file;
  const version = member.version ?? spec.version;
  const container = masterName(kindName, member.id);
  const machine: Machine = {
    container,
    hostname: container,
    kindName,
    role: "control-plane",
    image: nodeImage(version, nodeImages),
    labels: { [LABELS.cluster]: spec.clusterId, [LABELS.member]: member.id, [LABELS.zone]: member.zone },
    authnDir: files.paths(spec.clusterId).authnDir,
  };
  await clearRemains(context, held, container);
  await runMachine(context, machine);
  try {
    const [address, token, certificateKey] = await Promise.all([
      boot(context, container, spec, held.ending.signal),
      joinToken(context, held),
      uploadCertificates(context, held),
    ]);
    const config = joinConfiguration(version, {
      nodeName: container,
      address,
      endpoint: joinEndpoint(kindName, Math.max(2, masters.length)),
      token,
      kubeletArguments: { "node-labels": labelList(zoneLabels(spec.region, member.zone)) },
      controlPlane: { certificateKey },
    });
    await kubeadmJoin(engine, container, config, held.ending.signal);
    await untilServing(context, held, container);
    return { id: member.id, zone: member.zone, container, address };
  } catch (error) {
    await clearRemains(context, held, container).catch(() => {});
    throw error;
  }
}

/** An earlier attempt may have left a machine, and a member of etcd that will never speak. */
async function clearRemains({ engine }: KindContext, held: Held, container: string): Promise<void> {
  const [present] = await engine.inspect([container]);
  if (!present) return;
  await removeEtcdMember(engine, upMasters(held, container), { container, address: present.address });
  await engine.remove([container]);
  await deleteNode(held.client, container).catch(() => {});
}

/** The certificates that all masters share, for two hours in a Secret of the cluster, encrypted with the key that is returned. */
async function uploadCertificates(context: KindContext, held: Held): Promise<string> {
  const key = randomBytes(32).toString("hex");
  const command = ["kubeadm", "init", "phase", "upload-certs", "--upload-certs", "--certificate-key", key];
  await onAnyMaster(context, held, command, { secrets: [key] });
  return key;
}
