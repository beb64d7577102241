import type { Container } from "../schema/generated/types.js";
import { builtinImage, type ImageProgram } from "./image-programs.js";
import { baseName } from "./machine/files.js";
import type { Program } from "./machine/program.js";
import { serve } from "./programs/process-programs.js";

/** What a container's first process is: a program that this machine can run, or one that nobody knows and that is taken for a server. */

/** Commands that end by themselves with success, although nothing is known of what they do. */
const ENDING: ReadonlySet<string> = new Set(
  "aws apk apt apt-get chpasswd docker gcloud git gunzip gzip helm jq kubectl ldconfig make mysql npm openssl pip pip3 psql redis-cli rsync ssh unzip update-ca-certificates yum".split(
    " ",
  ),
);
/** Interpreters end by themselves when their program stands on the command line. */
const ONE_LINER: Readonly<Record<string, RegExp>> = {
  node: /^-[ep]$/,
  perl: /^-\w*e$/,
  python: /^-c$/,
  python3: /^-c$/,
  ruby: /^-e$/,
};

export function endsByItself(argv: readonly string[]): boolean {
  const name = baseName(argv[0] ?? "");
  const flag = ONE_LINER[name];
  return ENDING.has(name) || (flag !== undefined && argv.slice(1).some((arg) => flag.test(arg)));
}

/** Stands in for a program that is not known, in a container's own command. */
export const standIn: Program = function* (context) {
  if (endsByItself(context.argv)) return 0;
  context.system.standIn.isUsed = true;
  return yield* serve(context);
};

/** The command line before `$(NAME)` is expanded; empty when the image's own is not known. */
export function commandOf(container: Container, image: ImageProgram = builtinImage(container.image ?? "")): string[] {
  const { command, args } = container;
  if (command?.length) return [...command, ...(args ?? [])];
  const given = args?.length ? args : (image.cmd ?? []);
  // An image whose entrypoint is not known is mostly one that takes its arguments for a command.
  return [...(image.entrypoint ?? []), ...given];
}
