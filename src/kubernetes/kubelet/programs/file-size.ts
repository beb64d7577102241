import type { TreeNode } from "../machine/file-nodes.js";

/** What `ls` and `stat` say of the size, bytes. */
export const sizeOf = (node: TreeNode): number =>
  node.is === "file" ? node.data.length : node.is === "link" ? node.target.length : node.is === "directory" ? 4096 : 0;
