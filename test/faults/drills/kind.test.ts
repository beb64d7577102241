/** The same drills on simulated and on real Kubernetes. On kind they take minutes: only who asks for it with EKSIM_TEST_KIND=1 has that. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { operationNames } from "../../../src/api/model/operation-names.js";
import type { Drill } from "../../../src/faults/drills/drill.js";
import { readDrill } from "../../../src/faults/drills/format/read-drill.js";
import {
  type Comparison,
  compareKeyEvents,
  comparisonText,
  isSameOrder,
  type KeyEvent,
  keyEvents,
} from "../../../src/faults/drills/report/key-events.js";
import { runDrill } from "../../../src/faults/drills/run-drill.js";
import { type Eksim, type EksimOptions, startEksim } from "../../../src/testkit/index.js";
import { whyNoKind } from "../../backends/kind/live.js";
import { CLOCK_START } from "./play.js";

const why = await whyNoKind();

/** Simulated seconds a second on kind. */
const SPEED = 5;
/** What comes within this time of each other has no order, in milliseconds of simulated time: real machines and their watches take seconds. */
const APART_MS = 60_000;
const LIMIT_MS = 30 * 60_000;

/** Serves on every node without a registry: the image of pods' own pauses. */
const SHOP = `
    - name: shop
      nodegroups:
        - name: workers
          input: { scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 } }
      manifests:
        - apiVersion: apps/v1
          kind: Deployment
          metadata: { name: web }
          spec:
            replicas: 3
            selector: { matchLabels: { app: web } }
            template:
              metadata: { labels: { app: web } }
              spec:
                terminationGracePeriodSeconds: 1
                topologySpreadConstraints:
                  - maxSkew: 1
                    topologyKey: topology.kubernetes.io/zone
                    whenUnsatisfiable: ScheduleAnyway
                    labelSelector: { matchLabels: { app: web } }
                containers: [{ name: web, image: "registry.k8s.io/pause:3.10" }]
`;

const drill = (name: string, clusters: string, rest: string): Drill =>
  readDrill(
    `
apiVersion: eksim.dev/v1
kind: Drill
metadata: { name: ${name} }
options: { profile: aws }
setup:
  clusters:${clusters}
workloads: [{ deployment: web }]
cleanUp: { deleteClusters: false }
steadyState:
  within: 30m
  probes: [{ nodes: { atLeast: 3, spread: 0 } }, { masters: { atLeast: 3 } }]
recovery:
  within: 60m
  probes: [{ nodes: { atLeast: 3, spread: 0 } }, { masters: { atLeast: 3 } }, { rollout: { deployment: web } }]
${rest}`,
    {
      file: `${name}.yaml`,
      operationsOf: operationNames,
      readFile: (path) => {
        throw new Error(`nobody has ${path}`);
      },
    },
  );

/** One after the other on the same cluster. */
const DRILLS = [
  drill(
    "power-loss",
    SHOP,
    `
steps:
  - { fault: zone-power-loss, target: { zone: us-east-1a }, duration: 20m }
  - wait: 34m
expectations:
  - { name: the API answers all the time, always: true, masters: { atLeast: 2 } }
  - { name: two replicas serve all the time, always: true, readyReplicas: { deployment: web, atLeast: 2 } }
  - { name: whole again before the zone is, within: 19m, rollout: { deployment: web } }
`,
  ),
  drill(
    "isolation",
    "\n    - { name: shop, use: true }",
    `
steps:
  - { fault: zone-isolation, target: { zone: us-east-1b }, duration: 10m }
  - wait: 16m
expectations:
  - { name: the API keeps its quorum, always: true, masters: { atLeast: 2 } }
  - { name: two replicas serve all the time, always: true, readyReplicas: { deployment: web, atLeast: 2 } }
  - { name: nobody replaces what runs, never: true, events: [InstanceTerminating] }
  - { name: whole again elsewhere, within: 9m, readyReplicas: { deployment: web, atLeast: 3 } }
`,
  ),
];

/** Takes away what the others leave for one another. */
const LEAVE = drill(
  "leave",
  "\n    - { name: shop, use: true }",
  `
steps:
  - eks: { method: DELETE, path: /clusters/shop/node-groups/workers }
  - { waitUntil: { not: { nodegroup: { name: workers, status: DELETING } } }, within: 2h }
  - eks: { method: DELETE, path: /clusters/shop }
  - { waitUntil: { not: { cluster: { status: DELETING } } }, within: 2h }
`,
);

/** Key events of each drill, by name, with its verdict; goes on to the end whatever comes of one. */
async function playAll(options: EksimOptions): Promise<Map<string, { events: KeyEvent[]; came: string }>> {
  const eksim: Eksim = await startEksim({ seed: 1, profile: "aws", ...options });
  const told = new Map<string, { events: KeyEvent[]; came: string }>();
  try {
    for (const one of DRILLS) {
      const result = await runDrill(one, await eksim.drillTarget());
      told.set(one.name, { events: keyEvents(result), came: result.why ?? result.verdict });
    }
    return told;
  } finally {
    const { steadyState: _none, recovery: _neither, ...rest } = LEAVE;
    await runDrill({ ...rest, workloads: [] }, await eksim.drillTarget());
    await eksim.stop();
  }
}

const passed = DRILLS.map(({ name }) => [name, "passed"]);
const outcomes = (told: Awaited<ReturnType<typeof playAll>>) => [...told].map(([name, { came }]) => [name, came]);

describe("the drills that two backends play", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "eksim-drills-kind-"));
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
  let embedded: ReturnType<typeof playAll> | undefined;
  const onEmbedded = (): ReturnType<typeof playAll> => {
    embedded ??= playAll({ clockStart: CLOCK_START });
    return embedded;
  };

  it("pass on simulated Kubernetes", async () => {
    expect(outcomes(await onEmbedded())).toEqual(passed);
  }, 180_000);

  it.skipIf(why !== undefined)(
    `pass on real Kubernetes too, with the key events in the same order${why === undefined ? "" : ` (${why})`}`,
    async () => {
      const [here, there] = [await onEmbedded(), await playAll({ clock: `scaled:${SPEED}`, backend: "kind", dataDir })];
      const differing: [string, Comparison][] = [];
      for (const { name } of DRILLS) {
        const [one, other] = [here.get(name)?.events ?? [], there.get(name)?.events ?? []];
        const comparison = compareKeyEvents(one, other, { apartMs: APART_MS });
        console.log(`${name}\n${comparisonText(one, other, comparison, ["embedded", "kind"])}`);
        if (!isSameOrder(comparison)) differing.push([name, comparison]);
      }
      expect(outcomes(there)).toEqual(passed);
      expect(differing).toEqual([]);
    },
    LIMIT_MS,
  );
});
