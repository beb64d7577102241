/** The contract of backends, kept by real Kubernetes in real containers. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it, vi } from "vitest";
import type { ClusterBackend } from "../../../src/backends/backend.js";
import { createKindBackend } from "../../../src/backends/kind/kind-backend.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { createTokenWebhooks } from "../../../src/main/token-webhooks.js";
import { backendContract } from "../contract.js";
import { whyNoKind } from "./live.js";

/** Real kubelets keep real time, on machines that have more to do. */
vi.setConfig({ testTimeout: 20 * 60_000, hookTimeout: 10 * 60_000 });

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const why = await whyNoKind();
if (why === undefined) {
  backendContract({
    name: "kind",
    create: async () => {
      const dir = await mkdtemp(join(tmpdir(), "eksim-kind-"));
      const clock = createClock({ kind: "real" }, { seed: 1 });
      const settings = new Map<string, string>();
      const make = () => {
        const webhooks = createTokenWebhooks({
          settings: { get: (name) => settings.get(name), put: (name, value) => void settings.set(name, value) },
          clock,
          host: "127.0.0.1",
          log,
          authenticate: () => ({ error: "nobody" }),
          authorize: () => ({ decision: "no-opinion", reason: "" }),
        });
        const backend: ClusterBackend = createKindBackend({
          clock,
          log,
          dir,
          provider: "docker",
          environment: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" },
          nodeImages: new Map(),
          parallel: 1,
          webhookFiles: webhooks.filesForContainers,
        });
        const close = async (): Promise<void> => {
          await backend.close();
          await webhooks.close();
        };
        return { backend, close };
      };
      let current = make();
      return {
        backend: current.backend,
        pass: (ms) => clock.sleep(ms),
        // Machines take longer to come up where there is more to do.
        patience: 6,
        restarted: async () => {
          await current.close();
          current = make();
          return current.backend;
        },
        close: async () => {
          // A test that failed in the middle leaves no containers behind.
          for (const id of await current.backend.inventory()) await current.backend.deleteCluster(id);
          await current.close();
          clock.stop();
          const left = (await readdir(dir)).filter((name) => name !== "owner");
          await rm(dir, { recursive: true });
          if (left.length > 0) throw new Error(`files are left of clusters: ${left.join(", ")}`);
        },
      };
    },
    skip: [
      {
        reason: "a kubelet alone says whether its pods are ready",
        tests: ["lets chosen pods crash again and again, and others be unready, until it is told otherwise"],
      },
      {
        reason: "whole registries can be cut off, but not single images",
        tests: ["pulls no images that their registry does not give, and starts what is there already"],
      },
      {
        reason: "real API servers tell of those APIs alone that somebody has asked for",
        tests: ["knows which APIs coming versions do not serve any more, whether or not somebody asks for them"],
      },
      {
        reason: "API servers in containers do not reach a webhook at this machine's own 127.0.0.1",
        tests: ["reaches no webhook during an outage, which is for its failure policy to judge"],
      },
    ],
  });
} else {
  it.skip(`the kind backend keeps the contract of backends (${why})`, () => {});
}
