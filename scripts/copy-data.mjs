// Copies what the compiler leaves behind: JSON tables and static files beside the compiled modules.
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";

const from = fileURLToPath(new URL("../src", import.meta.url));
const to = fileURLToPath(new URL("../dist", import.meta.url));
cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith(".ts") });
