/** Takes down what a cluster serves and what becomes of a set of manifests in it. */
import { expect } from "vitest";
import { type Json, normal } from "./compare.js";
import { OUTCOMES, STEPS } from "./manifests.js";
import { NAMESPACE } from "./step.js";
import type { Subject } from "./subject.js";

/** Groups that come with add-ons of one sort of cluster, and not with Kubernetes. */
const ADDITIONAL = /\.k8s\.aws$|\.amazonaws\.com$|^metrics\.k8s\.io$/;

interface Resource {
  name: string;
  namespaced: boolean;
  verbs: string[];
}

export interface Snapshot {
  readonly [section: string]: Json;
}

async function read<T>(subject: Subject, path: string, accept = "application/json"): Promise<T> {
  const { code, body } = await subject.ask(path, { headers: { accept } });
  expect(code, `GET ${path}: ${JSON.stringify(body).slice(0, 500)}`).toBe(200);
  return body as T;
}

/** Resources by the path of their group version. */
async function resourcesOf(subject: Subject): Promise<Map<string, Resource[]>> {
  const { groups } = await read<{ groups: { name: string; versions: { groupVersion: string }[] }[] }>(subject, "/apis");
  const paths = groups
    .filter(({ name }) => !ADDITIONAL.test(name))
    .flatMap(({ versions }) => versions.map(({ groupVersion }) => `/apis/${groupVersion}`));
  const result = new Map<string, Resource[]>();
  for (const path of ["/api/v1", ...paths])
    result.set(path, (await read<{ resources: Resource[] }>(subject, path)).resources);
  return result;
}

function discovery(resources: ReadonlyMap<string, readonly Resource[]>): Json {
  const entries = [...resources].map(([path, list]) => {
    const sorted = list.map((resource) => [resource.name, { ...resource, verbs: [...resource.verbs].sort() }]);
    return [path, normal(Object.fromEntries(sorted))];
  });
  return Object.fromEntries(entries);
}

/** Schemas and operations without their prose. */
function withoutProse(value: unknown): Json {
  if (Array.isArray(value)) return value.map(withoutProse);
  if (typeof value !== "object" || value === null) return value as Json;
  const result: Record<string, Json> = {};
  for (const [key, field] of Object.entries(value))
    if (key !== "info" && !(key === "description" && typeof field === "string")) result[key] = withoutProse(field);
  return result;
}

async function openApi(subject: Subject): Promise<Json> {
  const { paths } = await read<{ paths: Record<string, { serverRelativeURL: string }> }>(subject, "/openapi/v3");
  const result: Record<string, Json> = {};
  for (const [name, { serverRelativeURL }] of Object.entries(paths))
    if (!ADDITIONAL.test(name.split("/")[1] ?? ""))
      result[name] = withoutProse(await read<unknown>(subject, serverRelativeURL));
  return result;
}

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";

async function tableColumns(subject: Subject, resources: ReadonlyMap<string, readonly Resource[]>): Promise<Json> {
  const result: Record<string, Json> = {};
  for (const [path, list] of resources)
    for (const { name, verbs } of list)
      if (verbs.includes("list") && !name.includes("/")) {
        const url = `${path}/${name}?limit=1`;
        const { columnDefinitions } = await read<{ columnDefinitions: Json }>(subject, url, TABLE);
        result[`${path}/${name}`] = columnDefinitions;
      }
  return result;
}

interface Item {
  metadata: { name: string };
  status?: { replicas?: number; readyReplicas?: number; currentHealthy?: number; used?: Record<string, string> };
}

/** How often one looks whether all is at rest before it is called a failure. */
const MOST_LOOKS = 120;

async function comeToRest(subject: Subject): Promise<void> {
  const objects = async (path: string) => (await read<{ items: Item[] }>(subject, path)).items;
  const ready = async (kind: string, count: number) =>
    (await objects(`/apis/apps/v1/namespaces/${NAMESPACE}/${kind}`)).some(
      ({ status }) => status?.readyReplicas === count,
    );
  const protectedPods = async () =>
    (await objects(`/apis/policy/v1/namespaces/${NAMESPACE}/poddisruptionbudgets`))[0]?.status?.currentHealthy === 3;
  const counted = async () =>
    (await objects(`/api/v1/namespaces/${NAMESPACE}/resourcequotas`))[0]?.status?.used?.pods === "4";
  for (let i = 0; i < MOST_LOOKS; i++) {
    if (
      (await ready("deployments", 3)) &&
      (await ready("statefulsets", 1)) &&
      (await protectedPods()) &&
      (await counted())
    )
      return;
    await subject.pause();
  }
  throw new Error(`the workloads were not ready after ${MOST_LOOKS} looks`);
}

async function remove(subject: Subject): Promise<void> {
  const path = `/api/v1/namespaces/${NAMESPACE}`;
  await subject.ask(path, { method: "DELETE" });
  for (let i = 0; i < MOST_LOOKS; i++) {
    if ((await subject.ask(path)).code === 404) return;
    await subject.pause();
  }
  throw new Error(`namespace ${NAMESPACE} was not gone after ${MOST_LOOKS} looks`);
}

async function ofManifests(subject: Subject): Promise<{ answers: Json; outcome: Json; rows: Json }> {
  await remove(subject);
  const namespace = { metadata: { name: NAMESPACE } };
  expect((await subject.ask("/api/v1/namespaces", { method: "POST", body: namespace })).code).toBe(201);
  for (let i = 0; i < MOST_LOOKS; i++) {
    if ((await subject.ask(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`)).code === 200) break;
    await subject.pause();
  }
  try {
    const answers: Record<string, Json> = {};
    for (const { does, path, ...ask } of STEPS) {
      const { code, body } = await subject.ask(path, ask);
      // The status of what was accepted changes while one looks.
      const settled = code < 300 ? { ...(body as object), status: undefined } : body;
      answers[does] = { code, body: normal(settled) };
    }
    await comeToRest(subject);
    const outcome: Record<string, Json> = {};
    const rows: Record<string, Json> = {};
    for (const path of OUTCOMES) {
      const { items } = await read<{ items: Item[] }>(subject, path);
      const byName = [...items].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
      outcome[path] = Object.fromEntries(byName.map((item, i) => [`${i}`, normal(item)]));
      const table = await read<{ rows: { cells: Json[] }[] }>(subject, path, TABLE);
      // Ages are as long as a cluster takes.
      const cells = table.rows.map((row) =>
        row.cells.map((cell) => String(cell).replace(/^\d+[smhd]\d*[smh]?$/, "<age>")),
      );
      rows[path] = cells.map((row) => normal(row.join(" | "))).sort();
    }
    return { answers, outcome, rows };
  } finally {
    await remove(subject);
  }
}

export async function capture(subject: Subject): Promise<Snapshot> {
  const resources = await resourcesOf(subject);
  const { answers, outcome, rows } = await ofManifests(subject);
  return {
    discovery: discovery(resources),
    openApi: await openApi(subject),
    columns: await tableColumns(subject, resources),
    answers,
    outcome,
    rows,
  };
}
