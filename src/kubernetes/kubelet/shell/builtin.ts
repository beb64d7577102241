import type { Work } from "../machine/kernel.js";
import { discard } from "../machine/streams.js";
import type { Shell } from "./shell.js";
import type { Handles } from "./state.js";

/** What the builtins share. */

/** The commands that are part of the shell. */
export type Builtin = (shell: Shell, argv: readonly string[], handles: Handles) => Work<number>;

export const out = (handles: Handles) => handles.get(1)?.output ?? discard;

export const numeric = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text);

export const quoted = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;
