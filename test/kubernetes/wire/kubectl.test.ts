import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeBody } from "../../../src/kubernetes/wire/decode.js";
import { kubectl, kubectlPath, type Received, startServer } from "./kubectl.js";

const installed = kubectlPath() !== undefined;
if (!installed) console.log("skipped: kubectl is not installed");

describe.skipIf(!installed)("the real kubectl", () => {
  let server: Awaited<ReturnType<typeof startServer>>;
  let home: string;
  let posted: { path: string; object: Record<string, unknown>; query: URLSearchParams }[] = [];

  const answer = ({ method, path, query, bytes, contentType }: Received) => {
    if (method !== "POST") return undefined;
    const kind = /deployments$/.test(path) ? "Deployment" : "ConfigMap";
    const expected = { apiVersion: kind === "Deployment" ? "apps/v1" : "v1", kind, type: kind };
    const { object } = decodeBody({ bytes, contentType, expected, fieldValidation: "Strict" });
    posted.push({ path, object, query });
    return { status: 201, body: JSON.stringify(object) };
  };

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "kubectl-"));
    server = await startServer(answer);
  });
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const run = (args: readonly string[], input?: string) => kubectl(server.url, home, args, input);

  it("creates with a protobuf body once it has found field validation in the documents", async () => {
    posted = [];
    const { code, stdout, stderr } = await run(["create", "deployment", "web", "--image=nginx", "--replicas=0"]);
    expect(stderr).toBe("");
    expect(stdout).toContain("deployment.apps/web created");
    expect(code).toBe(0);
    expect(posted[0]?.object).toMatchObject({ kind: "Deployment", metadata: { name: "web" }, spec: { replicas: 0 } });
    expect(posted[0]?.query.get("fieldValidation")).toBe("Strict");
  });

  it("applies a manifest", async () => {
    posted = [];
    const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: b}\n";
    const { stdout, stderr } = await run(["apply", "-f", "-"], manifest);
    expect(stderr).toBe("");
    expect(stdout).toContain("configmap/cm created");
    expect(posted[0]?.object).toMatchObject({ data: { a: "b" } });
  });

  it("explains fields with their types and descriptions", async () => {
    const { stdout, stderr } = await run(["explain", "pod.spec.containers"]);
    expect(stderr).toBe("");
    expect(stdout).toContain("KIND:       Pod");
    expect(stdout).toContain("FIELD: containers <[]Container>");
    expect(stdout).toMatch(/livenessProbe\s+<Probe>/);
    expect((await run(["explain", "deployment", "--recursive"])).stdout).toContain("maxSurge\t<IntOrString>");
  });

  it("lists resources with their short names", async () => {
    const { stdout } = await run(["api-resources"]);
    expect(stdout).toMatch(/^deployments\s+deploy\s+apps\/v1\s+true\s+Deployment$/m);
    expect(stdout).toMatch(/^horizontalpodautoscalers\s+hpa\s+autoscaling\/v2\s+true/m);
    expect((await run(["api-versions"])).stdout.split("\n")).toContain("apps/v1");
  });
});
