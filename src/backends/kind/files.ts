/**
 * What the backend keeps in the data directory: for each cluster its name in Docker, who its masters are and which addresses they have, kind's configuration
 * and kubeconfig, and what the API servers read of the token webhook. Docker knows everything else.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterSpec } from "../backend.js";
import { OWNER_LENGTH } from "./names.js";

export interface MasterFile {
  id: string;
  zone: string;
  container: string;
  /** Its own on kind's network: etcd and the certificates hold on to it. */
  address: string;
}

export interface ClusterFile {
  /** Of this form of file. */
  form: 1;
  kindName: string;
  spec: Pick<ClusterSpec, "clusterId" | "name" | "accountId" | "region" | "version" | "serviceCidr" | "oidcIssuer">;
  masters: readonly MasterFile[];
  /** The load balancer sends clients to eksim, or is about to. */
  fronted?: true;
}

/** Paths of one cluster. */
export interface ClusterPaths {
  dir: string;
  config: string;
  kubeconfig: string;
  authnDir: string;
}

export interface Files {
  /** The mark of this data directory, made once. */
  owner(): Promise<string>;
  paths(clusterId: string): ClusterPaths;
  /** Undefined: no cluster of that id was ever completed here. */
  read(clusterId: string): Promise<ClusterFile | undefined>;
  /** What is written is whole, or what was there before. */
  write(file: ClusterFile): Promise<void>;
  writeText(path: string, text: string): Promise<void>;
  /** Undefined when there is no such file. */
  readText(path: string): Promise<string | undefined>;
  remove(clusterId: string): Promise<void>;
  /** Ids of clusters that there are files of. */
  list(): Promise<string[]>;
}

const RECORD = "cluster.json";
const OWNER = "owner";

const isAbsent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/** Undefined when there is no such file. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** `dir`: an absolute path, since Docker mounts from it. */
export function createFiles(dir: string): Files {
  const paths = (clusterId: string): ClusterPaths => {
    const own = join(dir, clusterId);
    return {
      dir: own,
      config: join(own, "kind.json"),
      kubeconfig: join(own, "kubeconfig"),
      authnDir: join(own, "authn"),
    };
  };

  const writeText = async (path: string, content: string): Promise<void> => {
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    const draft = `${path}.new`;
    // Readable for its owner alone: keys and certificates of administrators are among them.
    const file = await open(draft, "w", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  };

  let mark: Promise<string> | undefined;
  const readOwner = async (): Promise<string> => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const path = join(dir, OWNER);
    const fresh = randomBytes(OWNER_LENGTH / 2).toString("hex");
    try {
      await writeFile(path, fresh, { flag: "wx", mode: 0o600 });
      return fresh;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      return (await readFile(path, "utf8")).trim();
    }
  };

  return {
    owner: () => {
      mark ??= readOwner();
      return mark;
    },
    paths,
    read: async (clusterId) => {
      const content = await readText(join(paths(clusterId).dir, RECORD));
      return content === undefined ? undefined : (JSON.parse(content) as ClusterFile);
    },
    write: (file) => writeText(join(paths(file.spec.clusterId).dir, RECORD), `${JSON.stringify(file, null, 2)}\n`),
    writeText,
    readText,
    remove: (clusterId) => rm(paths(clusterId).dir, { recursive: true, force: true }),
    list: async () => {
      try {
        const entries = await readdir(dir, { withFileTypes: true });
        return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
      } catch (error) {
        if (isAbsent(error)) return [];
        throw error;
      }
    },
  };
}
