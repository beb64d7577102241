import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { capture } from "./drift/capture.js";
import { differences } from "./drift/compare.js";
import { LIVE_EXCEPTIONS } from "./drift/exceptions.js";
import { realSubject, type Subject, simulatedSubject } from "./drift/subject.js";

/**
 * Compares a simulated cluster with a real one: discovery, OpenAPI, tables, and what becomes of manifests. The real one is that of the kubeconfig which
 * EKSIM_DRIFT_KUBECONFIG names, such as a fresh kind cluster's; nobody else's is touched. A namespace `drift-test` is made and deleted in it.
 */
const file = process.env.EKSIM_DRIFT_KUBECONFIG;
if (!file)
  console.warn(
    "skipped: no real cluster to compare with; name the kubeconfig of a fresh one in EKSIM_DRIFT_KUBECONFIG",
  );

const MINUTES = 60_000;

describe.skipIf(!file)("a real cluster", () => {
  it("serves and does what a simulated one does", { timeout: 10 * MINUTES }, async (context) => {
    if (!file) return;
    const real = realSubject(readFileSync(file, "utf8"));
    const { subject: simulated } = await simulatedSubject();
    const [theirs, ours] = await Promise.all([minorOf(real), minorOf(simulated)]);
    if (theirs !== ours) {
      console.warn(`skipped: the real cluster is of version 1.${theirs}, and the schemas here are of 1.${ours}`);
      context.skip();
    }
    const names = { expected: "the real cluster", actual: "the simulated one" };
    const expected = await capture(real);
    const actual = await capture(simulated);
    const isExcused = (line: string): boolean => LIVE_EXCEPTIONS.some(([pattern]) => pattern.test(line));
    expect(differences(expected, actual, names).filter((line) => !isExcused(line))).toEqual([]);
  });
});

async function minorOf(subject: Subject): Promise<number> {
  const { body } = await subject.ask("/version");
  return Number.parseInt((body as { minor: string }).minor, 10);
}

describe("the comparison of clusters", () => {
  it("finds nothing between equal clusters, and whatever is different", { timeout: 2 * MINUTES }, async () => {
    const names = { expected: "one", actual: "the other" };
    const first = await capture((await simulatedSubject()).subject);
    const second = await simulatedSubject({ name: "other", serviceCidr: "172.20.0.0/16" });
    const { cluster } = second;
    // Through its kubeconfig, as a real one.
    const subject = { ...realSubject(second.kubeconfig), pause: second.subject.pause };
    expect(differences(first, await capture(subject), names)).toEqual([]);

    // Another default, a resource more, and a server that words a refusal and a column in its own way.
    await cluster.api.create("priorityclasses.scheduling.k8s.io", {
      metadata: { name: "usual" },
      value: 5,
      globalDefault: true,
    } as never);
    await cluster.api.create("customresourcedefinitions.apiextensions.k8s.io", {
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      },
    } as never);
    await subject.pause();
    const altered: Subject = {
      ...subject,
      async ask(path, ask) {
        const { code, body } = await subject.ask(path, ask);
        const text = JSON.stringify(body) ?? "";
        return { code, body: JSON.parse(text.replace("not found", "absent").replace('"Ready"', '"Steady"') || "null") };
      },
    };
    const seen = differences(first, await capture(altered), names);
    const where = (pattern: RegExp) => seen.filter((line) => pattern.test(line));
    expect(where(/^discovery > \/apis\/example.com\/v1: one has nothing, the other \{"widgets"/)).toHaveLength(1);
    expect(where(/^openApi > apis\/example.com\/v1: one has nothing/)).toHaveLength(1);
    expect(where(/^columns > \/api\/v1\/pods > 1 > name: one has "Ready", the other "Steady"$/)).toHaveLength(1);
    expect(where(/^answers > reads what is not there > body > message: .*not found.*absent/)).toHaveLength(1);
    expect(where(/^outcome > .*\/pods > \d > spec > priority: one has 0, the other 5$/)).toHaveLength(4);
    expect(where(/^(?!discovery|openApi|columns|answers|outcome|rows)/)).toEqual([]);
  });
});
