import { describe, expect, it } from "vitest";
import { createDeprecatedRequests, removedApis } from "../../src/kubernetes/deprecated-apis.js";

const target = (group: string, version: string, resource: string) => ({
  group,
  version,
  resource,
  rest: [],
  named: false,
});
const FLOW = ["flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas"] as const;

describe("requests for APIs that a later version does not serve", () => {
  it("are counted by client, with the time of the last", () => {
    let now = 10;
    const log = createDeprecatedRequests({ now: () => now, serverMinor: () => 31 });
    log.note(target(...FLOW), "helm/3");
    now = 20;
    log.note(target(...FLOW), "helm/3");
    log.note(target(...FLOW), undefined);
    const usage = "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas";
    expect(log.list()).toEqual([
      { usage, userAgent: "helm/3", count: 2, lastMs: 20 },
      { usage, userAgent: "unknown", count: 1, lastMs: 20 },
    ]);
  });

  it("are of no interest once the server is past that version, nor are those that stay", () => {
    const log = createDeprecatedRequests({ now: () => 1, serverMinor: () => 32 });
    log.note(target(...FLOW), "helm/3");
    log.note(target("apps", "v1", "deployments"), "helm/3");
    log.note(target("example.com", "v1beta1", "widgets"), "helm/3");
    expect(log.list()).toEqual([]);
  });

  it("cannot fill the memory with invented clients", () => {
    const log = createDeprecatedRequests({ now: () => 1, serverMinor: () => 31 });
    for (let n = 0; n < 2000; n++) log.note(target(...FLOW), `client-${n}`);
    expect(log.list()).toHaveLength(1000);
  });
});

describe("the table of removed APIs", () => {
  it("names a replacement that is served before the removal", () => {
    const minor = (version = ""): number => Number(version.split(".")[1]);
    for (const { replacedWith, replacedSince, removedIn } of removedApis().values()) {
      if (replacedWith) expect(minor(replacedSince)).toBeLessThan(minor(removedIn) + 1);
    }
    expect(removedApis().get("/apis/policy/v1beta1/podsecuritypolicies")).toEqual({
      usage: "/apis/policy/v1beta1/podsecuritypolicies",
      removedIn: "1.25",
    });
  });
});
