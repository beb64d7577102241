import { modeText } from "../machine/files.js";
import { type ProgramContext, pathIn } from "../machine/program.js";
import { sizeOf } from "./file-size.js";
import { attempt, nameOf, parseOptions } from "./options.js";

/** Programs about the attributes of files: chmod, chown, touch, stat. */

export const owner = (id: number): string => (id === 0 ? "root" : String(id));

export function* touch(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv, "drt");
  let status = 0;
  for (const name of operands) {
    const path = pathIn(context, name);
    const touched = attempt(context, name, () => {
      if (!has("c") || context.system.tree.find(path, context.who)) context.system.tree.touch(path, context.who);
    });
    if (!touched) status = 1;
  }
  return status;
}

function newMode(text: string, mode: number): number {
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  for (const clause of text.split(",")) {
    const [, who = "", sign, bits = ""] = /^([ugoa]*)([-+=])([rwxXst]*)$/.exec(clause) ?? [];
    let mask = 0;
    for (const [letter, value] of [
      ["r", 4],
      ["w", 2],
      ["x", 1],
      ["X", 1],
    ] as const)
      if (bits.includes(letter)) mask |= value;
    for (const [letter, shift] of [
      ["u", 6],
      ["g", 3],
      ["o", 0],
    ] as const) {
      if (who !== "" && !who.includes("a") && !who.includes(letter)) continue;
      if (sign === "+") mode |= mask << shift;
      else if (sign === "-") mode &= ~(mask << shift);
      else mode = (mode & ~(7 << shift)) | (mask << shift);
    }
  }
  return mode;
}

/** Calls `change` for the path and, with -R, for everything below. */
function everyPath(context: ProgramContext, path: string, recursive: boolean, change: (path: string) => void): void {
  change(path);
  const node = context.system.tree.find(path, context.who, false);
  if (recursive && node?.is === "directory")
    for (const name of [...node.entries.keys()]) everyPath(context, `${path}/${name}`, true, change);
}

export function* chmod(context: ProgramContext) {
  const recursive = context.argv[1] === "-R";
  const [mode = "", ...operands] = context.argv.slice(recursive ? 2 : 1);
  const { tree } = context.system;
  let status = 0;
  for (const name of operands) {
    const changed = attempt(context, name, () =>
      everyPath(context, pathIn(context, name), recursive, (path) =>
        tree.changeMode(path, newMode(mode, tree.get(path, context.who).mode), context.who),
      ),
    );
    if (!changed) status = 1;
  }
  return status;
}

export function* chown(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const [who = "", ...names] = operands;
  const [user = "", group] = nameOf(context) === "chgrp" ? ["", who] : who.split(":");
  const id = (text: string): number => (text === "root" ? 0 : Number(text));
  const { tree } = context.system;
  let status = 0;
  for (const name of names) {
    const changed = attempt(context, name, () =>
      everyPath(context, pathIn(context, name), has("R"), (path) =>
        tree.changeOwner(
          path,
          user === "" ? tree.get(path, context.who).uid : id(user),
          group ? id(group) : undefined,
          context.who,
        ),
      ),
    );
    if (!changed) status = 1;
  }
  return status;
}

export function* stat(context: ProgramContext) {
  const { value, operands } = parseOptions(context.argv, "c", ["format"]);
  const format = value("c") ?? value("format");
  let status = 0;
  for (const name of operands) {
    const shown = attempt(context, `can't stat '${name}'`, () => {
      const node = context.system.tree.get(pathIn(context, name), context.who, false);
      const kind = {
        file: sizeOf(node) === 0 ? "regular empty file" : "regular file",
        directory: "directory",
        link: "symbolic link",
        device: "character special file",
      }[node.is];
      const fields: Record<string, string | number> = {
        a: (node.mode & 0o7777).toString(8),
        A: modeText(node),
        F: kind,
        g: node.gid,
        G: owner(node.gid),
        n: name,
        s: sizeOf(node),
        u: node.uid,
        U: owner(node.uid),
        Y: Math.floor(node.mtimeMs / 1000),
        X: Math.floor(node.mtimeMs / 1000),
        h: 1,
        i: 12345,
      };
      const text = format ?? `  File: %n\n  Size: %s\t%F\nAccess: (0%a/%A)  Uid: (%u/%U)   Gid: (%g/%G)`;
      context.stdout.write(`${text.replace(/%([a-zA-Z])/g, (whole, key: string) => String(fields[key] ?? whole))}\n`);
    });
    if (!shown) status = 1;
  }
  return status;
}
