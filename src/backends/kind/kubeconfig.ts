/** kind's kubeconfig of a cluster: never the user's own file, but one of the data directory that only its owner can read. */
import { readFile } from "node:fs/promises";
import { BackendError } from "../backend.js";

export interface AdminAccess {
  /** `https://127.0.0.1:<port>`. */
  server: string;
  port: number;
  /** PEM, as the others. */
  ca: string;
  cert: string;
  key: string;
}

interface Kubeconfig {
  clusters?: { cluster?: { server?: string; "certificate-authority-data"?: string } }[];
  users?: { user?: { "client-certificate-data"?: string; "client-key-data"?: string } }[];
}

export async function readAdminAccess(path: string): Promise<AdminAccess> {
  const { parse } = await import("yaml");
  const config = parse(await readFile(path, "utf8")) as Kubeconfig | null;
  const cluster = config?.clusters?.[0]?.cluster;
  const user = config?.users?.[0]?.user;
  const [server, ...pems] = [
    cluster?.server,
    cluster?.["certificate-authority-data"],
    user?.["client-certificate-data"],
    user?.["client-key-data"],
  ];
  const [ca, cert, key] = pems.map((text) => Buffer.from(text ?? "", "base64").toString("utf8"));
  if (!server || !ca || !cert || !key)
    throw new BackendError("failed", `${path} is not a kubeconfig as kind writes it`);
  const url = new URL(server);
  return { server: `https://127.0.0.1:${url.port}`, port: Number(url.port), ca, cert, key };
}
