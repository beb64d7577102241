import type { ClusterBackend } from "../../../src/backends/backend.js";
import { createEmbeddedBackend } from "../../../src/backends/embedded/embedded-backend.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { openState } from "../../../src/state/sqlite.js";
import { backendContract } from "../contract.js";

const log = { debug: () => {}, warn: () => {}, error: () => {} };

backendContract({
  name: "embedded",
  create: async () => {
    const state = openState({ file: ":memory:" });
    const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: Date.UTC(2026, 8, 1) });
    const make = (): ClusterBackend =>
      createEmbeddedBackend({
        clock,
        log,
        host: "127.0.0.1",
        persistenceFor: (clusterId) => state.objects(clusterId),
        secrets: state.secrets,
        accessFor: () => ({
          authenticate: () => undefined,
          authorize: () => ({ decision: "no-opinion", reason: "" }),
        }),
      });
    let backend = make();
    return {
      backend,
      pass: (ms) => clock.advance(ms),
      restarted: async () => {
        await backend.close();
        backend = make();
        return backend;
      },
      close: async () => {
        await backend.close();
        clock.stop();
        state.close();
      },
    };
  },
});
