import { describe, expect, it } from "vitest";
import { nodeImage } from "../../../src/backends/kind/images.js";
import {
  firstMasterName,
  isNameOf,
  kindClusterName,
  loadBalancerName,
  masterName,
  workerName,
} from "../../../src/backends/kind/names.js";

const ID = "1D1ACB5E26E9AB8E1BC294116DAEB1D1";
const named = (name: string, clusterId = ID, owner = "d1fbfc"): string => kindClusterName(owner, { name, clusterId });

describe("names in Docker", () => {
  it("say whose a cluster is, what it is called and which one it is", () => {
    expect(named("demo")).toBe("eksim-d1fbfc-demo-1d1acb5e26e9");
  });

  it("never collide between accounts, regions or data directories", () => {
    const names = [named("demo"), named("demo", "2D1ACB5E26E9AB8E1BC294116DAEB1D1"), named("demo", ID, "aaaaaa")];
    expect(new Set(names).size).toBe(3);
  });

  it.each(["a".repeat(100), "My_Cluster-0123456789", "-_-", "UPPER", "a--b--c--d--e--f"])(
    "are DNS labels that leave room for kind's own endings: %s",
    (name) => {
      const kindName = named(name);
      expect(kindName).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      expect(loadBalancerName(kindName).length).toBeLessThanOrEqual(63);
      expect(workerName(kindName, "i-0123456789abcdef0").length).toBeLessThanOrEqual(63);
    },
  );

  it("tell a cluster from others by owner and id", () => {
    expect(isNameOf(named("demo"), "d1fbfc", ID)).toBe(true);
    expect(isNameOf(named("demo"), "aaaaaa", ID)).toBe(false);
    expect(isNameOf("kind", "d1fbfc", ID)).toBe(false);
    expect(isNameOf(named("demo"), "d1fbfc", "FF".repeat(16))).toBe(false);
  });

  it("number the first masters as kind does, and later ones by their ids", () => {
    expect([0, 1, 2].map((index) => firstMasterName("c", index))).toEqual([
      "c-control-plane",
      "c-control-plane2",
      "c-control-plane3",
    ]);
    expect(masterName("c", "master-4")).toBe("c-master-4");
  });
});

describe("node images", () => {
  it("go by the minor version, and can be chosen", () => {
    expect(nodeImage("1.36", new Map())).toBe("kindest/node:v1.36.2");
    expect(nodeImage("1.36", new Map([["1.36", "local/node:test"]]))).toBe("local/node:test");
  });

  it("are asked for where there is none", () => {
    expect(() => nodeImage("1.28", new Map())).toThrow(
      "there is no node image for Kubernetes 1.28; name one with --kind-node-image 1.28=<image>",
    );
  });
});
