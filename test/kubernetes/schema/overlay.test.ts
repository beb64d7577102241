import { describe, expect, it } from "vitest";
import { listTraits, overlayKeys } from "../../../src/kubernetes/schema/overlay.js";
import { typeOf } from "../../../src/kubernetes/schema/schema.js";

describe("overlay", () => {
  it("speaks only of types and fields that the schema has", () => {
    const unknown = overlayKeys().filter((key) => {
      const [type = "", field = ""] = key.split(".");
      return !typeOf(type)?.fields.has(field);
    });
    expect(unknown).toEqual([]);
    expect(overlayKeys().length).toBeGreaterThan(170);
  });

  it("names list keys and merge keys, where they differ", () => {
    expect(listTraits("Container", "ports")).toEqual({
      listType: "map",
      mapKeys: ["containerPort", "protocol"],
      mapType: "granular",
      patchStrategy: ["merge"],
      patchMergeKey: "containerPort",
    });
    expect(listTraits("ServiceSpec", "ports")).toMatchObject({ mapKeys: ["port", "protocol"], patchMergeKey: "port" });
    expect(listTraits("PodSpec", "topologySpreadConstraints")).toMatchObject({
      mapKeys: ["topologyKey", "whenUnsatisfiable"],
      patchMergeKey: "topologyKey",
    });
    expect(listTraits("PodSpec", "volumes").patchStrategy).toEqual(["merge", "retainKeys"]);
  });

  it.each([
    ["JobStatus", "conditions", "type"],
    ["PodStatus", "hostIPs", "ip"],
  ])("keeps %s.%s atomic for server-side apply although strategic merge has a key", (type, field, key) => {
    expect(listTraits(type, field)).toMatchObject({ listType: "atomic", mapKeys: [], patchMergeKey: key });
  });

  it("takes a struct as atomic when its type says so, unless the field says otherwise", () => {
    expect(listTraits("DeploymentSpec", "selector").mapType).toBe("atomic");
    expect(listTraits("PersistentVolumeSpec", "claimRef").mapType).toBe("granular");
    expect(listTraits("PodSpec", "nodeSelector").mapType).toBe("atomic");
    expect(listTraits("ObjectMeta", "labels").mapType).toBe("granular");
    expect(listTraits("ObjectMeta", "finalizers").listType).toBe("set");
  });

  it("marks quantities in the schema", () => {
    expect(typeOf("ResourceRequirements")?.fields.get("limits")?.type).toEqual({
      kind: "map",
      value: { kind: "scalar", scalar: "quantity" },
    });
    expect(typeOf("EmptyDirVolumeSource")?.fields.get("sizeLimit")?.type).toEqual({
      kind: "scalar",
      scalar: "quantity",
    });
  });
});
