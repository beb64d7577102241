/** Drills of the tests: a small shop, read from YAML and run in a real emulator on a stepped clock. */
import { operationNames } from "../../../src/api/model/operation-names.js";
import type { Drill } from "../../../src/faults/drills/drill.js";
import { readDrill } from "../../../src/faults/drills/format/read-drill.js";
import type { DrillResult } from "../../../src/faults/drills/result.js";
import { type RunOptions, runDrill } from "../../../src/faults/drills/run-drill.js";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

/** Where the clocks of drills start. */
export const CLOCK_START = "2026-10-01T00:00:00Z";

const SHOP = `
apiVersion: eksim.dev/v1
kind: Drill
metadata: { name: small }
setup:
  clusters:
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
                topologySpreadConstraints:
                  - maxSkew: 1
                    topologyKey: topology.kubernetes.io/zone
                    whenUnsatisfiable: ScheduleAnyway
                    labelSelector: { matchLabels: { app: web } }
                containers: [{ name: web, image: nginx, ports: [{ containerPort: 80 }] }]
        - apiVersion: v1
          kind: Service
          metadata: { name: web }
          spec: { selector: { app: web }, ports: [{ port: 80 }] }
`;

/** The small shop with more top-level members. */
export const shopDrill = (rest: string): Drill =>
  readDrill(`${SHOP}${rest}`, {
    file: "small.yaml",
    operationsOf: operationNames,
    readFile: (path) => {
      throw new Error(`nobody has ${path}`);
    },
  });

/** Runs it in an emulator that goes on, so that what is left of it can be looked at. The caller stops the emulator. */
export async function play(drill: Drill, options: RunOptions = {}): Promise<{ result: DrillResult; eksim: Eksim }> {
  const eksim = await startEksim({ seed: 1, clockStart: CLOCK_START, profile: drill.options.profile });
  try {
    return { eksim, result: await runDrill(drill, await eksim.drillTarget(), options) };
  } catch (error) {
    await eksim.stop();
    throw error;
  }
}

export const checkNamed = (result: DrillResult, title: string): DrillResult["checks"][number] => {
  const found = result.checks.find((check) => check.title === title);
  if (!found) throw new Error(`no check ${title}: ${result.checks.map((check) => check.title).join(", ")}`);
  return found;
};
