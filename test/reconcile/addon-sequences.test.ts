import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { CLUSTER, NODEGROUP } from "../api/gateway-rig.js";

type Step = (eksim: Eksim) => Promise<unknown>;

const NAMES = ["coredns", "metrics-server", "eks-pod-identity-agent"];
const VERSIONS: Record<string, string[]> = {
  coredns: ["v1.14.6-eksbuild.4", "v1.14.3-eksbuild.11"],
  "metrics-server": ["v0.9.0-eksbuild.11", "v0.8.0-eksbuild.1"],
  "eks-pod-identity-agent": ["v1.4.0-eksbuild.2", "v1.3.5-eksbuild.2"],
};
const COREDNS = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";

/** Refusals are fine, failures of the service are not. */
async function call(eksim: Eksim, method: string, path: string, body?: object): Promise<void> {
  const response = await eksim.eks(method, `/clusters/demo/addons${path}`, body).catch((error: Error) => error);
  if (response instanceof Error) expect(response).toMatchObject({ status: expect.toSatisfy((status) => status < 500) });
}

const name = fc.constantFrom(...NAMES);
const mode = fc.constantFrom("NONE", "OVERWRITE", "PRESERVE");
const values = fc.constantFrom(undefined, "{}", "tolerations: []", "nodeSelector: {disk: none}", "nonsense: 1");

const steps: fc.Arbitrary<[string, Step]> = fc.oneof(
  fc
    .tuple(name, mode, values)
    .map(([addonName, resolveConflicts, configurationValues]): [string, Step] => [
      `create ${addonName} ${resolveConflicts} ${configurationValues}`,
      (eksim) => call(eksim, "POST", "", { addonName, resolveConflicts, configurationValues }),
    ]),
  fc
    .tuple(name, fc.nat(1), mode, values)
    .map(([addonName, which, resolveConflicts, configurationValues]): [string, Step] => [
      `update ${addonName} ${which} ${resolveConflicts} ${configurationValues}`,
      (eksim) =>
        call(eksim, "POST", `/${addonName}/update`, {
          addonVersion: VERSIONS[addonName]?.[which],
          resolveConflicts,
          configurationValues,
        }),
    ]),
  fc
    .tuple(name, fc.boolean())
    .map(([addonName, preserve]): [string, Step] => [
      `delete ${addonName} ${preserve}`,
      (eksim) => call(eksim, "DELETE", `/${addonName}?preserve=${preserve}`),
    ]),
  fc
    .constantFrom("1s", "20s", "90s")
    .map((time): [string, Step] => [`advance ${time}`, (eksim) => eksim.advance(time)]),
  fc.constant<[string, Step]>([
    "somebody deletes CoreDNS",
    (eksim) => eksim.kubernetes("demo", "DELETE", COREDNS).catch(() => undefined),
  ]),
);

const AT_REST = ["ACTIVE", "DEGRADED", "CREATE_FAILED", "UPDATE_FAILED"];

describe("whatever is asked of add-ons, in whatever order", () => {
  it("none gets stuck, none fails inside, and all can be deleted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 3, maxLength: 14 }), fc.boolean(), async (sequence, withNodes) => {
        const eksim = await startEksim({ clockStart: "2026-11-22T09:00:00Z", seed: 1 });
        try {
          await eksim.eks("POST", "/clusters", CLUSTER);
          await eksim.idle();
          const { clusterName: _, ...nodegroup } = NODEGROUP;
          if (withNodes) await eksim.eks("POST", "/clusters/demo/node-groups", nodegroup);
          await eksim.advance("30s");
          for (const [, step] of sequence) await step(eksim);
          await eksim.advance("3m");
          const { addons } = await eksim.eks<{ addons: string[] }>("GET", "/clusters/demo/addons");
          for (const addon of addons) {
            const found = await eksim.eks<{ addon: { status: string } }>("GET", `/clusters/demo/addons/${addon}`);
            expect(AT_REST).toContain(found.addon.status);
            await eksim.eks("DELETE", `/clusters/demo/addons/${addon}`);
          }
          await eksim.advance("1m");
          expect(await eksim.eks("GET", "/clusters/demo/addons")).toEqual({ addons: [] });
        } finally {
          await eksim.stop();
        }
      }),
      { numRuns: 12, seed: 7 },
    );
  });
});
