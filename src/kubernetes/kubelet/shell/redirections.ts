import type { Random } from "../../../clock/random.js";
import type { DeviceNode, FileNode } from "../machine/file-nodes.js";
import { absolutePath, FileError } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { discard, type Input, type Output, textInput } from "../machine/streams.js";
import { type Expander, expandText } from "./expand.js";
import type { Shell } from "./shell.js";
import type { Handle, Handles } from "./state.js";
import type { Redirection } from "./syntax.js";

/** Opens the files that `<`, `>` and their kind name, and what stands for devices. */

/** Opens files; undefined (and a message) when one cannot be opened. */
export function* redirect(
  shell: Shell & Expander,
  redirections: readonly Redirection[],
  handles: Handles,
): Work<Handles | undefined> {
  if (redirections.length === 0) return handles;
  const opened = new Map(handles);
  for (const { operator, fd, word } of redirections) {
    const text = yield* expandText(shell, word);
    const reads = operator.startsWith("<");
    const target = fd ?? (reads ? 0 : 1);
    if (operator === "<<" || operator === "<<<")
      opened.set(target, { input: textInput(operator === "<<" ? text : `${text}\n`) });
    else if ((operator === ">&" || operator === "<&") && /^(?:\d+|-)$/.test(text)) {
      if (text === "-") opened.set(target, { output: discard, input: textInput() });
      else {
        const handle = opened.get(Number(text));
        if (!handle) {
          shell.complain(`${text}: Bad file descriptor`);
          return undefined;
        }
        opened.set(target, handle);
      }
    } else {
      const handle = openFile(shell, text, operator, opened);
      if (!handle) return undefined;
      opened.set(target, handle);
      if (operator === "&>" || operator === ">&") opened.set(2, handle);
    }
  }
  return opened;
}

function openFile(shell: Shell, name: string, operator: Redirection["operator"], handles: Handles): Handle | undefined {
  const { tree, random } = shell.context.system;
  const { who } = shell.context;
  const path = absolutePath(name, shell.state.cwd);
  const standard = /^\/(?:dev\/(stdin|stdout|stderr)|(?:dev|proc\/self)\/fd\/([012])|proc\/1\/fd\/([12]))$/.exec(path);
  if (standard) {
    const fd = standard[2] ?? standard[3] ?? ["stdin", "stdout", "stderr"].indexOf(standard[1] ?? "");
    return handles.get(Number(fd)) ?? shell.handles.get(Number(fd));
  }
  const reads = operator === "<" || operator === "<>";
  try {
    if (reads) {
      const node = tree.get(path, who);
      if (node.is === "directory") return { input: textInput() };
      return {
        input: node.is === "device" ? deviceInput(node, random) : textInput(tree.read(path, who)),
      };
    }
    const node = tree.open(path, who, { truncate: operator !== ">>" });
    return { output: node.is === "device" ? discard : fileOutput(tree, node) };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    const why = error.code === "ENOENT" ? (reads ? "no such file" : "nonexistent directory") : error.message;
    shell.complain(`can't ${reads ? "open" : "create"} ${name}: ${why}`);
    return undefined;
  }
}

const fileOutput = (tree: { put(node: FileNode, data: string): void }, node: FileNode): Output => ({
  write: (data) => tree.put(node, node.data + data),
});

const ZEROES = "\0".repeat(4096);

/** /dev/null ends at once, the others never do. */
export function deviceInput({ device }: DeviceNode, random: Random): Input {
  if (device === "null") return textInput();
  const make = (length: number): string =>
    device === "random" ? Buffer.from(random.hex(2 * length), "hex").toString("latin1") : ZEROES.slice(0, length);
  return { read: (most = ZEROES.length) => make(Math.min(most, ZEROES.length)), unread: () => {} };
}
