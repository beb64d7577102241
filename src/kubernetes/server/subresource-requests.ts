import { methodNotAllowed, notFound, StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { Binding } from "../registry/binding.js";
import { find, shown, storedEntry } from "../registry/machinery.js";
import { patchObject } from "../registry/patching.js";
import type { Registry } from "../registry/registry.js";
import type { Scale } from "../registry/scale.js";
import { bindPod, evictPod, readScale, replaceScale, TAKEN_OVER } from "../registry/subresources.js";
import { changeObject } from "../registry/update.js";
import type { Expected } from "../wire/decode.js";
import { answerObject } from "./answers.js";
import type { ResourceExchange, ServerDependencies } from "./context.js";
import { writeOptions } from "./options.js";
import { answerPodLog } from "./pod-logs.js";
import {
  appliedDocument,
  callerOf,
  expectedOf,
  intoNamespace,
  named,
  readObject as readBodyObject,
  readPatch,
} from "./request-content.js";
import type { Answer } from "./respond.js";

type Handler = (
  dependencies: ServerDependencies,
  exchange: ResourceExchange,
) => Answer | undefined | Promise<Answer | undefined>;

const keyOfTarget = ({ target }: ResourceExchange) => ({ namespace: target.namespace, name: target.name as string });

function present(registry: Registry, exchange: ResourceExchange): KubeObject {
  const { entry, target } = exchange;
  const object = find(registry, entry, keyOfTarget(exchange));
  if (!object) throw notFound(entry.info.group, entry.info.resource, target.name as string);
  return object;
}

/** The object in the body, which has to be of the namespace and the name in the path. */
async function readObject(exchange: ResourceExchange, expected: Expected) {
  const options = writeOptions(exchange, exchange.info.verb === "create" ? "CreateOptions" : "UpdateOptions");
  const { object, warnings } = await readBodyObject(exchange, options, expected);
  return { object: named(exchange, intoNamespace(exchange, object)), warnings, options };
}

/** `status`, `finalize`, `approval`, `ephemeralcontainers`, `resize`: the body is the object, of which one part is taken over. */
const PART_OF_OBJECT: Readonly<Record<string, Handler>> = {
  get: ({ registry }, exchange) =>
    answerObject(registry, exchange, shown(registry, exchange.entry, present(registry, exchange))),
  async update({ registry }, exchange) {
    const { entry, target } = exchange;
    const takeOver = TAKEN_OVER[target.subresource as string] as NonNullable<(typeof TAKEN_OVER)[string]>;
    const { object, warnings, options } = await readObject(exchange, expectedOf(entry));
    const wanted = entry.conversion ? entry.conversion.toStorage(object) : object;
    const written = await changeObject(registry, callerOf(exchange), {
      entry: storedEntry(registry, entry),
      key: keyOfTarget(exchange),
      options,
      change: (current) => takeOver(current, wanted),
    });
    return answerObject(registry, exchange, written, 200, warnings);
  },
  async patch({ registry }, exchange) {
    const { type, patch, options, warnings } = await readPatch(exchange, expectedOf(exchange.entry));
    const body = type === "apply" ? appliedDocument(exchange, patch) : patch;
    const { object } = await patchObject(
      registry,
      exchange.entry,
      callerOf(exchange),
      keyOfTarget(exchange),
      type,
      body,
      options,
    );
    return answerObject(registry, exchange, object, 200, warnings);
  },
};

const SCALE: Expected = { apiVersion: "autoscaling/v1", kind: "Scale", type: "Scale" };

const SUBRESOURCES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  ...Object.fromEntries(Object.keys(TAKEN_OVER).map((name) => [name, PART_OF_OBJECT])),
  scale: {
    async get({ registry }, exchange) {
      const { definition } = exchange.entry;
      await definition?.prepare([present(registry, exchange)]);
      return { code: 200, body: readScale(registry, exchange.entry, keyOfTarget(exchange)) };
    },
    async update({ registry }, exchange) {
      const { object, options } = await readObject(exchange, SCALE);
      const key = keyOfTarget(exchange);
      return {
        code: 200,
        body: await replaceScale(registry, exchange.entry, callerOf(exchange), key, object as Scale, options),
      };
    },
    async patch({ registry }, exchange) {
      const { type, patch, options, warnings } = await readPatch(exchange, SCALE);
      const { object } = await patchObject(
        registry,
        exchange.entry,
        callerOf(exchange),
        keyOfTarget(exchange),
        type,
        patch,
        options,
      );
      return { code: 200, body: object, warnings };
    },
  },
  binding: {
    async create({ registry }, exchange) {
      const { object, options } = await readObject(exchange, { apiVersion: "v1", kind: "Binding", type: "Binding" });
      await bindPod(registry, callerOf(exchange), object as Binding, options);
      return { code: 201, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } };
    },
  },
  eviction: {
    async create({ registry }, exchange) {
      const { object, options } = await readObject(exchange, { kind: "Eviction", type: "Eviction" });
      return { code: 201, body: await evictPod(registry, callerOf(exchange), object, options) };
    },
  },
  token: {
    async create({ registry, createToken }, exchange) {
      const { object } = await readObject(exchange, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        type: "AuthenticationV1TokenRequest",
      });
      const serviceAccount = present(registry, exchange);
      if (!createToken) throw notServed("token");
      return { code: 201, body: await createToken(serviceAccount, object, exchange.user) };
    },
  },
  log: { get: answerPodLog },
};

/** What exists in Kubernetes and is not served here: said plainly instead of being answered wrongly. */
const notServed = (subresource: string): StatusError =>
  new StatusError(501, "NotImplemented", `the ${subresource} subresource is not implemented by this simulated cluster`);

/** Answers a request for a subresource that discovery lists; undefined when the answer is a stream that has begun. */
export function answerSubresource(
  dependencies: ServerDependencies,
  exchange: ResourceExchange,
): Answer | undefined | Promise<Answer | undefined> {
  const { subresource = "", resource } = exchange.target;
  const listed = exchange.entry.info.subresources.some(({ name }) => name === subresource);
  if (!listed) throw new StatusError(404, "NotFound", "the server could not find the requested resource", {});
  const verbs = Object.hasOwn(SUBRESOURCES, subresource) ? SUBRESOURCES[subresource] : undefined;
  if (!verbs) throw notServed(`${resource}/${subresource}`);
  const handler = verbs[exchange.info.verb];
  if (!handler) throw methodNotAllowed();
  return handler(dependencies, exchange);
}
