import { afterEach, describe, expect, it } from "vitest";
import type { AuthorityChoice } from "../../src/backends/backend.js";
import type { CertificateAuthorityRecord } from "../../src/domain/certificate-authority.js";
import { activateAuthority, appendAuthority } from "../../src/domain/eks/certificate-authorities.js";
import type { ClusterRecord } from "../../src/domain/model.js";
import { SCOPE } from "../state/records.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

const DAY_MS = 86_400_000;

const worlds: World[] = [];
function world(changes: Partial<MemoryBackend> = {}): World<MemoryBackend> {
  const made = makeWorld((clock) => ({ ...createMemoryBackend(clock), ...changes }));
  worlds.push(made);
  return made;
}
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.stop();
});

/** A backend whose certificates are the ids of their authorities. */
const changing = {
  setAuthorities: async (_: string, { trusted, signing }: AuthorityChoice) => ({
    bundle: [signing, ...trusted.filter((id) => id !== signing)].join(" "),
    certificates: Object.fromEntries(trusted.map((id) => [id, id])),
  }),
};

const authorities = (w: World, { id }: ClusterRecord): CertificateAuthorityRecord[] =>
  w.state.certificateAuthorities.list(id).sort((a, b) => a.createdAtMs - b.createdAtMs);
const days = (w: World, count: number): Promise<void> => w.clock.advance(count * DAY_MS);

describe("a signer that comes to its end", () => {
  it("is followed by one that EKS appends a year before and activates 90 days before", async () => {
    const w = world(changing);
    const cluster = await w.createCluster();
    await days(w, 3284);
    expect(authorities(w, cluster)).toHaveLength(1);
    await days(w, 2);
    await w.reconcilers.idle();
    const [first, successor] = authorities(w, cluster);
    expect(successor).toMatchObject({ createdBy: "EKS", signingStatus: "NOT_USED", distributionStatus: "COMPLETE" });
    expect(w.cluster()?.certificateAuthorityPem).toBe(`${first?.id} ${successor?.id}`);
    await days(w, 273);
    expect(authorities(w, cluster)[1]?.signingStatus).toBe("NOT_USED");
    await days(w, 2);
    await w.reconcilers.idle();
    expect(authorities(w, cluster)).toMatchObject([
      { id: first?.id, signingStatus: "NOT_USED" },
      { id: successor?.id, signingStatus: "IN_USE", activatedBy: "EKS" },
    ]);
    expect(w.cluster()).toMatchObject({
      status: "ACTIVE",
      activeCertificateAuthority: { id: successor?.id, activatedBy: "EKS" },
    });
  });
});

describe("the way back", () => {
  it("is open for a week after an activation", async () => {
    const w = world(changing);
    const cluster = await w.createCluster();
    const [first] = authorities(w, cluster) as [CertificateAuthorityRecord];
    const nowMs = w.clock.now();
    const retired = { ...first, signingStatus: "NOT_USED" as const };
    const present = [retired, { ...first, id: "ca-2", activatedAtMs: nowMs }];
    expect(activateAuthority(retired, present, nowMs + 7 * DAY_MS).update.plan).toMatchObject({ signing: first.id });
    expect(() => activateAuthority(retired, present, nowMs + 7 * DAY_MS + 1)).toThrow("the period in which");
  });
});

describe("a backend that cannot change authorities", () => {
  it("makes the update fail, which leaves the cluster ACTIVE with the authority it had", async () => {
    const w = world();
    const cluster = await w.createCluster();
    const [first] = authorities(w, cluster);
    const { authority, update } = appendAuthority(cluster, authorities(w, cluster), {
      id: "ca-2",
      by: "CUSTOMER",
      nowMs: w.clock.now(),
    });
    w.state.certificateAuthorities.put(authority);
    const facts = { clusterName: cluster.name, clusterId: cluster.id, createdAtMs: w.clock.now(), errors: [] };
    w.state.updates.put({ ...SCOPE, ...facts, ...update, id: "u", status: "InProgress" });
    w.reconcilers.nudge("cluster", cluster.id);
    await w.reconcilers.idle();
    expect(w.state.updates.get(cluster.id, "u")).toMatchObject({
      status: "Failed",
      errors: [{ errorCode: "OperationNotPermitted", resourceIds: ["ca-2"] }],
    });
    expect(w.state.certificateAuthorities.get(cluster.id, "ca-2")?.distributionStatus).toBe("FAILED");
    expect(w.cluster()).toMatchObject({ status: "ACTIVE", activeCertificateAuthority: { id: first?.id } });
  });
});

describe("a deleted cluster", () => {
  it("leaves neither authorities nor insights behind", async () => {
    const w = world(changing);
    const cluster = await w.createCluster();
    expect(authorities(w, cluster)).toHaveLength(1);
    w.state.clusters.put({ ...cluster, status: "DELETING" });
    w.reconcilers.nudge("cluster", cluster.id);
    await w.reconcilers.idle();
    expect(authorities(w, cluster)).toEqual([]);
    expect(w.state.insightsChecks.list(cluster.id)).toEqual([]);
  });
});
