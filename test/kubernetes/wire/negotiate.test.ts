import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStatusError } from "../../../src/kubernetes/errors.js";
import { negotiate } from "../../../src/kubernetes/wire/negotiate.js";

const KUBECTL_TABLE =
  "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
const KUBECTL_DISCOVERY =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

describe("content negotiation", () => {
  it.each([undefined, "", "*/*", "application/json", "application/json, */*", "application/*", "text/html,*/*;q=0.8"])(
    "answers plain JSON for %s",
    (accept) => {
      expect(negotiate(accept)).toEqual({ format: "json", contentType: "application/json" });
    },
  );

  it("passes over protobuf when JSON is accepted as well", () => {
    expect(negotiate("application/vnd.kubernetes.protobuf,application/json").format).toBe("json");
  });

  it("gives kubectl a Table where the endpoint has one, and the object where it has not", () => {
    expect(negotiate(KUBECTL_TABLE, ["Table"])).toMatchObject({
      as: "Table",
      version: "v1",
      contentType: "application/json",
    });
    expect(negotiate(KUBECTL_TABLE, [])).toEqual({ format: "json", contentType: "application/json" });
  });

  it("names group, version and kind in the content type of aggregated discovery", () => {
    expect(negotiate(KUBECTL_DISCOVERY, ["APIGroupDiscoveryList"])).toMatchObject({
      version: "v2",
      contentType: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    });
    expect(
      negotiate("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", ["APIGroupDiscoveryList"])
        .version,
    ).toBe("v2beta1");
  });

  it("follows quality before position", () => {
    const either = (accept: string) => negotiate(accept, [], ["json", "yaml"]).format;
    expect(either("application/json;q=0.5, application/yaml")).toBe("yaml");
    expect(either("application/yaml;q=0, application/json")).toBe("json");
  });

  it.each([
    "application/vnd.kubernetes.protobuf",
    "text/html",
    "application/json;as=Table;v=v2;g=meta.k8s.io",
    "application/json;as=Nonsense",
    "garbage",
  ])("refuses %s with 406", (accept) => {
    expect(() => negotiate(accept, ["Table"])).toThrow("only the following media types are accepted");
  });

  it("never fails otherwise, whatever the header", () => {
    fc.assert(
      fc.property(fc.string(), (accept) => {
        try {
          negotiate(accept, ["Table"]);
        } catch (error) {
          expect(isStatusError(error, "NotAcceptable")).toBe(true);
        }
      }),
    );
  });
});
