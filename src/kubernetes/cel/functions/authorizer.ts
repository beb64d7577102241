/** Questions to the authorizers of the cluster, for admission policies: `authorizer.group("apps").resource("deployments").check("create").allowed()`. */
import { CelError } from "../scalars.js";
import { Opaque } from "../values.js";
import { define, type Overload } from "./declare.js";

export const AUTHORIZER = "kubernetes.authorization.Authorizer";
const PATH = "kubernetes.authorization.PathCheck";
const GROUP = "kubernetes.authorization.GroupCheck";
export const RESOURCE_CHECK = "kubernetes.authorization.ResourceCheck";
const DECISION = "kubernetes.authorization.Decision";

/** What is asked. */
export interface Question {
  /** For the service account that was asked about instead of the user of the request. */
  serviceAccount?: { namespace: string; name: string };
  verb: string;
  path?: string;
  group?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

/** Answers for one user, the one who made the request. */
export interface Asker {
  ask(question: Question): { allowed: boolean; reason: string };
}

interface Check extends Partial<Question> {
  asker: Asker;
}

export const authorizerValue = (asker: Asker): Opaque<Check> => new Opaque(AUTHORIZER, { asker });

/** A check of the resource that the request itself is about: only its verb is still to be named. */
export const requestResourceValue = (asker: Asker, resource: Omit<Question, "verb" | "path">): Opaque<Check> =>
  new Opaque(RESOURCE_CHECK, { ...resource, asker });

const refine =
  (type: string, field: keyof Question) =>
  ({ content }: Opaque<Check>, value: string): Opaque<Check> =>
    new Opaque(type, { ...content, [field]: value });

function check(
  { content: { asker, ...question } }: Opaque<Check>,
  verb: string,
): Opaque<{ allowed: boolean; reason: string }> {
  return new Opaque(DECISION, asker.ask({ ...question, verb }));
}

type Decision = Opaque<{ allowed: boolean; reason: string }>;

/** What one authorization check costs. */
const ASKING = (): number => 350_000;

export const authorizerFunctions: readonly Overload[] = [
  define("path", `${AUTHORIZER}.(string) -> ${PATH}`, (of: Opaque<Check>, path: string) => {
    if (path === "") throw new CelError("path must not be empty");
    return refine(PATH, "path")(of, path);
  }),
  define("group", `${AUTHORIZER}.(string) -> ${GROUP}`, refine(GROUP, "group")),
  define(
    "serviceAccount",
    `${AUTHORIZER}.(string, string) -> ${AUTHORIZER}`,
    ({ content }: Opaque<Check>, namespace: string, name: string) =>
      new Opaque(AUTHORIZER, { ...content, serviceAccount: { namespace, name } }),
  ),
  define("resource", `${GROUP}.(string) -> ${RESOURCE_CHECK}`, refine(RESOURCE_CHECK, "resource")),
  define("subresource", `${RESOURCE_CHECK}.(string) -> ${RESOURCE_CHECK}`, refine(RESOURCE_CHECK, "subresource")),
  define("namespace", `${RESOURCE_CHECK}.(string) -> ${RESOURCE_CHECK}`, refine(RESOURCE_CHECK, "namespace")),
  define("name", `${RESOURCE_CHECK}.(string) -> ${RESOURCE_CHECK}`, refine(RESOURCE_CHECK, "name")),
  // The authorizers here do not look at selectors, so that these narrow nothing, as for an authorizer that ignores them.
  define("fieldSelector", `${RESOURCE_CHECK}.(string) -> ${RESOURCE_CHECK}`, (of: Opaque<Check>) => of),
  define("labelSelector", `${RESOURCE_CHECK}.(string) -> ${RESOURCE_CHECK}`, (of: Opaque<Check>) => of),
  define("check", `${PATH}.(string) -> ${DECISION}`, check, ASKING),
  define("check", `${RESOURCE_CHECK}.(string) -> ${DECISION}`, check, ASKING),
  define("allowed", `${DECISION}.() -> bool`, ({ content }: Decision) => content.allowed),
  define("reason", `${DECISION}.() -> string`, ({ content }: Decision) => content.reason),
  define("errored", `${DECISION}.() -> bool`, () => false),
  define("error", `${DECISION}.() -> string`, () => ""),
];
