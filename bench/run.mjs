// `npm run bench [name...]`: prints every figure beside its limit and a baseline measured in the same run. Machines differ and are noisy: compare ratios and CPU time.
import { readdirSync } from "node:fs";
import { renderTable } from "../dist/cli/table.js";

const names = readdirSync(new URL("./figures", import.meta.url)).map((file) => file.replace(".mjs", ""));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no figure called ${unknown.join(", ")}; there are ${names.join(", ")}`);
  process.exit(2);
}

const rows = [];
let missed = 0;
for (const name of wanted.length > 0 ? wanted : names) {
  process.stderr.write(`measuring ${name} ...\n`);
  const { figures } = await import(`./figures/${name}.mjs`);
  for (const { figure, value, unit, baseline = "", limit } of await figures()) {
    const ok = limit === undefined || value <= limit;
    if (!ok) missed++;
    const show = (number) => (Number.isInteger(number) ? String(number) : number.toFixed(number < 10 ? 2 : 1));
    rows.push([
      figure,
      `${show(value)} ${unit}`,
      limit === undefined ? "" : `<= ${limit} ${unit}`,
      baseline,
      ok ? "" : "MISSED",
    ]);
  }
}
console.log(renderTable(["FIGURE", "MEASURED", "LIMIT", "BASELINE (same run)", ""], rows));
process.exitCode = missed > 0 ? 1 : 0;
