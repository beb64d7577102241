import {
  type Attributes,
  type DeviceNode,
  type DirectoryNode,
  directory,
  type FileNode,
  file,
  link,
  type Mount,
  type TreeNode,
} from "./file-nodes.js";

/** Who touches a file. */
export interface Credentials {
  uid: number;
  gid: number;
  groups: readonly number[];
  /** A file with the setuid bit gives nothing more. */
  noNewPrivileges?: boolean;
}

export const ROOT: Credentials = { uid: 0, gid: 0, groups: [] };

/** A system call that failed: `message` is what strerror says. */
export class FileError extends Error {
  constructor(readonly code: keyof typeof TEXTS) {
    super(TEXTS[code]);
  }
}

const TEXTS = {
  EACCES: "Permission denied",
  EBUSY: "Resource busy",
  EEXIST: "File exists",
  EINVAL: "Invalid argument",
  EISDIR: "Is a directory",
  ELOOP: "Too many levels of symbolic links",
  ENOENT: "No such file or directory",
  ENOSPC: "No space left on device",
  ENOTDIR: "Not a directory",
  ENOTEMPTY: "Directory not empty",
  EPERM: "Operation not permitted",
  EROFS: "Read-only file system",
} as const;

/** What all files of one container may hold together, bytes: this is a simulation's memory, not a disk. */
const CAPACITY = 64 * 1024 * 1024;
const MAX_LINKS = 20;

/** `/a/./b//../c` is `/a/c`. Relative paths begin at `cwd`. */
export function absolutePath(path: string, cwd = "/"): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export const baseName = (path: string): string => {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? (path === "" ? "" : "/") : trimmed.slice(trimmed.lastIndexOf("/") + 1);
};

interface Found {
  parent: DirectoryNode;
  name: string;
  node: TreeNode | undefined;
  /** The nearest mount at or above. */
  mount: Mount | undefined;
}

/** One container's view: a root and everything mounted below it. */
export class FileTree {
  private used = 0;

  constructor(
    readonly root: DirectoryNode,
    private readonly now: () => number,
    /** Nothing more can be written, whatever there would be room for. */
    private readonly isFull: () => boolean = () => false,
  ) {}

  /** Undefined when there is nothing. Throws FileError for what cannot be walked. */
  find(path: string, who: Credentials, followLast = true): TreeNode | undefined {
    try {
      return this.locate(path, who, followLast).node;
    } catch (error) {
      if (error instanceof FileError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
      throw error;
    }
  }

  get(path: string, who: Credentials, followLast = true): TreeNode {
    const { node } = this.locate(path, who, followLast);
    if (!node) throw new FileError("ENOENT");
    return node;
  }

  mountOf(path: string, who: Credentials): Mount | undefined {
    return this.locate(path, who, true).mount;
  }

  private locate(path: string, who: Credentials, followLast: boolean, depth = 0): Found {
    if (depth > MAX_LINKS) throw new FileError("ELOOP");
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    let mount = this.root.mount;
    let parent = this.root;
    let node: TreeNode | undefined = this.root;
    let name = "/";
    let walked = "";
    const trail: { node: DirectoryNode; mount: Mount | undefined }[] = [{ node: this.root, mount }];
    for (let i = 0; i < parts.length; i++) {
      if (!node) throw new FileError("ENOENT");
      if (node.is !== "directory") throw new FileError("ENOTDIR");
      const part = parts[i] as string;
      if (part === "..") {
        if (trail.length > 1) trail.pop();
        const above = trail[trail.length - 1] as (typeof trail)[0];
        node = above.node;
        parent = node;
        mount = above.mount;
        walked = walked.slice(0, walked.lastIndexOf("/"));
        continue;
      }
      if (!mayAccess(node, who, 1)) throw new FileError("EACCES");
      node.refresh?.();
      parent = node;
      name = part;
      node = parent.entries.get(part);
      if (node?.is === "link" && (followLast || i < parts.length - 1)) {
        const rest = parts.slice(i + 1).join("/");
        const target = node.target.startsWith("/") ? node.target : `${walked}/${node.target}`;
        return this.locate(`${target}/${rest}`, who, followLast, depth + 1);
      }
      walked += `/${part}`;
      if (node?.is === "directory") {
        mount = node.mount ?? mount;
        trail.push({ node, mount });
      }
    }
    if (node?.is === "directory") node.refresh?.();
    return { parent, name, node, mount };
  }

  private writable(found: Found, who: Credentials): void {
    if (found.mount?.readOnly) throw new FileError("EROFS");
    if (found.node && found.node.is !== "link" && !mayAccess(found.node, who, 2)) throw new FileError("EACCES");
  }

  private enterable({ parent, mount }: Found, who: Credentials): void {
    if (mount?.readOnly) throw new FileError("EROFS");
    if (!mayAccess(parent, who, 2)) throw new FileError("EACCES");
    parent.mtimeMs = this.now();
  }

  read(path: string, who: Credentials): string {
    const node = this.get(path, who);
    if (node.is === "directory") throw new FileError("EISDIR");
    if (!mayAccess(node, who, 4)) throw new FileError("EACCES");
    return node.is === "file" ? node.data : "";
  }

  /** Opens for writing: an existing file or device, or a new file. */
  open(path: string, who: Credentials, options: { truncate?: boolean; mode?: number } = {}): FileNode | DeviceNode {
    const found = this.locate(path, who, true);
    const { node } = found;
    if (node?.is === "directory") throw new FileError("EISDIR");
    if (node?.is === "device") return node;
    if (node?.is === "file") {
      this.writable(found, who);
      if (options.truncate) this.put(node, "");
      return node;
    }
    this.enterable(found, who);
    const made = file("", options.mode ?? 0o644, { uid: who.uid, gid: who.gid, mtimeMs: this.now() });
    found.parent.entries.set(found.name, made);
    return made;
  }

  /** Replaces a file's content, within the capacity. */
  put(node: FileNode, data: string): void {
    this.used += data.length - node.data.length;
    if (this.used > CAPACITY || (data.length > node.data.length && this.isFull())) {
      this.used -= data.length - node.data.length;
      throw new FileError("ENOSPC");
    }
    node.data = data;
    node.mtimeMs = this.now();
  }

  write(path: string, data: string, who: Credentials, options: { mode?: number } = {}): void {
    const node = this.open(path, who, { truncate: true, ...options });
    if (node.is === "file") this.put(node, data);
  }

  makeDirectory(path: string, who: Credentials, mode = 0o755): DirectoryNode {
    const found = this.locate(path, who, true);
    if (found.node) throw new FileError("EEXIST");
    this.enterable(found, who);
    const made = directory(mode, { uid: who.uid, gid: who.gid, mtimeMs: this.now() });
    found.parent.entries.set(found.name, made);
    return made;
  }

  /** As `mkdir -p`. */
  makePath(path: string, who: Credentials, mode = 0o755): DirectoryNode {
    let at = "";
    for (const part of path.split("/").filter(Boolean)) {
      at += `/${part}`;
      const node = this.find(at, who);
      if (node && node.is !== "directory") throw new FileError("ENOTDIR");
      if (!node) this.makeDirectory(at, who, mode);
    }
    return this.get(path, who) as DirectoryNode;
  }

  makeLink(target: string, path: string, who: Credentials): void {
    this.insert(path, { ...link(target), uid: who.uid, gid: who.gid, mtimeMs: this.now() }, who);
  }

  /** Puts a node where nothing is yet. */
  insert(path: string, node: TreeNode, who: Credentials): void {
    const found = this.locate(path, who, false);
    if (found.node) throw new FileError("EEXIST");
    this.enterable(found, who);
    found.parent.entries.set(found.name, node);
  }

  remove(path: string, who: Credentials, recursive = false): void {
    const found = this.locate(path, who, false);
    const { node } = found;
    if (!node) throw new FileError("ENOENT");
    if (node === this.root) throw new FileError("EBUSY");
    if (node.is === "directory") {
      if (node.mount) throw new FileError("EBUSY");
      if (recursive) for (const name of [...node.entries.keys()]) this.remove(`${path}/${name}`, who, true);
      else if (node.entries.size > 0) throw new FileError("ENOTEMPTY");
    }
    this.enterable(found, who);
    if (node.is === "file") this.used -= node.data.length;
    found.parent.entries.delete(found.name);
  }

  rename(from: string, to: string, who: Credentials): void {
    const source = this.locate(from, who, false);
    if (!source.node) throw new FileError("ENOENT");
    if (source.node.is === "directory" && source.node.mount) throw new FileError("EBUSY");
    const target = this.locate(to, who, false);
    if (target.node === source.node) return;
    if (target.node?.is === "directory") {
      if (source.node.is !== "directory") throw new FileError("EISDIR");
      if (target.node.entries.size > 0) throw new FileError("ENOTEMPTY");
    }
    this.enterable(source, who);
    this.enterable(target, who);
    source.parent.entries.delete(source.name);
    target.parent.entries.set(target.name, source.node);
  }

  /** Names in a directory, in order. */
  names(path: string, who: Credentials): string[] {
    const node = this.get(path, who);
    if (node.is !== "directory") throw new FileError("ENOTDIR");
    if (!mayAccess(node, who, 4)) throw new FileError("EACCES");
    return [...node.entries.keys()].sort();
  }

  changeMode(path: string, mode: number, who: Credentials): void {
    const found = this.locate(path, who, true);
    if (!found.node) throw new FileError("ENOENT");
    if (found.mount?.readOnly) throw new FileError("EROFS");
    if (who.uid !== 0 && who.uid !== found.node.uid) throw new FileError("EPERM");
    found.node.mode = mode;
  }

  changeOwner(path: string, uid: number, gid: number | undefined, who: Credentials): void {
    const found = this.locate(path, who, true);
    if (!found.node) throw new FileError("ENOENT");
    if (found.mount?.readOnly) throw new FileError("EROFS");
    if (who.uid !== 0) throw new FileError("EPERM");
    found.node.uid = uid;
    if (gid !== undefined) found.node.gid = gid;
  }

  touch(path: string, who: Credentials): void {
    const node = this.find(path, who);
    if (node) node.mtimeMs = this.now();
    else this.open(path, who);
  }
}

/** `want`: 4 read, 2 write, 1 enter. */
export function mayAccess({ mode, uid, gid }: Attributes, who: Credentials, want: 1 | 2 | 4): boolean {
  if (who.uid === 0) return true;
  const shift = who.uid === uid ? 6 : who.gid === gid || who.groups.includes(gid) ? 3 : 0;
  return ((mode >> shift) & want) === want;
}

/** `drwxr-xr-x` */
export function modeText(node: TreeNode): string {
  const kind = { file: "-", directory: "d", link: "l", device: "c" }[node.is];
  let text = kind;
  for (const shift of [6, 3, 0]) {
    const bits = (node.mode >> shift) & 7;
    text += `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${bits & 1 ? "x" : "-"}`;
  }
  if (node.mode & 0o1000) text = `${text.slice(0, 9)}${node.mode & 1 ? "t" : "T"}`;
  return text;
}

export const toBytes = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: plain ASCII is the same in both forms
  /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");

export const fromBytes = (bytes: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: plain ASCII is the same in both forms
  /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
