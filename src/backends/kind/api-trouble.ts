/**
 * What is wrong with a cluster's API servers, for whoever reaches them through kind's load balancer: that one sends everybody to eksim meanwhile, which is
 * written down before it happens, so that it is undone even when eksim dies. Pods inside the cluster reach the masters themselves, and feel nothing.
 */
import type { ApiServerImpairment } from "../../domain/impairments.js";
import { BackendError } from "../backend.js";
import { type ApiFront, createApiFront, type FrontCertificates } from "./api-front.js";
import { type Held, type KindContext, upMasters } from "./cluster.js";
import type { ClusterFile } from "./files.js";
import { setBackends } from "./load-balancer.js";

const PKI = "/etc/kubernetes/pki";
const FILES = ["ca.crt", "apiserver.crt", "apiserver.key", "front-proxy-client.crt", "front-proxy-client.key"] as const;

async function readCertificates({ engine }: KindContext, held: Held): Promise<FrontCertificates> {
  const [master] = upMasters(held);
  if (master === undefined) throw new BackendError("unavailable", "no master is up whose certificates could be shown");
  const read = async (file: string): Promise<string> => (await engine.exec(master, ["cat", `${PKI}/${file}`])).stdout;
  const [ca = "", cert = "", key = "", proxyCert = "", proxyKey = ""] = await Promise.all(FILES.map(read));
  return { ca, server: { cert, key }, proxy: { cert: proxyCert, key: proxyKey } };
}

async function open(context: KindContext, held: Held): Promise<ApiFront> {
  const host = (await context.whereabouts.addresses()).find((address) => !address.includes(":"));
  const nowhere = (cause?: unknown): never => {
    throw new BackendError(
      "unsupported",
      "the backend kind cannot stand before an API server here: containers live in a machine of their own, and do not reach this one",
      { cause },
    );
  };
  if (host === undefined) return nowhere();
  const certificates = await readCertificates(context, held);
  const servers = () =>
    held.file.masters.filter(({ id }) => held.masters.get(id) === "up").map(({ address }) => ({ host: address }));
  const made = createApiFront({ clock: context.clock, host, certificates, pass: context.pass, servers });
  return made.catch(nowhere);
}

const masterNames = ({ masters }: ClusterFile): string[] => masters.map(({ container }) => container);

/** From now on exactly this is wrong with what clients hear of the API servers. */
export async function setApiTrouble(
  context: KindContext,
  held: Held,
  trouble: ApiServerImpairment | undefined,
): Promise<void> {
  if (!trouble) return takeAway(context, held);
  if (held.apiFront) return held.apiFront.set(trouble);
  const front = await open(context, held);
  front.set(trouble);
  try {
    await note(context, held, true);
    await setBackends(context.engine, held.file.kindName, [{ address: front.host, port: front.port }]);
    held.apiFront = front;
  } catch (error) {
    front.close();
    throw error;
  }
}

async function note({ files }: KindContext, held: Held, fronted: boolean): Promise<void> {
  const { fronted: _, ...file } = held.file;
  held.file = fronted ? { ...file, fronted: true } : file;
  await files.write(held.file);
}

/** Masters are reached as ever. Whatever is asked still comes to its end. */
async function takeAway(context: KindContext, held: Held): Promise<void> {
  if (held.file.fronted) {
    await setBackends(context.engine, held.file.kindName, masterNames(held.file));
    await note(context, held, false);
  }
  held.apiFront?.close();
  delete held.apiFront;
}

/** The load balancer is told of masters that have come and gone; eksim, where it stands before them, knows of them by itself. */
export async function serveMasters({ engine }: KindContext, held: Held, masters: readonly string[]): Promise<void> {
  if (!held.apiFront) await setBackends(engine, held.file.kindName, masters);
}

/** What an earlier process, or this one at its end, leaves to itself. */
export async function endApiTrouble(context: KindContext, held: Held): Promise<void> {
  await takeAway(context, held).catch((err: unknown) => {
    if (!(err instanceof BackendError)) throw err;
    context.log.warn({ err, cluster: held.file.spec.name }, "clients of a cluster are still sent to eksim");
    // They find nobody: a cluster that is deleted must not leave a server behind.
    held.apiFront?.close();
    delete held.apiFront;
  });
}

/** The load balancer runs, and an earlier process may have had clients sent to itself. */
export async function unfront(context: KindContext, file: ClusterFile): Promise<ClusterFile> {
  if (!file.fronted) return file;
  const { fronted: _, ...rest } = file;
  await setBackends(context.engine, file.kindName, masterNames(file));
  await context.files.write(rest);
  return rest;
}
