import type { TreeNode } from "../machine/file-nodes.js";
import { absolutePath, type Credentials, type FileTree } from "../machine/files.js";

/** The ustar format, as far as `kubectl cp` needs it. Content has one character a byte. */
const BLOCK = 512;

interface Entry {
  name: string;
  kind: "file" | "directory" | "link";
  mode: number;
  mtimeMs: number;
  data: string;
  target: string;
}

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, "0")}\0`;
const field = (text: string, width: number): string => text.slice(0, width).padEnd(width, "\0");

function header(name: string, node: TreeNode, size: number): string {
  const type = node.is === "directory" ? "5" : node.is === "link" ? "2" : "0";
  let prefix = "";
  let short = name;
  if (name.length > 100) {
    const cut = name.lastIndexOf("/", 155);
    prefix = name.slice(0, cut);
    short = name.slice(cut + 1);
  }
  const make = (checksum: string): string =>
    (
      field(short, 100) +
      octal(node.mode & 0o7777, 8) +
      octal(node.uid, 8) +
      octal(node.gid, 8) +
      octal(size, 12) +
      octal(Math.floor(node.mtimeMs / 1000), 12) +
      checksum +
      type +
      field(node.is === "link" ? node.target : "", 100) +
      "ustar\0" +
      "00" +
      field("root", 32) +
      field("root", 32) +
      octal(0, 8) +
      octal(0, 8) +
      field(prefix, 155)
    ).padEnd(BLOCK, "\0");
  let sum = 0;
  for (const c of make("        ")) sum += c.charCodeAt(0);
  return make(`${sum.toString(8).padStart(6, "0")}\0 `);
}

/** Throws FileError for what is not there. */
export function createArchive(tree: FileTree, who: Credentials, base: string, names: readonly string[]): string {
  const pieces: string[] = [];
  const add = (path: string, name: string): void => {
    const node = tree.get(path, who, false);
    const shown = name.replace(/^\/+/, "");
    if (node.is === "directory") {
      pieces.push(header(`${shown}/`, node, 0));
      for (const entry of tree.names(path, who)) add(`${path}/${entry}`, `${shown}/${entry}`);
      return;
    }
    const data = node.is === "file" ? tree.read(path, who) : "";
    pieces.push(header(shown, node, data.length), data.padEnd(Math.ceil(data.length / BLOCK) * BLOCK, "\0"));
  };
  for (const name of names) add(absolutePath(name, base), name.replace(/\/+$/, ""));
  return `${pieces.join("")}${"\0".repeat(2 * BLOCK)}`;
}

const textOf = (bytes: string): string => bytes.replace(/\0.*$/s, "");

export function* extractArchive(archive: string): Iterable<Entry> {
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const head = archive.slice(at, at + BLOCK);
    at += BLOCK;
    const short = textOf(head.slice(0, 100));
    if (short === "" && longName === undefined) continue;
    const size = Number.parseInt(textOf(head.slice(124, 136)).trim() || "0", 8);
    const data = archive.slice(at, at + size);
    at += Math.ceil(size / BLOCK) * BLOCK;
    const type = head[156];
    // GNU's and PAX's ways to say a long name.
    if (type === "L") {
      longName = textOf(data);
      continue;
    }
    if (type === "x" || type === "g") {
      longName = /\d+ path=(.*)\n/.exec(data)?.[1] ?? longName;
      continue;
    }
    const prefix = head.slice(257, 262) === "ustar" ? textOf(head.slice(345, 500)) : "";
    const name = longName ?? (prefix ? `${prefix}/${short}` : short);
    longName = undefined;
    yield {
      name,
      kind: type === "5" || name.endsWith("/") ? "directory" : type === "2" ? "link" : "file",
      mode: Number.parseInt(textOf(head.slice(100, 108)).trim() || "644", 8) & 0o7777,
      mtimeMs: Number.parseInt(textOf(head.slice(136, 148)).trim() || "0", 8) * 1000,
      data,
      target: textOf(head.slice(157, 257)),
    };
  }
}
