/**
 * The admission webhook in agnhost, an example that Kubernetes' own tests deploy behind a Service: it refuses and changes objects that carry certain names,
 * labels and data.
 */
import type { Work } from "../../machine/kernel.js";
import { listen } from "../../machine/listeners.js";
import type { HttpRequest, HttpResponse } from "../../machine/network.js";
import type { ProgramContext } from "../../machine/program.js";

interface Reviewed {
  metadata?: { name?: string; labels?: Record<string, string> };
  data?: Record<string, string>;
  spec?: { containers?: { name: string }[]; initContainers?: { name: string }[] };
  stdin?: boolean;
  container?: string;
}

interface Request {
  uid: string;
  name?: string;
  operation: string;
  subResource?: string;
  object: Reviewed | null;
  oldObject: Reviewed | null;
}

interface Verdict {
  allowed: boolean;
  status?: { message?: string; reason?: string; code?: number };
  patch?: object[];
  /** How long the answer takes. */
  delayMs?: number;
}

const MARK = "webhook-e2e-test";
const DISALLOWED = "webhook-disallow";
const DELAY_MS = 5_000;
const DEFAULT_PORT = 443;

const YES: Verdict = { allowed: true };
const no = (message: string): Verdict => ({ allowed: false, status: { message } });

function admitPod({ object }: Request): Verdict {
  const label = object?.metadata?.labels?.[MARK];
  if (label === "wait-forever") return { allowed: false, delayMs: Number.POSITIVE_INFINITY };
  const complaints = [
    ...(label === DISALLOWED ? ["the pod contains unwanted label;"] : []),
    ...(object?.spec?.containers ?? [])
      .filter(({ name }) => name.includes(DISALLOWED))
      .map(() => "the pod contains unwanted container name;"),
  ];
  return complaints.length > 0 ? no(complaints.join(" ")) : YES;
}

function admitAttachment({ name, subResource, object }: Request): Verdict {
  if (name !== "to-be-attached-pod") return YES;
  if (subResource !== "attach") return no(`expect subresource to be attach, got ${subResource ?? ""}`);
  return object?.stdin && object.container === "container1"
    ? no("attaching to pod 'to-be-attached-pod' is not allowed")
    : YES;
}

const has = (containers: readonly { name: string }[] | undefined, wanted: string): boolean =>
  containers?.some(({ name }) => name === wanted) ?? false;

function changePod({ object }: Request): Verdict {
  const name = "webhook-added-init-container";
  if (object?.metadata?.name !== "webhook-to-be-mutated" || has(object.spec?.initContainers, name)) return YES;
  const value = [{ image: "webhook-added-image", name, resources: {} }];
  return { allowed: true, patch: [{ op: "add", path: "/spec/initContainers", value }] };
}

const addSidecar =
  (image: string) =>
  ({ object }: Request): Verdict => {
    const name = "webhook-added-sidecar";
    if (image === "")
      return {
        allowed: false,
        status: { message: "No image specified by the sidecar-image parameter", code: 500 },
      };
    if (has(object?.spec?.containers, name)) return YES;
    return {
      allowed: true,
      patch: [{ op: "add", path: "/spec/containers/-", value: { image, name, resources: {} } }],
    };
  };

const admitData =
  (unwanted: string, undeletable: string) =>
  ({ operation, object, oldObject }: Request): Verdict => {
    const mark = (operation === "DELETE" ? oldObject : object)?.data?.[MARK];
    if (mark === DISALLOWED && operation !== "DELETE") return { allowed: false, status: { reason: unwanted } };
    if (mark === "webhook-nondeletable" && operation === "DELETE")
      return { allowed: false, status: { reason: undeletable } };
    return YES;
  };

/** One stage after the other: the first webhook marks that it has been there, the second that it has seen the mark. */
function changeData({ object }: Request): Verdict {
  const add = (stage: number): Verdict => ({
    allowed: true,
    patch: [{ op: "add", path: `/data/mutation-stage-${stage}`, value: "yes" }],
  });
  if (object?.data?.["mutation-stage-1"] === "yes") return add(2);
  return object?.data?.["mutation-start"] === "yes" ? add(1) : YES;
}

function addLabel({ object }: Request): Verdict {
  const labels = object?.metadata?.labels ?? {};
  if (labels["added-label"] === "yes") return YES;
  const path = "/metadata/labels";
  const first = Object.keys(labels).length === 0;
  const patch = first
    ? { op: "add", path, value: { "added-label": "yes" } }
    : { op: "add", path: `${path}/added-label`, value: "yes" };
  return { allowed: true, patch: [patch] };
}

const UNDELETABLE = "cannot be deleted because it contains unwanted key and value";

const handlersFor = (sidecarImage: string): Readonly<Record<string, (request: Request) => Verdict>> => ({
  "/always-allow-delay-5s": () => ({
    ...YES,
    status: { message: "this webhook allows all requests" },
    delayMs: DELAY_MS,
  }),
  "/always-deny": () => no("this webhook denies all requests"),
  "/add-label": addLabel,
  "/pods": admitPod,
  "/pods/attach": admitAttachment,
  "/mutating-pods": changePod,
  "/mutating-pods-sidecar": addSidecar(sidecarImage),
  "/configmaps": admitData("the configmap contains unwanted key and value", `the configmap ${UNDELETABLE}`),
  "/mutating-configmaps": changeData,
  "/custom-resource": admitData("the custom resource contains unwanted data", `the custom resource ${UNDELETABLE}`),
  "/mutating-custom-resource": changeData,
  "/crd": ({ object }) =>
    object?.metadata?.labels?.[MARK] === DISALLOWED ? no("the crd contains unwanted label") : YES,
});

function answerWith(handlers: ReturnType<typeof handlersFor>): (request: HttpRequest) => HttpResponse {
  return ({ path, body }) => {
    const where = path.replace(/\?.*$/s, "");
    if (where === "/readyz") return { status: 200, body: "ok" };
    const handler = handlers[where];
    if (!handler) return { status: 404, body: "404 page not found\n" };
    let review: { apiVersion: string; kind: string; request: Request };
    try {
      review = JSON.parse(Buffer.from(body, "latin1").toString("utf8")) as typeof review;
    } catch (error) {
      return {
        status: 400,
        body: `Request could not be decoded: ${error instanceof Error ? error.message : String(error)}\n`,
      };
    }
    const { patch, delayMs, ...verdict } = handler(review.request);
    const encoded = patch && {
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
    };
    const response = { uid: review.request.uid, ...verdict, ...encoded };
    const text = JSON.stringify({ apiVersion: review.apiVersion, kind: review.kind, response });
    return {
      status: 200,
      headers: { "content-type": "application/json" },
      body: Buffer.from(text).toString("latin1"),
      ...(delayMs === undefined ? {} : { delayMs }),
    };
  };
}

export function* admissionWebhook(context: ProgramContext, args: readonly string[]): Work<number> {
  const { system, process } = context;
  // Flags that take no value (`--alsologtostderr`, `-v=4`) do not matter here.
  const given = new Map(
    args.flatMap((arg) => [...arg.matchAll(/^--([\w-]+)=(.*)$/gs)].map(([, name = "", value = ""]) => [name, value])),
  );
  const file = (name: string): string => system.tree.read(given.get(name) ?? "", context.who);
  const tls = { cert: file("tls-cert-file"), key: file("tls-private-key-file") };
  const http = answerWith(handlersFor(given.get("sidecar-image") ?? ""));
  listen(system, Number(given.get("port") ?? DEFAULT_PORT), { protocol: "TCP", http, tls });
  process.handlers.set("TERM", "handle");
  while (process.pending.length === 0) yield { ready: () => process.pending.length > 0, interruptible: true };
  return 0;
}
