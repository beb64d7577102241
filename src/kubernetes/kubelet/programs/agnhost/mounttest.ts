import { FileError, modeText } from "../../machine/files.js";
import type { Work } from "../../machine/kernel.js";
import { type ProgramContext, pathIn, pause, whileFull } from "../../machine/program.js";
import { goQuoted } from "../options.js";
import { parse } from "./command.js";

/** mounttest: looks at files as a container has them mounted. */

/** Looks at files as they are mounted, and says what it sees. */
export function* mounttest(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const { tree, kernel } = context.system;
  const { who, stdout } = context;
  let failed = false;
  const attempt = (what: string, path: string, body: () => void): void => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      failed = true;
      stdout.write(`error ${what} ${goQuoted(path)}: ${error.message.toLowerCase()}\n`);
    }
  };
  const content = (path: string): void =>
    stdout.write(`content of file ${goQuoted(path)}: ${tree.read(pathIn(context, path), who)}\n`);
  const withFlag = (name: string, what: string, body: (path: string) => void): void => {
    const path = flags.get(name);
    if (path) attempt(what, path, () => body(path));
  };
  withFlag("fs_type", "getting file system type for", (path) => {
    const type = tree.mountOf(pathIn(context, path), who)?.type ?? "overlay";
    tree.get(pathIn(context, path), who);
    stdout.write(`mount type of ${goQuoted(path)}: ${type === "tmpfs" ? "tmpfs" : type}\n`);
  });
  for (const mode of [0o644, 0o666, 0o660, 0o777])
    withFlag(`new_file_0${mode.toString(8)}`, "writing new file", (path) => {
      tree.write(pathIn(context, path), "mount-tester new file\n", who, { mode });
      content(path);
    });
  withFlag("file_mode", "getting mode of", (path) => {
    const node = tree.get(pathIn(context, path), who);
    const shown = modeText(node).replace(/^-/, "-").replace(/t$/, "x").replace(/T$/, "-");
    const sticky = node.mode & 0o1000 ? "t" : "";
    const setgid = node.mode & 0o2000 ? "g" : "";
    const kind = node.is === "directory" ? "d" : node.is === "link" ? "L" : "";
    const prefix = `${kind}${setgid}${sticky}` || "-";
    stdout.write(`mode of file ${goQuoted(path)}: ${prefix}${shown.slice(1)}\n`);
  });
  withFlag("file_perm", "getting perms of", (path) => {
    const node = tree.get(pathIn(context, path), who);
    stdout.write(
      `perms of file ${goQuoted(path)}: -${modeText({ ...node, mode: node.mode & 0o777 } as typeof node).slice(1)}\n`,
    );
  });
  withFlag("file_owner", "getting owner of", (path) => {
    const { uid, gid } = tree.get(pathIn(context, path), who);
    stdout.write(`owner UID of ${goQuoted(path)}: ${uid}\nowner GID of ${goQuoted(path)}: ${gid}\n`);
  });
  withFlag("file_content", "reading file content for", content);
  const watched = flags.get("file_content_in_loop");
  if (watched) {
    const untilMs = kernel.now() + Number(flags.get("retry_time") ?? 180) * 1000;
    const stops = flags.get("break_on_expected_content") !== "false";
    while (kernel.now() < untilMs) {
      try {
        const found = tree.read(pathIn(context, watched), who);
        stdout.write(`content of file ${goQuoted(watched)}: ${found}\n`);
        if (stops && found === "mount-tester new file\n") break;
        if (stops) stdout.write("Unexpected content. Expected: mount-tester new file\n. Retrying");
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        stdout.write(`Error reading file ${watched}: open ${watched}: ${error.message.toLowerCase()}, retrying\n`);
      }
      yield* pause(context, 2_000);
      yield* whileFull(stdout);
    }
  }
  return failed ? 1 : 0;
}
