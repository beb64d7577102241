import type { AddressInfo } from "node:net";
import { EKSClient } from "@aws-sdk/client-eks";
import type { FastifyInstance } from "fastify";
import { buildGateway, type GatewayDependencies } from "../../src/api/gateway.js";
import type { SteppedClock } from "../../src/clock/clock.js";
import { createClock } from "../../src/clock/create-clock.js";
import type { ClusterRecord, NodegroupRecord } from "../../src/domain/model.js";
import { openState } from "../../src/state/sqlite.js";
import type { State } from "../../src/state/state.js";
import { checkedOperations } from "./checked-answers.js";

/** The gateway on a port of its own with state in memory, time that stands still, and no reconcilers: tests play their part. */
export interface Rig {
  app: FastifyInstance;
  url: string;
  client: EKSClient;
  state: State;
  clock: SteppedClock;
  nudges: [string, string][];
  logged: unknown[];
  /** What a reconciler would do to make the cluster ACTIVE. */
  activate(name: string, changes?: Partial<ClusterRecord>): ClusterRecord;
  activateNodegroup(cluster: string, name: string, changes?: Partial<NodegroupRecord>): NodegroupRecord;
  /** Marks the update of the cluster, or of the node group, as done and puts its plan's values in place. */
  finishUpdate(cluster: string, nodegroup?: string): void;
  client2(accessKeyId: string, region?: string): EKSClient;
  /** A raw request, signed as far as anyone looks. */
  raw(method: string, path: string, options?: { body?: string; headers?: Record<string, string> }): Promise<Raw>;
  close(): Promise<void>;
}

export interface Raw {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

export const SCOPE = { accountId: "000000000000", region: "us-east-1" };
export const NOW = Date.parse("2026-11-22T09:00:00.250Z");
export const AUTHORIZATION =
  "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/eks/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";

export async function startRig(
  config: Partial<GatewayDependencies["config"]> = {},
  more: Partial<GatewayDependencies> = {},
): Promise<Rig> {
  const state = openState({ file: ":memory:" });
  const clock = createClock({ kind: "stepped" }, { startMs: NOW });
  const nudges: [string, string][] = [];
  const logged: unknown[] = [];
  const app = buildGateway({
    state,
    clock,
    config: { strict: false, defaultVersion: "1.36", backend: "embedded", ...config },
    nudge: (kind, key) => nudges.push([kind, key]),
    log: { error: (fields) => logged.push(fields) },
    // Answers that do not fit their shapes fail the test that asked.
    operations: checkedOperations(),
    ...more,
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const clients: EKSClient[] = [];
  const client2 = (accessKeyId: string, region = "us-east-1"): EKSClient => {
    const client = new EKSClient({
      endpoint: url,
      region,
      credentials: { accessKeyId, secretAccessKey: "test" },
      maxAttempts: 1,
    });
    clients.push(client);
    return client;
  };
  const activate: Rig["activate"] = (name, changes = {}) => {
    const cluster = state.clusters.get({ ...SCOPE, name });
    if (!cluster) throw new Error(`no cluster ${name}`);
    const active = { ...cluster, status: "ACTIVE" as const, endpoint: "https://127.0.0.1:7001", ...changes };
    state.clusters.put({ certificateAuthorityPem: "-----BEGIN CERTIFICATE-----", ...active });
    return active;
  };
  const activateNodegroup: Rig["activateNodegroup"] = (clusterName, name, changes = {}) => {
    const nodegroup = state.nodegroups.get({ ...SCOPE, name: clusterName }, name);
    if (!nodegroup) throw new Error(`no node group ${name}`);
    const active = { ...nodegroup, status: "ACTIVE" as const, ...changes };
    state.nodegroups.put(active);
    return active;
  };
  return {
    app,
    url,
    client: client2("test"),
    state,
    clock,
    nudges,
    logged,
    activate,
    activateNodegroup,
    client2,
    finishUpdate(clusterName, nodegroupName) {
      const cluster = state.clusters.get({ ...SCOPE, name: clusterName });
      const update = cluster && state.updates.inProgress(cluster.id, nodegroupName);
      if (!cluster || !update) throw new Error("no update in progress");
      state.updates.put({ ...update, status: "Successful", finishedAtMs: clock.now() });
      const { kind: _, changes, ...values } = update.plan as Record<string, object>;
      const next = changes ?? values;
      if (nodegroupName === undefined) activate(clusterName, next);
      else activateNodegroup(clusterName, nodegroupName, next);
    },
    async raw(method, path, { body, headers = {} } = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: AUTHORIZATION, ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: text === "" ? {} : JSON.parse(text) };
    },
    async close() {
      for (const client of clients) client.destroy();
      await app.close();
      state.close();
    },
  };
}

export const CLUSTER = {
  name: "demo",
  roleArn: "arn:aws:iam::000000000000:role/eks",
  resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
};
export const NODEGROUP = {
  clusterName: "demo",
  nodegroupName: "workers",
  nodeRole: "arn:aws:iam::000000000000:role/node",
  subnets: ["subnet-a", "subnet-b"],
};

/** Name, message and context of the refusal; fails when there is none. */
export async function refusal(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await work.then(
    () => undefined,
    (reason: Error & { $metadata?: { httpStatusCode: number } }) => reason,
  );
  if (!error) throw new Error("expected a refusal, got an answer");
  const { clusterName, nodegroupName, fargateProfileName } = error as unknown as Record<string, unknown>;
  return {
    name: error.name,
    message: error.message,
    status: error.$metadata?.httpStatusCode,
    ...(clusterName === undefined ? {} : { clusterName }),
    ...(nodegroupName === undefined ? {} : { nodegroupName }),
    ...(fargateProfileName === undefined ? {} : { fargateProfileName }),
  };
}
