/** What a cluster answers to tables of requests, in the form in which it is recorded and compared. */
import { type Json, normal } from "./compare.js";
import { EXTENSION_REQUESTS } from "./requests-extensions.js";
import { KIND_REQUESTS } from "./requests-kinds.js";
import { OBJECT_REQUESTS } from "./requests-objects.js";
import { NAMESPACE, type Step } from "./step.js";
import type { Subject } from "./subject.js";

const TABLES: Readonly<Record<string, readonly Step[]>> = {
  objects: OBJECT_REQUESTS,
  kinds: KIND_REQUESTS,
  extensions: EXTENSION_REQUESTS,
};

/** How often one looks for something before it is called missing. */
const MOST_LOOKS = 120;
/** Pauses that a step without a path stands for: controllers and caches see what is new. */
const PAUSES = 4;

/** Answers by table and by what the request does. */
export type Answers = Record<string, Record<string, Json>>;

/** What is the server's own business, or in another order at every call. */
function settled(code: number, body: unknown): Json {
  if (typeof body !== "object" || body === null) return normal(body);
  const { status, details, ...rest } = body as { status?: unknown; details?: { causes?: { field?: string }[] } };
  const causes =
    details?.causes && [...details.causes].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return normal({
    ...rest,
    ...(details ? { details: causes ? { ...details, causes } : details } : {}),
    // The status of what was accepted changes while one looks.
    ...(code < 300 && typeof status === "object" ? {} : { status }),
  });
}

async function appear(subject: Subject, path: string): Promise<void> {
  for (let i = 0; i < MOST_LOOKS; i++) {
    if ((await subject.ask(path)).code === 200) return;
    await subject.pause();
  }
  throw new Error(`${path} did not appear`);
}

async function withNamespace<T>(subject: Subject, work: () => Promise<T>): Promise<T> {
  const path = `/api/v1/namespaces/${NAMESPACE}`;
  const remove = async (): Promise<void> => {
    await subject.ask(path, { method: "DELETE" });
    for (let i = 0; i < MOST_LOOKS && (await subject.ask(path)).code !== 404; i++) await subject.pause();
  };
  await remove();
  await subject.ask("/api/v1/namespaces", { method: "POST", body: { metadata: { name: NAMESPACE } } });
  await appear(subject, `${path}/configmaps/kube-root-ca.crt`);
  await appear(subject, `${path}/serviceaccounts/default`);
  try {
    return await work();
  } finally {
    await remove();
  }
}

export async function answersOf(subject: Subject): Promise<Answers> {
  const answers: Answers = {};
  for (const [table, steps] of Object.entries(TABLES)) {
    const given: Record<string, Json> = {};
    await withNamespace(subject, async () => {
      for (const { does, path, ...ask } of steps) {
        if (!path) {
          for (let i = 0; i < PAUSES; i++) await subject.pause();
          continue;
        }
        const { code, body, warning } = await subject.ask(path, ask);
        given[does] = { code, ...(warning ? { warning: normal(warning) } : {}), body: settled(code, body) };
      }
    });
    answers[table] = given;
  }
  return answers;
}
