/**
 * A cluster for nobody: opened in an idle moment and closed at once, in memory, on a clock and with secrets of its own. What a process does for the first time
 * costs it more than twice as much as later (code is compiled, tables are read and indexed), and the user's first cluster should not pay for that.
 */
import { createClock } from "../../clock/create-clock.js";
import { DEFAULT_VERSION } from "../../domain/catalogue/index.js";
import type { ClusterSpec } from "../backend.js";
import { closeCluster, openCluster } from "./open-cluster.js";

const SPEC: ClusterSpec = {
  clusterId: "rehearsal",
  name: "rehearsal",
  accountId: "000000000000",
  region: "us-east-1",
  version: DEFAULT_VERSION,
  serviceCidr: "10.100.0.0/16",
  port: 0,
  members: ["us-east-1a", "us-east-1b", "us-east-1c"].map((zone) => ({ id: `rehearsal-${zone}`, zone })),
  oidcIssuer: "https://oidc.eks.us-east-1.amazonaws.com/id/rehearsal",
  bootstrapSelfManagedAddons: true,
};

/** Whatever would be wrong with it is said of the first real cluster. */
const SILENT = { debug: () => {}, warn: () => {}, error: () => {} };

/** Resolves once it is over and nothing is left of it. */
export async function rehearse(): Promise<void> {
  // A running clock gives requests their turn in the middle of it; a stepped one would not.
  const clock = createClock({ kind: "real" });
  const secrets = new Map<string, string>();
  try {
    const held = await openCluster(
      {
        clock,
        log: SILENT,
        // No port is taken: the first one is the first cluster's.
        listens: false,
        host: "127.0.0.1",
        persistenceFor: () => undefined,
        secrets: {
          get: (_clusterId, name) => secrets.get(name),
          put: (_clusterId, name, value) => void secrets.set(name, value),
        },
        accessFor: () => ({ authenticate: () => undefined, authorize: () => ({ decision: "no-opinion", reason: "" }) }),
      },
      SPEC,
      [],
    );
    await clock.settled();
    await closeCluster(held);
  } finally {
    clock.stop();
  }
}
