import { describe, expect, it } from "vitest";
import { createOpenApi, type OpenApi } from "../../../src/kubernetes/schema/openapi/documents.js";
import type { ResourceInfo } from "../../../src/kubernetes/schema/resource-info.js";
import { builtinResources, STANDARD_VERBS } from "../../../src/kubernetes/schema/resources.js";

interface Document {
  paths: Record<string, Record<string, Operation> & { serverRelativeURL?: string }>;
  components: { schemas: Record<string, Schema> };
  definitions: Record<string, Schema>;
}
interface Operation {
  operationId: string;
  parameters: { name: string }[];
  requestBody: { content: Record<string, unknown> };
  consumes: string[];
  [extension: `x-${string}`]: unknown;
}
interface Schema {
  description?: string;
  required?: string[];
  properties: Record<string, Record<string, unknown>>;
  [extension: `x-${string}`]: unknown;
}

const WIDGETS: ResourceInfo = {
  group: "example.com",
  version: "v1",
  resource: "widgets",
  singular: "widget",
  kind: "Widget",
  listKind: "WidgetList",
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: STANDARD_VERBS,
  subresources: [{ name: "status", kind: "Widget", verbs: ["get", "patch", "update"] }],
  type: "",
};

const resources: ResourceInfo[] = [...builtinResources()];
let generation = 1;
const openApi: OpenApi = createOpenApi({
  resources: () => resources,
  generation: () => generation,
  gitVersion: "v1.36.1",
});
const v3 = (path: string): Document => JSON.parse(openApi.groupVersion(path)?.body ?? "null");

/** Every reference in a document that leads nowhere. */
function brokenReferences(document: unknown, schemas: Record<string, unknown>, prefix: string): string[] {
  const broken = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (
        key === "$ref" &&
        typeof member === "string" &&
        !(member.startsWith(prefix) && member.slice(prefix.length) in schemas)
      )
        broken.add(member);
      else walk(member);
    }
  };
  walk(document);
  return [...broken];
}

describe("OpenAPI v3", () => {
  it("has an index with an address for each group version, whose documents have no broken reference", () => {
    const { paths } = JSON.parse(openApi.index().body) as Document;
    const expected = new Set(
      builtinResources().map((info) => (info.group ? `apis/${info.group}/${info.version}` : `api/${info.version}`)),
    );
    expect(new Set(Object.keys(paths))).toEqual(expected);
    for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
      expect(serverRelativeURL).toMatch(new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]{128}$`));
      const document = v3(path);
      expect(brokenReferences(document, document.components.schemas, "#/components/schemas/"), path).toEqual([]);
    }
    expect(openApi.groupVersion("apis/example.com/v1")).toBeUndefined();
  });

  it("gives kubectl what it looks for in a PATCH: the kind, field validation, dry run and the media types", () => {
    const patch = v3("apis/apps/v1").paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.patch;
    expect(patch?.operationId).toBe("patchAppsV1NamespacedDeployment");
    expect(patch?.["x-kubernetes-action"]).toBe("patch");
    expect(patch?.["x-kubernetes-group-version-kind"]).toEqual({ group: "apps", version: "v1", kind: "Deployment" });
    expect(patch?.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["dryRun", "fieldValidation", "fieldManager", "force"]),
    );
    expect(Object.keys(patch?.requestBody.content ?? {})).toEqual([
      "application/apply-patch+yaml",
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/strategic-merge-patch+json",
    ]);
  });

  it.each([
    ["api/v1", "/api/v1/pods", "get", "listCoreV1PodForAllNamespaces"],
    ["api/v1", "/api/v1/namespaces/{namespace}/pods", "post", "createCoreV1NamespacedPod"],
    ["api/v1", "/api/v1/namespaces/{namespace}/pods", "delete", "deleteCoreV1CollectionNamespacedPod"],
    ["api/v1", "/api/v1/namespaces/{namespace}/pods/{name}/log", "get", "readCoreV1NamespacedPodLog"],
    ["api/v1", "/api/v1/namespaces/{name}", "put", "replaceCoreV1Namespace"],
    [
      "apis/rbac.authorization.k8s.io/v1",
      "/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}",
      "get",
      "readRbacAuthorizationV1ClusterRole",
    ],
  ])("%s: %s %s is %s", (document, path, method, operationId) => {
    expect(v3(document).paths[path]?.[method]?.operationId).toBe(operationId);
  });

  it("describes types with their descriptions, required fields, list types and merge keys", () => {
    const { schemas } = v3("api/v1").components;
    const spec = schemas["io.k8s.api.core.v1.PodSpec"];
    expect(spec?.description).toBe("PodSpec is a description of a pod.");
    expect(spec?.required).toEqual(["containers"]);
    expect(spec?.properties.containers).toMatchObject({
      type: "array",
      items: { $ref: "#/components/schemas/io.k8s.api.core.v1.Container" },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      "x-kubernetes-patch-merge-key": "name",
      "x-kubernetes-patch-strategy": "merge",
    });
    expect(spec?.properties.affinity).toMatchObject({
      description: "If specified, the pod's scheduling constraints",
      allOf: [{ $ref: "#/components/schemas/io.k8s.api.core.v1.Affinity" }],
    });
    expect(schemas["io.k8s.api.core.v1.Pod"]?.["x-kubernetes-group-version-kind"]).toEqual([
      { group: "", version: "v1", kind: "Pod" },
    ]);
    expect(schemas["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]).toBeDefined();
    expect(schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]).toMatchObject({
      oneOf: [{ type: "string" }, { type: "number" }],
    });
  });

  it("takes in custom resources as they come, and changes hashes only where something changed", () => {
    const before = JSON.parse(openApi.index().body) as Document;
    const etag = openApi.groupVersion("api/v1")?.etag;
    resources.push(WIDGETS);
    generation++;
    const after = JSON.parse(openApi.index().body) as Document;
    expect(after.paths["api/v1"]).toEqual(before.paths["api/v1"]);
    expect(openApi.groupVersion("api/v1")?.etag).toBe(etag);
    const document = v3("apis/example.com/v1");
    expect(document.components.schemas["com.example.v1.Widget"]?.["x-kubernetes-group-version-kind"]).toEqual([
      { group: "example.com", version: "v1", kind: "Widget" },
    ]);
    const patch = document.paths["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]?.patch;
    expect(Object.keys(patch?.requestBody.content ?? {})).not.toContain("application/strategic-merge-patch+json");
    resources.pop();
    generation++;
  });
});

describe("OpenAPI v2", () => {
  it("is one document of everything, without a broken reference", () => {
    const document = JSON.parse(openApi.v2().body) as Document;
    expect(document).toMatchObject({ swagger: "2.0", info: { title: "Kubernetes", version: "v1.36.1" } });
    expect(brokenReferences(document, document.definitions, "#/definitions/")).toEqual([]);
    for (const name of [
      "io.k8s.api.apps.v1.Deployment",
      "io.k8s.api.autoscaling.v1.Scale",
      "io.k8s.api.policy.v1.Eviction",
    ]) {
      expect(document.definitions[name], name).toBeDefined();
    }
    expect(document.definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]).toMatchObject({
      type: "string",
      format: "int-or-string",
    });
    expect(document.paths["/api/v1/namespaces/{namespace}/pods/{name}"]?.patch?.consumes).toContain(
      "application/strategic-merge-patch+json",
    );
  });
});
