import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StatusError } from "../../../src/kubernetes/errors.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { parseFieldSelector } from "../../../src/kubernetes/registry/field-selectors.js";
import { labelSelectorPredicate, parseLabelSelector } from "../../../src/kubernetes/registry/selectors.js";

describe("label selectors", () => {
  const LABELS = { app: "web", tier: "front", "example.com/x": "", n: "5" };
  const cases: [selector: string, matches: boolean][] = [
    ["", true],
    ["app=web", true],
    ["app==web", true],
    [" app = web , tier = front ", true],
    ["app=web,tier=back", false],
    ["app!=web", false],
    ["other!=web", true],
    ["app in (web,api)", true],
    ["app in (api)", false],
    ["app notin (web)", false],
    ["other notin (web)", true],
    ["app", true],
    ["other", false],
    ["!other", true],
    ["! app", false],
    ["example.com/x", true],
    ["example.com/x=", true],
    ["example.com/x in (,y)", true],
    ["n>4", true],
    ["n<5", false],
    ["toString", false],
  ];
  it.each(cases)("%s", (selector, matches) => {
    expect(parseLabelSelector(selector)(LABELS)).toBe(matches);
  });

  it("refuses what is none, with 400", () => {
    for (const text of ["a in", "a in (", "a=b,", "=b", "a=b c", "a=$", "-a=b", "a,,b", "a in b"]) {
      expect(() => parseLabelSelector(text), text).toThrow(StatusError);
    }
  });

  it("never throws anything but StatusErrors", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseLabelSelector(text)({});
        } catch (error) {
          expect(error).toBeInstanceOf(StatusError);
        }
      }),
    );
  });

  it("of objects: empty selects all, absent nothing", () => {
    expect(labelSelectorPredicate({})(LABELS)).toBe(true);
    expect(labelSelectorPredicate(undefined)(LABELS)).toBe(false);
    const selector = {
      matchLabels: { app: "web" },
      matchExpressions: [{ key: "tier", operator: "NotIn", values: ["back"] }],
    };
    expect(labelSelectorPredicate(selector)(LABELS)).toBe(true);
    expect(labelSelectorPredicate(selector)({ app: "web", tier: "back" })).toBe(false);
  });
});

describe("field selectors", () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default" },
    spec: { nodeName: "n1", restartPolicy: "Always" },
    status: { phase: "Running" },
  } as unknown as KubeObject;
  const cases: [selector: string, matches: boolean][] = [
    ["metadata.name=p", true],
    ["metadata.name!=p", false],
    ["spec.nodeName=n1,status.phase!=Succeeded,status.phase!=Failed", true],
    ["spec.nodeName=", false],
    ["spec.hostNetwork=false", true],
    ["metadata.namespace==default", true],
  ];
  it.each(cases)("%s", (selector, matches) => {
    expect(parseFieldSelector("pods", selector).matches(pod)).toBe(matches);
  });

  it("know which fields a resource can be selected by", () => {
    expect(() => parseFieldSelector("pods", "spec.priority=1")).toThrow("field label not supported: spec.priority");
    expect(() => parseFieldSelector("configmaps", "data.a=1")).toThrow(
      '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
    );
    expect(() => parseFieldSelector("pods", "nonsense")).toThrow("invalid selector");
    const event = { involvedObject: { name: "x" }, metadata: {} } as unknown as KubeObject;
    expect(parseFieldSelector("events", "regarding.name=x").matches(event)).toBe(true);
  });

  it("tell what narrows a list down before it is filtered", () => {
    expect(parseFieldSelector("pods", "metadata.name=a,spec.nodeName=n")).toMatchObject({ name: "a", nodeName: "n" });
    expect(parseFieldSelector("pods", "metadata.name!=a").name).toBeUndefined();
  });
});
