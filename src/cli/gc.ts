/** `eksim gc`: finds what is left of clusters and machines that nobody knows any more, and removes it when told to. */
import { call, targetOf } from "./client.js";
import { renderTable } from "./table.js";

interface Orphan {
  kind: "cluster" | "machine" | "foreign";
  name: string;
  cluster?: string;
  why: string;
  removed: boolean;
}

export async function collectGarbage(options: { endpoint?: string; region?: string; yes?: boolean }): Promise<void> {
  const method = options.yes ? "DELETE" : "GET";
  const { orphans } = await call<{ orphans: Orphan[] }>(targetOf(options), method, "garbage");
  if (orphans.length === 0) {
    console.log("nothing is left over");
    return;
  }
  const states = orphans.map(({ kind, removed }) => (removed ? "removed" : kind === "foreign" ? "not ours" : "found"));
  console.log(
    renderTable(
      ["", "WHAT", "NAME", "WHY"],
      orphans.map(({ kind, name, cluster, why }, index) => [
        states[index] ?? "",
        kind === "machine" ? `machine of ${cluster}` : "cluster",
        name,
        why,
      ]),
    ),
  );
  if (states.includes("found")) console.log("\nNothing was removed; eksim gc --yes removes what is marked found.");
}
