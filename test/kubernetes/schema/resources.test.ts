import { describe, expect, it } from "vitest";
import { listTypeOf, resourceOfKind } from "../../../src/kubernetes/schema/kinds.js";
import {
  builtinResources,
  compareVersions,
  findResource,
  groupVersions,
  preferredVersion,
} from "../../../src/kubernetes/schema/resources.js";
import { typeNames, typeOf } from "../../../src/kubernetes/schema/schema.js";

describe("built-in resources", () => {
  it("has every resource once, with a type that the schema knows", () => {
    const keys = builtinResources().map((info) => `${info.group}/${info.version}/${info.resource}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThanOrEqual(65);
    for (const info of builtinResources()) {
      expect(typeOf(info.type), info.resource).toBeDefined();
      for (const sub of info.subresources)
        expect(typeOf(sub.type ?? info.type), `${info.resource}/${sub.name}`).toBeDefined();
    }
  });

  it("describes pods as discovery does", () => {
    const pods = findResource("", "v1", "pods");
    expect(pods).toMatchObject({
      kind: "Pod",
      singular: "pod",
      listKind: "PodList",
      namespaced: true,
      shortNames: ["po"],
      categories: ["all"],
    });
    expect(pods?.verbs).toEqual(["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]);
    expect(pods?.subresources.find((sub) => sub.name === "eviction")).toEqual({
      name: "eviction",
      kind: "Eviction",
      group: "policy",
      version: "v1",
      type: "Eviction",
      verbs: ["create"],
    });
  });

  it("gives namespaces no deletecollection, and reviews only create", () => {
    expect(findResource("", "v1", "namespaces")?.verbs).not.toContain("deletecollection");
    expect(findResource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")?.verbs).toEqual(["create"]);
  });

  it("prefers autoscaling v2 over v1", () => {
    expect(groupVersions("autoscaling")).toEqual(["v2", "v1"]);
    expect(preferredVersion("apps")).toBe("v1");
    expect(preferredVersion("example.com")).toBeUndefined();
  });

  it("orders versions by stability, then by number", () => {
    expect(["foo1", "v1alpha1", "v1", "v2beta1", "v10", "v2", "v1beta2"].sort(compareVersions)).toEqual([
      "v10",
      "v2",
      "v1",
      "v2beta1",
      "v1beta2",
      "v1alpha1",
      "foo1",
    ]);
  });

  it("finds resources by apiVersion and kind, Events of both groups apart", () => {
    expect(resourceOfKind("apps/v1", "Deployment")?.resource).toBe("deployments");
    expect(resourceOfKind("v1", "PodList")?.resource).toBe("pods");
    expect(resourceOfKind("v1", "Event")?.type).toBe("CoreEvent");
    expect(resourceOfKind("events.k8s.io/v1", "Event")?.type).toBe("EventsEvent");
    expect(resourceOfKind("autoscaling/v2", "HorizontalPodAutoscaler")?.type).toBe("V2HorizontalPodAutoscaler");
    expect(resourceOfKind("apps/v1", "Pod")).toBeUndefined();
  });
});

describe("schema", () => {
  it("parses fields into lists, maps, references and scalars", () => {
    expect(typeOf("PodSpec")?.fields.get("containers")).toEqual({
      name: "containers",
      type: { kind: "list", item: { kind: "ref", ref: "Container" } },
      required: true,
    });
    expect(typeOf("Secret")?.fields.get("data")?.type).toEqual({
      kind: "map",
      value: { kind: "scalar", scalar: "bytes" },
    });
    expect(typeOf("constructor")).toBeUndefined();
  });

  it("has no reference to a type that it lacks", () => {
    const missing: string[] = [];
    for (const name of typeNames()) {
      for (const field of typeOf(name)?.fields.values() ?? []) {
        let type = field.type;
        while (type.kind === "list" || type.kind === "map") type = type.kind === "list" ? type.item : type.value;
        if (type.kind === "ref" && !typeOf(type.ref)) missing.push(`${name}.${field.name} -> ${type.ref}`);
      }
    }
    expect(missing).toEqual([]);
  });
});

describe("lists", () => {
  it("have a type of their own for every resource that can be listed", () => {
    const missing = builtinResources().filter(
      (info) => info.verbs.includes("list") && !typeOf(listTypeOf(info))?.fields.has("items"),
    );
    expect(missing).toEqual([]);
  });
});
