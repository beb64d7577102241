import { describe, expect, it } from "vitest";
import type { ResourceInfo } from "../../../src/kubernetes/schema/resource-info.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createDiscovery } from "../../../src/kubernetes/wire/discovery.js";

const WIDGETS: ResourceInfo = {
  group: "example.com",
  version: "v1alpha1",
  resource: "widgets",
  singular: "widget",
  kind: "Widget",
  listKind: "WidgetList",
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: ["get", "list"],
  subresources: [],
  type: "",
};

const V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

function discovery(extra: ResourceInfo[] = []) {
  let generation = 1;
  const resources = [...builtinResources(), ...extra];
  const served = createDiscovery({
    resources: () => resources,
    generation: () => generation,
    serverAddress: () => "127.0.0.1:6443",
  });
  const json = (path: string, accept?: string) => JSON.parse(served.answer(path, accept)?.body ?? "null");
  const add = (info: ResourceInfo) => {
    resources.push(info);
    generation++;
  };
  return { served, json, add };
}

describe("discovery", () => {
  it("lists the core version at /api and its resources at /api/v1", () => {
    const { json } = discovery();
    expect(json("/api")).toEqual({
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "127.0.0.1:6443" }],
    });
    const list = json("/api/v1");
    expect(list).toMatchObject({ kind: "APIResourceList", groupVersion: "v1" });
    expect(list.resources.find((entry: { name: string }) => entry.name === "pods")).toEqual({
      name: "pods",
      singularName: "pod",
      namespaced: true,
      kind: "Pod",
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
      shortNames: ["po"],
      categories: ["all"],
      storageVersionHash: "xPOwRZ+Yhw8=",
    });
  });

  it("gives subresources the group and version of their own kind", () => {
    const scale = discovery()
      .json("/apis/apps/v1")
      .resources.find((entry: { name: string }) => entry.name === "deployments/scale");
    expect(scale).toEqual({
      name: "deployments/scale",
      singularName: "",
      namespaced: true,
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
      verbs: ["get", "patch", "update"],
    });
  });

  it("lists groups by priority, preferred versions first", () => {
    const { json } = discovery([WIDGETS]);
    const names = json("/apis").groups.map((group: { name: string }) => group.name);
    expect(names.slice(0, 3)).toEqual(["apiregistration.k8s.io", "apps", "events.k8s.io"]);
    expect(names.at(-1)).toBe("example.com");
    expect(json("/apis/autoscaling/")).toMatchObject({
      kind: "APIGroup",
      versions: [{ version: "v2" }, { version: "v1" }],
      preferredVersion: { groupVersion: "autoscaling/v2" },
    });
  });

  it("knows nothing of groups, versions and paths that are not served", () => {
    const { served } = discovery();
    for (const path of ["/apis/example.com", "/apis/apps/v2", "/api/v2", "/apis/apps/v1/deployments", "/apis/"]) {
      expect(served.answer(path, undefined) === undefined, path).toBe(path !== "/apis/");
    }
  });

  it("answers aggregated discovery with an entity tag when asked", () => {
    const { served, json } = discovery();
    const answer = served.answer("/apis", V2);
    expect(answer?.contentType).toBe(V2);
    expect(answer?.etag).toMatch(/^"[0-9A-F]{128}"$/);
    const list = JSON.parse(answer?.body ?? "");
    expect(list).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" });
    const apps = list.items.find((item: { metadata: { name: string } }) => item.metadata.name === "apps");
    const deployments = apps.versions[0].resources.find(
      (entry: { resource: string }) => entry.resource === "deployments",
    );
    expect(deployments).toMatchObject({
      responseKind: { group: "apps", version: "v1", kind: "Deployment" },
      scope: "Namespaced",
      shortNames: ["deploy"],
      subresources: [
        { subresource: "scale", responseKind: { group: "autoscaling", version: "v1", kind: "Scale" } },
        { subresource: "status", responseKind: { group: "apps", version: "v1", kind: "Deployment" } },
      ],
    });
    expect(json("/api", V2).items).toHaveLength(1);
  });

  it("follows resources that are added later", () => {
    const { served, json, add } = discovery();
    const before = served.answer("/apis", V2)?.etag;
    add(WIDGETS);
    expect(json("/apis/example.com/v1alpha1").resources).toMatchObject([{ name: "widgets", kind: "Widget" }]);
    expect(served.answer("/apis", V2)?.etag).not.toBe(before);
  });
});
