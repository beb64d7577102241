import { baseName, type Credentials, FileError, type FileTree } from "../machine/files.js";
import type { Program } from "../machine/program.js";
import { FILE_PROGRAMS } from "./file-programs.js";
import { NETWORK_PROGRAMS } from "./network-programs.js";
import { SYSTEM_PROGRAMS, scriptProgram } from "./system-programs.js";
import { TEXT_PROGRAMS } from "./text-programs.js";

/** Every program that each container has, by name: about what busybox offers. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  ...FILE_PROGRAMS,
  ...TEXT_PROGRAMS,
  ...NETWORK_PROGRAMS,
  ...SYSTEM_PROGRAMS,
};

export const PROGRAM_NAMES: readonly string[] = Object.keys(PROGRAMS);

const STANDARD = /^\/(?:usr\/)?(?:local\/)?s?bin\/([^/]+)$/;

export interface Lookup {
  tree: FileTree;
  /** Programs of the image, by path or name. */
  own: Readonly<Record<string, Program>> | undefined;
}

/** The program behind a name or path. Throws FileError for what is there but cannot be run. */
export function findProgram(
  { tree, own }: Lookup,
  name: string,
  { cwd, who, env }: { cwd: string; who: Credentials; env: ReadonlyMap<string, string> },
): Program | undefined {
  if (!name.includes("/")) {
    const known = own?.[name] ?? own?.[`/${name}`] ?? (name in PROGRAMS ? PROGRAMS[name] : undefined);
    if (known) return known;
    // What a script put on the path.
    for (const path of (env.get("PATH") ?? "").split(":")) {
      const found = path && executable(tree, `${path}/${name}`, who);
      if (found) return found;
    }
    return undefined;
  }
  const path = name.startsWith("/") ? name : `${cwd}/${name}`;
  const known = own?.[path];
  if (known) return known;
  const [, plain] = STANDARD.exec(path) ?? [];
  if (plain !== undefined && plain in PROGRAMS) return PROGRAMS[plain];
  return executable(tree, path, who);
}

function executable(tree: FileTree, path: string, who: Credentials): Program | undefined {
  const node = tree.find(path, who);
  if (!node) return undefined;
  if (node.is !== "file" || (node.mode & 0o111) === 0) throw new FileError("EACCES");
  const name = baseName(path);
  if (node.data === "" && name in PROGRAMS) return PROGRAMS[name];
  return scriptProgram(path, node.data);
}
