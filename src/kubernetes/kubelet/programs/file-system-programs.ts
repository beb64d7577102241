import { type DirectoryNode, file, type TreeNode } from "../machine/file-nodes.js";
import { absolutePath, baseName } from "../machine/files.js";
import { hasData, type Program, type ProgramContext, pathIn, readAll } from "../machine/program.js";
import { compilePattern } from "../shell/patterns.js";
import { sizeOf } from "./file-size.js";
import { attempt, contents, open, parseOptions } from "./options.js";
import { createArchive, extractArchive } from "./tar.js";

/** Programs that walk file trees, or move their content as a whole: find, du, mount, dd, tee, tar. */

function* find(context: ProgramContext) {
  const args = context.argv.slice(1);
  const roots: string[] = [];
  while (args.length > 0 && !/^[-!(]/.test(args[0] as string)) roots.push(args.shift() as string);
  const value = (flag: string): string | undefined => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
  yield* [];
  const name = value("-name") ?? value("-iname");
  const matches = name === undefined ? undefined : compilePattern(args.includes("-iname") ? name.toLowerCase() : name);
  const nameOf = (path: string): string => (args.includes("-iname") ? baseName(path).toLowerCase() : baseName(path));
  const type = { f: "file", d: "directory", l: "link" }[value("-type") ?? ""];
  const deepest = Number(value("-maxdepth") ?? 100);
  const shallowest = Number(value("-mindepth") ?? 0);
  const { tree } = context.system;
  let status = 0;
  const visit = (path: string, shown: string, depth: number): void => {
    const node = tree.get(path, context.who, false);
    const wanted = depth >= shallowest && (!type || node.is === type) && (!matches || matches.test(nameOf(shown)));
    if (wanted && !args.includes("-delete"))
      context.stdout.write(args.includes("-print0") ? `${shown}\0` : `${shown}\n`);
    if (node.is === "directory" && depth < deepest)
      for (const entry of tree.names(path, context.who))
        visit(`${path}/${entry}`, shown === "/" ? `/${entry}` : `${shown}/${entry}`, depth + 1);
    if (wanted && args.includes("-delete")) tree.remove(path, context.who);
  };
  for (const root of roots.length === 0 ? ["."] : roots)
    if (!attempt(context, root, () => visit(pathIn(context, root), root, 0))) status = 1;
  return status;
}

function* du(context: ProgramContext) {
  const { operands } = parseOptions(context.argv);
  const { tree } = context.system;
  const total = (node: TreeNode): number =>
    node.is === "directory"
      ? [...node.entries.values()].reduce((sum, entry) => sum + total(entry), 4096)
      : sizeOf(node);
  yield* [];
  for (const name of operands.length === 0 ? ["."] : operands)
    context.stdout.write(`${Math.ceil(total(tree.get(pathIn(context, name), context.who)) / 1024)}\t${name}\n`);
  return 0;
}

function* mountTable(context: ProgramContext) {
  yield* [];
  const { tree } = context.system;
  const walk = (node: DirectoryNode, path: string): void => {
    if (node.mount)
      context.stdout.write(
        `${node.mount.type} on ${path || "/"} type ${node.mount.type} (${node.mount.readOnly ? "ro" : "rw"},relatime)\n`,
      );
    for (const [name, entry] of node.entries)
      if (entry.is === "directory" && entry !== node) walk(entry, `${path}/${name}`);
  };
  walk(tree.root, "");
  return 0;
}

function* dd(context: ProgramContext) {
  const args = new Map(context.argv.slice(1).map((arg) => arg.split("=") as [string, string]));
  const unit: Record<string, number> = { "": 1, k: 1024, K: 1024, M: 1024 ** 2, G: 1024 ** 3, kB: 1000, MB: 1e6 };
  const [, digits = "512", suffix = ""] = /^(\d+)(\w*)$/.exec(args.get("bs") ?? "512") ?? [];
  const size = Number(digits) * (unit[suffix] ?? 1);
  const count = args.has("count") ? Number(args.get("count")) : undefined;
  const input = open(context, args.get("if") ?? "-");
  if (!input) return 1;
  const most = Math.min(count === undefined ? Number.POSITIVE_INFINITY : count * size, 64 * 1024 * 1024);
  let data = "";
  while (data.length < most) {
    const piece = input.read(most - data.length);
    if (piece === null) break;
    if (piece === undefined) yield { ready: () => hasData(input) };
    else data += piece;
  }
  const to = args.get("of");
  if (to === undefined) context.stdout.write(data);
  else if (!attempt(context, to, () => context.system.tree.write(pathIn(context, to), data, context.who))) return 1;
  const blocks = `${Math.floor(data.length / size)}+${data.length % size > 0 ? 1 : 0}`;
  context.stderr.write(`${blocks} records in\n${blocks} records out\n${data.length} bytes copied\n`);
  return 0;
}

function* tee(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const text = yield* readAll(context.stdin);
  context.stdout.write(text);
  let status = 0;
  for (const name of operands) {
    const path = pathIn(context, name);
    const { tree } = context.system;
    const written = attempt(context, name, () => {
      const before = has("a") && tree.find(path, context.who) ? tree.read(path, context.who) : "";
      tree.write(path, before + text, context.who);
    });
    if (!written) status = 1;
  }
  return status;
}

/** What `kubectl cp` needs: `tar cf - <path>` and `tar xmf - -C <dir>`. */
function* tar(context: ProgramContext) {
  const argv = /^[a-z]/.test(context.argv[1] ?? "")
    ? ["tar", `-${context.argv[1]}`, ...context.argv.slice(2)]
    : context.argv;
  const { has, value, operands } = parseOptions(argv, "fC", ["file", "directory"]);
  const { tree } = context.system;
  const base = pathIn(context, value("C") ?? value("directory") ?? ".");
  const archive = value("f") ?? value("file") ?? "-";
  if (has("c")) {
    let data = "";
    const made = attempt(context, operands[0] ?? "", () => {
      data = createArchive(tree, context.who, base, operands);
    });
    if (!made) return 1;
    if (archive === "-") context.stdout.write(data);
    else tree.write(pathIn(context, archive), data, context.who);
    return 0;
  }
  const [{ text } = { text: undefined }] = yield* contents(context, [archive]);
  if (text === undefined) return 1;
  if (has("t")) {
    for (const { name } of extractArchive(text)) context.stdout.write(`${name}\n`);
    return 0;
  }
  let status = 0;
  for (const entry of extractArchive(text)) {
    const path = absolutePath(entry.name, base);
    const made = attempt(context, entry.name, () => {
      if (entry.kind === "directory") {
        if (!tree.find(path, context.who)) tree.makePath(path, context.who);
        return;
      }
      const parent = absolutePath("..", path);
      if (!tree.find(parent, context.who)) tree.makePath(parent, context.who);
      if (tree.find(path, context.who, false)?.is !== "directory" && tree.find(path, context.who, false))
        tree.remove(path, context.who);
      if (entry.kind === "link") tree.makeLink(entry.target, path, context.who);
      else
        tree.insert(
          path,
          file(entry.data, entry.mode, { uid: context.who.uid, gid: context.who.gid, mtimeMs: entry.mtimeMs }),
          context.who,
        );
    });
    if (!made) status = 1;
  }
  return status;
}

export const FILE_SYSTEM_PROGRAMS: Readonly<Record<string, Program>> = { dd, du, find, mount: mountTable, tar, tee };
