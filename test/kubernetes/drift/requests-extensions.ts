/** Requests about what users add to a cluster: custom resources, rules in CEL, admission policies, quotas, limits, and security levels. */
import {
  APPLY,
  core,
  creates,
  deletes,
  group,
  IMAGE,
  JSON_PATCH,
  MERGE,
  NAMESPACE,
  named,
  patches,
  reads,
  STRATEGIC,
  type Step,
} from "./step.js";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const gadgets = `/apis/drift.example.com/v1/namespaces/${NAMESPACE}/gadgets`;
const schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      "x-kubernetes-validations": [
        { rule: "self.size <= self.most", message: "size is more than most" },
        { rule: "self.name == oldSelf.name", message: "name never changes" },
        {
          rule: "self.size % 2 == 0",
          messageExpression: "'odd' + 'ity'",
          reason: "FieldValueForbidden",
          fieldPath: ".size",
        },
      ],
      properties: {
        size: { type: "integer", minimum: 0, maximum: 100 },
        most: { type: "integer", default: 10 },
        name: { type: "string", maxLength: 5, pattern: "^[a-z]*$", default: "a" },
        color: { type: "string", enum: ["red", "green"] },
        parts: {
          type: "array",
          maxItems: 2,
          items: {
            type: "object",
            required: ["id"],
            properties: { id: { type: "string" }, note: { type: "string", format: "date-time" } },
          },
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["id"],
        },
        tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set", maxItems: 3 },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        either: { "x-kubernetes-int-or-string": true },
        rate: { type: "number", multipleOf: 0.5, exclusiveMinimum: true, minimum: 0 },
        maybe: { type: "string", nullable: true },
      },
    },
    status: { type: "object", properties: { phase: { type: "string" }, replicas: { type: "integer" } } },
  },
};
const version = {
  name: "v1",
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.replicas" } },
  additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
  selectableFields: [{ jsonPath: ".spec.color" }],
};
const names = { plural: "gadgets", singular: "gadget", kind: "Gadget", shortNames: ["gd"] };
const definition = (rest: object = {}, versionRest: object = {}) => ({
  metadata: { name: "gadgets.drift.example.com" },
  spec: { group: "drift.example.com", scope: "Namespaced", names, versions: [{ ...version, ...versionRest }], ...rest },
});
const defined = (does: string, rest: object, versionRest: object = {}): Step =>
  creates(does, definitions, definition(rest, versionRest), "?dryRun=All");
const ofSchema = (does: string, properties: object): Step =>
  defined(
    does,
    {},
    {
      subresources: undefined,
      selectableFields: undefined,
      additionalPrinterColumns: undefined,
      schema: { openAPIV3Schema: { type: "object", properties } },
    },
  );
const gadget = (spec: unknown, name = "ext-a") => ({
  apiVersion: "drift.example.com/v1",
  kind: "Gadget",
  metadata: { name },
  spec,
});
const makes = (does: string, spec: unknown, query = "?dryRun=All"): Step => creates(does, gadgets, gadget(spec), query);

const customResources: readonly Step[] = [
  creates("a definition of nothing", definitions, { metadata: { name: "a.b" }, spec: {} }),
  defined("a definition of another name", { names: { ...names, plural: "widgets" } }),
  defined("a definition without versions", { versions: [] }),
  defined("a definition of two storages", { versions: [version, { ...version, name: "v2" }] }),
  defined("a definition without a schema", {}, { schema: undefined }),
  defined("a definition of wrong names", {
    names: { plural: "gadgets", kind: "gadget!", shortNames: ["A_"] },
    scope: "Perhaps",
  }),
  defined("a definition of a group that is guarded", { group: "drift.k8s.io" }),
  ofSchema("a schema without a type", { spec: { properties: { a: { type: "string" } } } }),
  ofSchema("a schema of wrong types", { spec: { type: "thing", format: "x" } }),
  ofSchema("a schema with $ref", { spec: { type: "object", $ref: "#/a" } }),
  ofSchema("a schema of both additions", {
    spec: { type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "string" } },
  }),
  ofSchema("a schema with a default of a wrong type", {
    spec: { type: "object", default: { a: 1 }, properties: { a: { type: "string" } } },
  }),
  ofSchema("a schema with lists of wrong keys", {
    spec: {
      type: "array",
      items: { type: "object", properties: { a: { type: "string" } } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["b"],
    },
  }),
  ofSchema("a schema with a list type that nobody knows", {
    spec: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "bag" },
  }),
  ofSchema("a schema with a rule that is no CEL", {
    spec: {
      type: "object",
      properties: { a: { type: "string" } },
      "x-kubernetes-validations": [{ rule: "self.a ==" }],
    },
  }),
  ofSchema("a schema with a rule about what is not there", {
    spec: {
      type: "object",
      properties: { a: { type: "string" } },
      "x-kubernetes-validations": [{ rule: "self.b == 'x'" }],
    },
  }),
  ofSchema("a schema with a rule that is no truth", {
    spec: { type: "object", properties: { a: { type: "string" } }, "x-kubernetes-validations": [{ rule: "self.a" }] },
  }),
  ofSchema("a schema with a rule of wrong types", {
    spec: {
      type: "object",
      properties: { a: { type: "string" } },
      "x-kubernetes-validations": [{ rule: "self.a > 5" }],
    },
  }),
  ofSchema("a schema with a rule that costs too much", {
    spec: {
      type: "object",
      properties: { a: { type: "array", items: { type: "array", items: { type: "string" } } } },
      "x-kubernetes-validations": [{ rule: "self.a.all(x, x.all(y, self.a.all(z, z.all(w, w == y))))" }],
    },
  }),
  ofSchema("a schema with an empty rule", {
    spec: { type: "object", "x-kubernetes-validations": [{ rule: " ", message: "a\nb" }] },
  }),
  creates("a definition", definitions, definition()),
];

/** After the definition is established. */
const gadgetRequests: readonly Step[] = [
  makes("a gadget", { size: 2 }),
  makes("no spec", undefined),
  makes("a spec that is a text", "x"),
  makes("no size", {}),
  makes("a size that is a text", { size: "x" }),
  makes("a size that is a fraction", { size: 1.5 }),
  makes("a size out of range", { size: 200, most: 300 }),
  makes("a size below zero", { size: -2 }),
  makes("a name too long and of wrong letters", { size: 2, name: "ABCDEFG" }),
  makes("an unknown color", { size: 2, color: "blue" }),
  makes("parts of one id", { size: 2, parts: [{ id: "a" }, { id: "a" }] }),
  makes("parts without an id and too many", { size: 2, parts: [{}, { id: "b", note: "x" }, { id: "c" }] }),
  makes("tags twice", { size: 2, tags: ["a", "a"] }),
  makes("neither number nor text", { size: 2, either: {} }),
  makes("a rate that is none", { size: 2, rate: 0 }),
  makes("a rate that is no multiple", { size: 2, rate: 0.7 }),
  makes("null where it may be", { size: 2, maybe: null }),
  makes("null where it may not be", { size: 2, color: null }),
  makes("rules broken", { size: 12, most: 10 }),
  makes("an odd size", { size: 3 }),
  makes("unknown fields", { size: 2, sise: 3, free: { any: 1 } }),
  makes("unknown fields, strictly", { size: 2, sise: 3 }, "?fieldValidation=Strict"),
  creates(
    "unknown fields at the root, strictly",
    gadgets,
    { ...gadget({ size: 2 }), spek: 1 },
    "?fieldValidation=Strict",
  ),
  creates(
    "a gadget without a version",
    gadgets,
    { kind: "Gadget", metadata: { name: "ext-a" }, spec: { size: 2 } },
    "?dryRun=All",
  ),
  creates("a gadget of a wrong kind", gadgets, { ...gadget({ size: 2 }), kind: "Widget" }),
  creates("a gadget of a wrong version", gadgets, { ...gadget({ size: 2 }), apiVersion: "drift.example.com/v2" }),
  creates("a gadget of wrong metadata", gadgets, {
    ...gadget({ size: 2 }),
    metadata: { name: "ext-a", labels: { a: 1 } },
  }),
  makes("a gadget to change", { size: 2, name: "a" }, ""),
  patches("another name of a gadget", `${gadgets}/ext-a`, { spec: { name: "b" } }, MERGE),
  patches("a strategic patch of a gadget", `${gadgets}/ext-a`, { spec: { size: 4 } }, STRATEGIC),
  patches(
    "a JSON patch of a gadget",
    `${gadgets}/ext-a`,
    [{ op: "replace", path: "/spec/size", value: "x" }],
    JSON_PATCH,
  ),
  patches("a status through a gadget's main door", `${gadgets}/ext-a`, { status: { phase: "a" } }, MERGE),
  patches("a status of a gadget", `${gadgets}/ext-a/status`, { status: { phase: "a", replicas: 1 } }, MERGE),
  patches("a wrong status of a gadget", `${gadgets}/ext-a/status`, { status: { phase: 1 } }, MERGE),
  patches(
    "apply of a gadget of wrong types",
    `${gadgets}/ext-b`,
    gadget({ size: "x" }, "ext-b"),
    APPLY,
    "?fieldManager=one",
  ),
  patches(
    "apply of a gadget with unknown fields",
    `${gadgets}/ext-b`,
    gadget({ size: 2, sise: 1 }, "ext-b"),
    APPLY,
    "?fieldManager=one",
  ),
  patches(
    "apply of a gadget",
    `${gadgets}/ext-b`,
    gadget({ size: 2, parts: [{ id: "a" }] }, "ext-b"),
    APPLY,
    "?fieldManager=one",
  ),
  patches(
    "apply of a gadget against another",
    `${gadgets}/ext-b`,
    gadget({ size: 4 }, "ext-b"),
    APPLY,
    "?fieldManager=two",
  ),
  reads("a scale of a gadget", `${gadgets}/ext-a/scale`),
  patches("another scale of a gadget", `${gadgets}/ext-a/scale`, { spec: { replicas: 3 } }, MERGE),
  reads("gadgets by color", `${gadgets}?fieldSelector=spec.color%3Dred`),
  reads("gadgets by size", `${gadgets}?fieldSelector=spec.size%3D2`),
  reads("gadgets as a table", gadgets, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }),
  reads("a gadget that is not there", `${gadgets}/none`),
  { does: "a gadget replaced without a version", path: `${gadgets}/ext-a`, method: "PUT", body: gadget({ size: 2 }) },
  reads("another version of gadgets", `/apis/drift.example.com/v2/namespaces/${NAMESPACE}/gadgets`),
  deletes("a gadget", `${gadgets}/ext-a`),
  deletes("gadgets", gadgets),
];

const policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";
const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }];
const policy = (does: string, spec: object): Step =>
  creates(
    does,
    policies,
    named("drift-policy", { spec: { matchConstraints: { resourceRules: rules }, ...spec } }),
    "?dryRun=All",
  );

const admission: readonly Step[] = [
  policy("a policy of nothing", {}),
  policy("a policy that is no CEL", { validations: [{ expression: "object." }] }),
  policy("a policy that is no truth", { validations: [{ expression: "'a'" }] }),
  policy("a policy of unknown variables", { validations: [{ expression: "nothing.here" }] }),
  policy("a policy of wrong words", {
    failurePolicy: "Perhaps",
    validations: [{ expression: "true", reason: "Perhaps", message: "a\nb" }],
    variables: [{ name: "1a", expression: "x" }],
  }),
  creates(
    "a binding of wrong actions",
    bindings,
    named("drift-binding", { spec: { policyName: "drift-policy", validationActions: ["Deny", "Warn", "Perhaps"] } }),
    "?dryRun=All",
  ),
  creates(
    "a binding without actions",
    bindings,
    named("drift-binding", { spec: { policyName: "drift-policy" } }),
    "?dryRun=All",
  ),
  creates(
    "a webhook of nothing",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    named("drift-hook", {
      webhooks: [{ name: "a", clientConfig: {}, sideEffects: "Some", admissionReviewVersions: [] }],
    }),
    "?dryRun=All",
  ),
];

const limits: readonly Step[] = [
  creates(
    "a quota",
    `${core}/resourcequotas`,
    named("ext-quota", { spec: { hard: { "count/secrets": "1", "requests.cpu": "1", pods: "1", services: "0" } } }),
  ),
];

/** After the quota has counted. */
const limited: readonly Step[] = [
  creates("a service beyond the quota", `${core}/services`, named("ext-service", { spec: { ports: [{ port: 1 }] } })),
  creates(
    "a pod that the quota cannot count",
    `${core}/pods`,
    named("ext-pod", { spec: { schedulerName: "none", containers: [{ name: "a", image: IMAGE }] } }),
  ),
  creates(
    "a pod beyond the quota",
    `${core}/pods`,
    named("ext-pod", {
      spec: { schedulerName: "none", containers: [{ name: "a", image: IMAGE, resources: { requests: { cpu: "2" } } }] },
    }),
  ),
  creates(
    "a limit range",
    `${core}/limitranges`,
    named("ext-limits", {
      spec: {
        limits: [
          {
            type: "Container",
            default: { memory: "64Mi" },
            defaultRequest: { cpu: "100m" },
            max: { cpu: "1" },
            min: { memory: "1Mi" },
          },
          { type: "Pod", max: { memory: "1Gi" } },
          { type: "PersistentVolumeClaim", max: { storage: "1Gi" } },
        ],
      },
    }),
  ),
];

/** After the limit range is known to everybody. */
const ranged: readonly Step[] = [
  creates(
    "a pod of what the range gives it",
    `${core}/pods`,
    named("ext-pod", {
      spec: { schedulerName: "none", terminationGracePeriodSeconds: 1, containers: [{ name: "a", image: IMAGE }] },
    }),
    "?dryRun=All",
  ),
  creates(
    "a pod beyond the range",
    `${core}/pods`,
    named("ext-pod", {
      spec: {
        schedulerName: "none",
        containers: [
          {
            name: "a",
            image: IMAGE,
            resources: { limits: { cpu: "2", memory: "2Gi" }, requests: { memory: "1Ki", cpu: "1m" } },
          },
        ],
      },
    }),
    "?dryRun=All",
  ),
  creates(
    "a claim beyond the range",
    `${core}/persistentvolumeclaims`,
    named("ext-claim", { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Gi" } } } }),
    "?dryRun=All",
  ),
  patches(
    "a level of security",
    `/api/v1/namespaces/${NAMESPACE}`,
    {
      metadata: {
        labels: { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted" },
      },
    },
    MERGE,
  ),
  patches(
    "a level that is none",
    `/api/v1/namespaces/${NAMESPACE}`,
    { metadata: { labels: { "pod-security.kubernetes.io/audit": "perhaps" } } },
    MERGE,
  ),
];

/** After the level is known to everybody. */
const secured: readonly Step[] = [
  creates(
    "a pod that is not restricted",
    `${core}/pods`,
    named("ext-bad", {
      spec: {
        schedulerName: "none",
        hostNetwork: true,
        containers: [{ name: "a", image: IMAGE, securityContext: { privileged: true } }],
      },
    }),
    "?dryRun=All",
  ),
  creates(
    "a deployment that is not restricted",
    `${group("apps/v1")}/deployments`,
    named("ext-bad", {
      spec: {
        replicas: 0,
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "a", image: IMAGE }] } },
      },
    }),
    "?dryRun=All",
  ),
];

const PAUSE: Step = { does: "", path: "" };
/** A step without a path lets the controllers work for a while. */
export const EXTENSION_REQUESTS: readonly Step[] = [
  ...customResources,
  PAUSE,
  ...gadgetRequests,
  deletes("the definition", `${definitions}/gadgets.drift.example.com`),
  ...admission,
  ...limits,
  PAUSE,
  ...limited,
  PAUSE,
  ...ranged,
  PAUSE,
  ...secured,
];
