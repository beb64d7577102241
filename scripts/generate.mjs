// `npm run generate` writes every generated file; `npm run generate -- --check` fails when one differs from what its source says today.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateEks } from "./generate/eks.mjs";
import { generateKubernetes, sourceIsCached } from "./generate/kubernetes.mjs";
import { generateQuery } from "./generate/query.mjs";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const check = process.argv.includes("--check");
const files = { ...generateEks(), ...(await generateQuery()) };
// The Kubernetes source package is not installed with the project; without its cache a check has nothing to compare with.
if (!check || sourceIsCached()) Object.assign(files, await generateKubernetes());
else console.log("skipped: Kubernetes tables (their source package is not in the cache; run `npm run generate` once)");

let stale = 0;
for (const [path, text] of Object.entries(files)) {
  const target = join(ROOT, path);
  const same = existsSync(target) && readFileSync(target, "utf8") === text;
  if (check) {
    if (!same) console.error(`stale: ${path}; run \`npm run generate\``);
    stale += same ? 0 : 1;
  } else if (!same) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    console.log(`wrote ${path}`);
  }
}
process.exitCode = stale > 0 ? 1 : 0;
