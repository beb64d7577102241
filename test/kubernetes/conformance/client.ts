import { expect } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { connect } from "../cluster-client.js";
import type { Call } from "../https-caller.js";

const MERGE = { "content-type": "application/merge-patch+json" };
const STRATEGIC = { "content-type": "application/strategic-merge-patch+json" };

/** Requests that have to succeed, each followed by all that it sets going at that instant. */
export async function connectSteps(cluster: SimulatedCluster, clock: SteppedClock, caCert: string) {
  const client = await connect(cluster, caCert);
  /** The answer's body, after its code was found to be a success. */
  async function ok(path: string, options: Call = {}) {
    const { code, body, text } = await client.call(path, options);
    expect([path, options.method ?? "GET", code < 300 ? "" : text]).toEqual([path, options.method ?? "GET", ""]);
    await clock.settled();
    return body;
  }
  return {
    client,
    ok,
    post: (path: string, body: unknown) => ok(path, { method: "POST", body }),
    put: (path: string, body: unknown) => ok(path, { method: "PUT", body }),
    merge: (path: string, body: unknown) => ok(path, { method: "PATCH", headers: MERGE, body }),
    strategic: (path: string, body: unknown) => ok(path, { method: "PATCH", headers: STRATEGIC, body }),
    remove: (path: string, body: unknown = {}) => ok(path, { method: "DELETE", body }),
  };
}
