import { describe, expect, it } from "vitest";
import { environmentName, OPTIONS, readConfig, UsageError } from "../src/config.js";

describe("configuration", () => {
  it("has the documented defaults", () => {
    expect(readConfig({}, {})).toMatchObject({
      port: 4566,
      host: "127.0.0.1",
      dataDir: ".eksim",
      backend: "embedded",
      clock: { kind: "real" },
      profile: "instant",
      seed: 1,
      strict: false,
      verifySignatures: false,
      logLevel: "info",
    });
  });

  it("takes every option from the environment, and lets flags win", () => {
    expect(readConfig({}, { EKSIM_PORT: "0", EKSIM_CLOCK: "scaled:60", EKSIM_STRICT: "1" })).toMatchObject({
      port: 0,
      clock: { kind: "scaled", factor: 60 },
      strict: true,
    });
    expect(readConfig({ port: "7" }, { EKSIM_PORT: "8" }).port).toBe(7);
    expect(readConfig({}, { EKSIM_PORT: "" }).port).toBe(4566);
  });

  it.each([
    ["port", "x"],
    ["port", "65536"],
    ["port", "-1"],
    ["backend", "minikube"],
    ["clock", "scaled:0"],
    ["clock", "fast"],
    ["profile", "slow"],
    ["seed", "1.5"],
    ["strict", "maybe"],
    ["log-level", "loud"],
    ["log-format", "xml"],
    ["clock-start", "yesterday"],
    ["pod-endpoint-url", "localhost:4566"],
    ["kind-node-image", "1.36"],
    ["kind-node-image", "latest=kindest/node"],
    ["kind-parallel", "0"],
    ["endpoint-ports", "20000"],
    ["endpoint-ports", "20019-20000"],
    ["endpoint-ports", "60000-70000"],
  ] as const)("refuses --%s %s and says what is allowed", (flag, value) => {
    expect(() => readConfig({ [flag]: value }, {})).toThrowError(UsageError);
    expect(() => readConfig({}, { [environmentName(flag)]: value })).toThrowError(
      new RegExp(`--${flag}.*${environmentName(flag)}.*give`),
    );
  });

  it("has node images of kind by version, its provider by kind's own switch, and shows tools only what they need", () => {
    const { kind } = readConfig(
      { "kind-node-image": "1.36=local/node:a, 1.35=kindest/node:v1.35.6" },
      {
        KIND_EXPERIMENTAL_PROVIDER: "podman",
        PATH: "/bin",
        DOCKER_HOST: "unix:///x",
        KUBECONFIG: "/mine",
        SECRET: "s",
      },
    );
    expect([...kind.nodeImages]).toEqual([
      ["1.36", "local/node:a"],
      ["1.35", "kindest/node:v1.35.6"],
    ]);
    expect(kind.provider).toBe("podman");
    expect(kind.environment).toEqual({ KIND_EXPERIMENTAL_PROVIDER: "podman", PATH: "/bin", DOCKER_HOST: "unix:///x" });
    expect(readConfig({}, {}).kind).toMatchObject({ provider: "docker", parallel: 2 });
    expect(() => readConfig({}, { KIND_EXPERIMENTAL_PROVIDER: "lxc" })).toThrowError(/docker, podman or nerdctl/);
  });

  it("wants a clock start only where time is simulated", () => {
    expect(() => readConfig({ "clock-start": "2026-01-01T00:00:00Z" }, {})).toThrowError(/stepped/);
    expect(readConfig({ clock: "stepped", "clock-start": "2026-01-01T00:00:00Z" }, {}).clockStartMs).toBe(
      Date.UTC(2026, 0, 1),
    );
  });

  it("has no address of AWS for pods unless it is given one", () => {
    expect(readConfig({}, {}).podEndpointUrl).toBeUndefined();
    const url = "http://host.docker.internal:4566";
    expect(readConfig({ "pod-endpoint-url": url }, {}).podEndpointUrl).toBe(url);
  });

  it("describes every option in one line", () => {
    for (const option of OPTIONS) expect(option.help.length).toBeGreaterThan(10);
  });

  it("reads credentials from the environment and always knows test", () => {
    expect([...readConfig({}, { EKSIM_CREDENTIALS: "AKIA1:secret, AKIA2:other" }).credentials]).toEqual([
      ["test", "test"],
      ["AKIA1", "secret"],
      ["AKIA2", "other"],
    ]);
    expect(() => readConfig({}, { EKSIM_CREDENTIALS: "nocolon" })).toThrowError(/access-key:secret/);
  });
});
