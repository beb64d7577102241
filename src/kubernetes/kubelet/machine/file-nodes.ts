/** What a file tree is made of. */

/**
 * The file tree of a simulated container, in memory. Content is a string with one character a byte (latin1), as everywhere inside the machine. A volume
 * is a directory node that stands in the trees of all containers which mount it.
 */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
}

export interface FileNode extends Attributes {
  readonly is: "file";
  data: string;
}

export interface DirectoryNode extends Attributes {
  readonly is: "directory";
  readonly entries: Map<string, TreeNode>;
  /** Where a volume is mounted: what is here cannot be removed, and says which file system it is. */
  mount?: Mount;
  /** Brings content that is made of API objects up to date. */
  refresh?: () => void;
}

export interface LinkNode extends Attributes {
  readonly is: "link";
  target: string;
}

export interface DeviceNode extends Attributes {
  readonly is: "device";
  readonly device: "null" | "zero" | "random" | "stdin" | "stdout" | "stderr" | "tty";
}

export type TreeNode = FileNode | DirectoryNode | LinkNode | DeviceNode;

export interface Mount {
  readonly readOnly: boolean;
  /** `tmpfs` or the node's own. */
  readonly type: string;
}

export const directory = (mode = 0o755, owner: Partial<Attributes> = {}): DirectoryNode => ({
  is: "directory",
  entries: new Map(),
  mode,
  uid: 0,
  gid: 0,
  mtimeMs: 0,
  ...owner,
});

export const file = (data: string, mode = 0o644, owner: Partial<Attributes> = {}): FileNode => ({
  is: "file",
  data,
  mode,
  uid: 0,
  gid: 0,
  mtimeMs: 0,
  ...owner,
});

export const link = (target: string): LinkNode => ({
  is: "link",
  target,
  mode: 0o777,
  uid: 0,
  gid: 0,
  mtimeMs: 0,
});

export const device = (name: DeviceNode["device"]): DeviceNode => ({
  is: "device",
  device: name,
  mode: 0o666,
  uid: 0,
  gid: 0,
  mtimeMs: 0,
});
