/** The quorum of a cluster's masters, asked and changed from within the etcd of one of them. */
import { BackendError } from "../backend.js";
import type { Engine } from "./engine.js";

const PKI = "/etc/kubernetes/pki/etcd";
const ETCDCTL = [
  "etcdctl",
  "--endpoints=https://127.0.0.1:2379",
  `--cacert=${PKI}/ca.crt`,
  `--cert=${PKI}/server.crt`,
  `--key=${PKI}/server.key`,
] as const;

async function etcdctl(engine: Engine, master: string, args: readonly string[]): Promise<string> {
  const found = await engine.exec(master, ["crictl", "ps", "--quiet", "--name", "^etcd$"]);
  const id = found.stdout.trim().split("\n")[0] ?? "";
  if (!/^[0-9a-f]+$/.test(id)) throw new BackendError("unavailable", `no etcd runs on ${master}`);
  const { stdout } = await engine.exec(master, ["crictl", "exec", id, ...ETCDCTL, ...args], { timeoutMs: 30_000 });
  return stdout;
}

export interface EtcdMember {
  /** Hexadecimal. */
  id: string;
  /** The master's container; empty while it has not started. */
  name: string;
  peerUrls: readonly string[];
}

/** The simple form: ids of the JSON one are numbers that JavaScript cannot hold. */
export function parseMembers(text: string): EtcdMember[] {
  return text
    .split("\n")
    .map((line) => line.split(",").map((field) => field.trim()))
    .filter(([id]) => /^[0-9a-f]+$/.test(id ?? ""))
    .map(([id = "", , name = "", peers = ""]) => ({ id, name, peerUrls: peers.split(" ").filter(Boolean) }));
}

async function etcdMembers(engine: Engine, master: string): Promise<EtcdMember[]> {
  return parseMembers(await etcdctl(engine, master, ["member", "list", "-w", "simple"]));
}

/**
 * A member counts for the quorum until it is removed, dead or not. Asked on the masters in turn, since an etcd that has just been started may not answer yet.
 * Nothing when it is not there.
 */
export async function removeEtcdMember(
  engine: Engine,
  masters: readonly string[],
  leaving: { container: string; address: string },
): Promise<void> {
  let last = new BackendError("unavailable", `no other master than ${leaving.container} is up`);
  for (const master of masters) {
    try {
      return await removeOn(engine, master, leaving);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      last = error;
    }
  }
  throw new BackendError("unavailable", last.message, { cause: last });
}

async function removeOn(
  engine: Engine,
  master: string,
  leaving: { container: string; address: string },
): Promise<void> {
  const members = await etcdMembers(engine, master);
  const member = members.find(
    ({ name, peerUrls }) => name === leaving.container || peerUrls.includes(`https://${leaving.address}:2380`),
  );
  if (member) await etcdctl(engine, master, ["member", "remove", member.id]);
}
