import { describe, expect, it } from "vitest";
import { behaviourOf, behaviourProblem } from "../../../src/kubernetes/kubelet/behaviour.js";
import { createImageRegistry } from "../../../src/kubernetes/kubelet/image-registry.js";
import { imageOf } from "../../../src/kubernetes/kubelet/images.js";
import { createPodAddresses } from "../../../src/kubernetes/kubelet/pod-addresses.js";
import type { Container, Pod } from "../../../src/kubernetes/schema/generated/types.js";

describe("image names", () => {
  it.each([
    ["nginx", "docker.io/library/nginx:latest"],
    ["nginx:1.29", "docker.io/library/nginx:1.29"],
    ["bitnami/redis:8", "docker.io/bitnami/redis:8"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["public.ecr.aws/eks/coredns:v1.12.0", "public.ecr.aws/eks/coredns:v1.12.0"],
    [`app@sha256:${"a".repeat(64)}`, `docker.io/library/app@sha256:${"a".repeat(64)}`],
  ])("%s is %s in full", (name, fullName) => {
    expect(imageOf(name)).toMatchObject({ fullName });
    expect(imageOf(name).problem).toBeUndefined();
    expect(imageOf(name).imageID).toMatch(/@sha256:[0-9a-f]{64}$/);
  });

  it("tells what cannot be pulled and what is no name at all", () => {
    expect(imageOf("webserver:404").problem).toBe("missing");
    expect(imageOf("gb-redisslave:nonexistent").problem).toBe("missing");
    expect(imageOf("Upper/Case").problem).toBe("invalid");
    expect(imageOf("").problem).toBe("invalid");
  });
});

describe("pod addresses", () => {
  it("come in turn, are not used twice, and rest before they are used again", () => {
    const addresses = createPodAddresses("10.0.3.0/29");
    expect(addresses.claim("10.0.3.2")).toBe(true);
    expect(addresses.claim("10.9.9.9")).toBe(false);
    const taken = Array.from({ length: 6 }, () => addresses.take());
    expect(taken).toEqual(["10.0.3.1", "10.0.3.3", "10.0.3.4", "10.0.3.5", "10.0.3.6", undefined]);
    addresses.release("10.0.3.4");
    addresses.release("10.0.3.1");
    expect([addresses.take(), addresses.take(), addresses.take()]).toEqual(["10.0.3.1", "10.0.3.4", undefined]);
  });

  it("may be of version 6", () => {
    const addresses = createPodAddresses("2001:db8:1::/80");
    expect([addresses.take(), addresses.take()]).toEqual(["2001:db8:1::1", "2001:db8:1::2"]);
    expect(addresses.claim("2001:db8:1::3")).toBe(true);
    expect(addresses.take()).toBe("2001:db8:1::4");
  });
});

describe("the behaviour annotation", () => {
  const container: Container = { name: "app", image: "nginx" };
  const images = createImageRegistry();
  const pod = (text: string) =>
    ({ metadata: { name: "p", annotations: { "eksim.dev/behaviour": text } } }) as unknown as Pod;

  it.each([
    ["{", "not JSON"],
    ["[]", "not a JSON object"],
    ['{"exit": 1}', 'unknown key "exit"'],
    ['{"exitCode": 300}', '"exitCode" must be 0 to 255'],
    ['{"containers": {"app": {"logs": "x"}}}', '"containers.app.logs" must be a list of strings'],
  ])("%s: %s", (text, problem) => {
    expect(behaviourProblem(pod(text))).toContain(problem);
  });

  it("applies to app containers, and to any container that it names", () => {
    const programmed = pod('{"exitCode": 4, "containers": {"setup": {"runForSeconds": 2}}}');
    expect(behaviourProblem(programmed)).toBeUndefined();
    expect(behaviourOf(programmed, container, "app", images)).toMatchObject({ runForMs: 0, exitCode: 4 });
    expect(behaviourOf(programmed, { ...container, name: "setup" }, "init", images)).toMatchObject({
      runForMs: 2_000,
      exitCode: 0,
    });
    expect(behaviourOf(programmed, { ...container, name: "other" }, "sidecar", images).runForMs).toBeUndefined();
  });
});
