import type { TreeNode } from "../machine/file-nodes.js";
import { absolutePath, baseName, FileError, modeText } from "../machine/files.js";
import { hasData, type Program, type ProgramContext, pathIn, whileFull } from "../machine/program.js";
import { chmod, chown, owner, stat, touch } from "./attribute-programs.js";
import { sizeOf } from "./file-size.js";
import { FILE_SYSTEM_PROGRAMS } from "./file-system-programs.js";
import { attempt, complain, nameOf, open, parseOptions } from "./options.js";

/** Programs about files: ls, cp, mv, rm, mkdir, find, tar, ... with busybox's messages. */

const dateOf = (ms: number): string => {
  const [, , month, day, time] = /^(\d+)-(\d+)-(\d+)T(\d+:\d+)/.exec(new Date(ms).toISOString()) ?? [];
  const name = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")[
    Number(/-(\d+)-/.exec(new Date(ms).toISOString())?.[1]) - 1
  ];
  return `${name} ${String(Number(month ?? day)).padStart(2)} ${time ?? "00:00"}`;
};

function longLine(node: TreeNode, name: string): string {
  const links = node.is === "directory" ? 2 : 1;
  const target = node.is === "link" ? ` -> ${node.target}` : "";
  const who = `${owner(node.uid).padEnd(8)} ${owner(node.gid).padEnd(8)}`;
  return `${modeText(node)} ${String(links).padStart(4)} ${who} ${String(sizeOf(node)).padStart(9)} ${dateOf(node.mtimeMs)} ${name}${target}`;
}

function* ls(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const { tree } = context.system;
  const { who, stdout } = context;
  let status = 0;
  const show = (items: readonly [string, TreeNode][]): void => {
    for (const [name, node] of items) {
      const shown = has("F") || has("p") ? `${name}${node.is === "directory" ? "/" : ""}` : name;
      const inode = has("i") ? "  12345 " : "";
      stdout.write(`${inode}${has("l") ? longLine(node, shown) : shown}\n`);
    }
  };
  const directories: string[] = [];
  const files: [string, TreeNode][] = [];
  for (const name of operands.length === 0 ? ["."] : operands) {
    const listed = attempt(context, name, () => {
      const path = pathIn(context, name);
      const node = tree.get(path, who, !(has("l") || has("d")) || name.endsWith("/"));
      if (node.is === "directory" && !has("d")) directories.push(name);
      else files.push([name, node]);
    });
    if (!listed) status = 1;
  }
  show(files);
  const queue = [...directories];
  const titled = queue.length + files.length > 1 || has("R");
  for (let i = 0; i < queue.length && i < 10_000; i++) {
    const name = queue[i] as string;
    if (titled) stdout.write(`${i > 0 || files.length > 0 ? "\n" : ""}${name}:\n`);
    const listed = attempt(context, name, () => {
      const path = pathIn(context, name);
      let entries = tree
        .names(path, who)
        .map((entry): [string, TreeNode] => [entry, tree.get(`${path}/${entry}`, who, false)]);
      if (!has("a") && !has("A")) entries = entries.filter(([entry]) => !entry.startsWith("."));
      if (has("a")) entries.unshift([".", tree.get(path, who)], ["..", tree.get(absolutePath("..", path), who)]);
      if (has("t")) entries.sort((a, b) => b[1].mtimeMs - a[1].mtimeMs);
      if (has("r")) entries.reverse();
      if (has("l")) stdout.write(`total ${4 * entries.length}\n`);
      show(entries);
      if (has("R"))
        queue.splice(
          i + 1,
          0,
          ...entries
            .filter(([entry, node]) => node.is === "directory" && !/^\.\.?$/.test(entry))
            .map(([entry]) => `${name}/${entry}`),
        );
    });
    if (!listed) status = 1;
    yield* whileFull(stdout);
  }
  return status;
}

function* cat(context: ProgramContext) {
  const { operands } = parseOptions(context.argv);
  let status = 0;
  for (const name of operands.length === 0 ? ["-"] : operands) {
    const input = open(context, name);
    if (!input) {
      status = 1;
      continue;
    }
    for (;;) {
      const data = input.read();
      if (data === null) break;
      if (data === undefined) {
        yield { ready: () => hasData(input) };
        continue;
      }
      context.stdout.write(data);
      yield* whileFull(context.stdout);
      yield* context.system.kernel.charge();
    }
  }
  return status;
}

// biome-ignore-start lint/correctness/useYield: programs are generators because some of them wait
function* mkdir(context: ProgramContext) {
  const { has, value, operands } = parseOptions(context.argv, "m");
  const mode = Number.parseInt(value("m") ?? "755", 8);
  let status = 0;
  for (const name of operands) {
    const path = pathIn(context, name);
    const made = attempt(context, `can't create directory '${name}'`, () => {
      if (has("p")) context.system.tree.makePath(path, context.who, mode);
      else context.system.tree.makeDirectory(path, context.who, mode);
    });
    if (!made) status = 1;
  }
  return status;
}

function* rm(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const { tree } = context.system;
  const recursive = has("r") || has("R");
  let status = 0;
  for (const name of operands) {
    const path = pathIn(context, name);
    const removed = attempt(context, `can't remove '${name}'`, () => {
      const node = tree.find(path, context.who, false);
      if (!node && has("f")) return;
      if (node?.is === "directory" && !recursive) throw new FileError("EISDIR");
      tree.remove(path, context.who, recursive);
    });
    if (!removed) status = 1;
  }
  return status;
}

function* rmdir(context: ProgramContext) {
  let status = 0;
  for (const name of parseOptions(context.argv).operands)
    if (!attempt(context, `'${name}'`, () => context.system.tree.remove(pathIn(context, name), context.who)))
      status = 1;
  return status;
}

/** Where `mv`, `cp` and `ln` put `source` when they are told `target`. */
function destination(context: ProgramContext, source: string, target: string): string {
  const path = pathIn(context, target);
  const node = context.system.tree.find(path, context.who);
  return node?.is === "directory" ? `${path}/${baseName(source)}` : path;
}

function* mv(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const target = operands.pop();
  if (target === undefined || operands.length === 0) return complain(context, "missing file operand");
  let status = 0;
  for (const source of operands) {
    const moved = attempt(context, `can't rename '${source}'`, () => {
      const to = destination(context, source, target);
      context.system.tree.rename(pathIn(context, source), to, context.who);
      if (has("v"))
        context.stdout.write(`'${source}' -> '${target.endsWith("/") ? `${target}${baseName(source)}` : target}'\n`);
    });
    if (!moved) status = 1;
  }
  return status;
}

function copy(context: ProgramContext, from: string, to: string, node: TreeNode, keep: boolean): void {
  const { tree } = context.system;
  if (node.is === "directory") {
    if (!tree.find(to, context.who)) tree.makeDirectory(to, context.who, node.mode);
    for (const name of tree.names(from, context.who))
      copy(context, `${from}/${name}`, `${to}/${name}`, tree.get(`${from}/${name}`, context.who, !keep), keep);
  } else if (node.is === "link") tree.makeLink(node.target, to, context.who);
  else tree.write(to, tree.read(from, context.who), context.who, { mode: node.mode });
}

function* cp(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const target = operands.pop();
  if (target === undefined || operands.length === 0) return complain(context, "missing file operand");
  const recursive = has("r") || has("R") || has("a");
  let status = 0;
  for (const source of operands) {
    const copied = attempt(context, `can't stat '${source}'`, () => {
      const from = pathIn(context, source);
      const node = context.system.tree.get(from, context.who);
      if (node.is === "directory" && !recursive) {
        status = complain(context, `omitting directory '${source}'`);
        return;
      }
      const to = source.endsWith("/.") ? pathIn(context, target) : destination(context, source, target);
      copy(context, from, to, node, recursive);
      if (has("v")) context.stdout.write(`'${source}' -> '${to}'\n`);
    });
    if (!copied) status = 1;
  }
  return status;
}

function* ln(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const [source = "", target = baseName(source)] = operands;
  const linked = attempt(context, target, () => {
    const { tree } = context.system;
    const to = destination(context, source, target);
    if (has("f") && tree.find(to, context.who, false)) tree.remove(to, context.who);
    if (has("s")) tree.makeLink(source, to, context.who);
    else tree.insert(to, tree.get(pathIn(context, source), context.who), context.who);
  });
  return linked ? 0 : 1;
}

function* readlink(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const [name = ""] = operands;
  const { tree } = context.system;
  let path = pathIn(context, name);
  const node = tree.find(path, context.who, false);
  if (!has("f") && nameOf(context) !== "realpath") {
    if (node?.is !== "link") return 1;
    context.stdout.write(`${node.target}\n`);
    return 0;
  }
  for (let i = 0; i < 20; i++) {
    const next = tree.find(path, context.who, false);
    if (next?.is !== "link") break;
    path = absolutePath(next.target, absolutePath("..", path));
  }
  context.stdout.write(`${path}\n`);
  return 0;
}

function* mktemp(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv, "p");
  const template = operands[0] ?? "/tmp/tmp.XXXXXX";
  const name = template.replace(/X+$/, (xs) => context.system.random.string(xs.length, "abcdefghijklmnopqrstuvwxyz"));
  const path = pathIn(context, name);
  const { tree } = context.system;
  if (
    !attempt(context, name, () =>
      has("d") ? tree.makeDirectory(path, context.who, 0o700) : tree.write(path, "", context.who, { mode: 0o600 }),
    )
  )
    return 1;
  context.stdout.write(`${name}\n`);
  return 0;
}
// biome-ignore-end lint/correctness/useYield: until here

export const FILE_PROGRAMS: Readonly<Record<string, Program>> = {
  ...FILE_SYSTEM_PROGRAMS,
  cat,
  chgrp: chown,
  chmod,
  chown,
  cp,
  ln,
  ls,
  mkdir,
  mktemp,
  mv,
  readlink,
  realpath: readlink,
  rm,
  rmdir,
  stat,
  touch,
};
