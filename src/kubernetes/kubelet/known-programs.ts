import { endsByItself } from "./entrypoint.js";
import type { ImageProgram } from "./image-programs.js";
import { baseName } from "./machine/files.js";
import { PROGRAMS } from "./programs/index.js";

/** Whether a command line is one that the machine runs: asked for every container, so that the programs themselves are not needed for the answer. */
export function isKnownProgram(argv: readonly string[], image: ImageProgram): boolean {
  const [name = ""] = argv;
  if (image.programs && (name in image.programs || `/${name}` in image.programs)) return true;
  if (endsByItself(argv)) return true;
  if (!name.includes("/")) return name in PROGRAMS;
  return /^\/(?:usr\/)?(?:local\/)?s?bin\/[^/]+$/.test(name) && baseName(name) in PROGRAMS;
}
