import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KubectlCluster, newestKubectl, STARTUP_MS, startKubectlCluster } from "./kubectl.js";
import { client, installed } from "./process.js";

const present = installed("helm", ["version"]);
const kubectl = newestKubectl();
if (present && !kubectl) console.warn("skipped: kubectl is not installed on this machine");

const TEMPLATES: Readonly<Record<string, string>> = {
  "web.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: { app: {{ .Release.Name }} }
  template:
    metadata:
      labels: { app: {{ .Release.Name }} }
    spec:
      containers:
        - name: web
          image: "nginx:{{ .Values.tag }}"
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-web
spec:
  selector: { app: {{ .Release.Name }} }
  ports: [{ port: 80 }]
`,
  "migrate.yaml": `
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - { name: migrate, image: busybox, command: ["sh", "-c", "exit {{ .Values.migrationExit }}"] }
`,
};

describe.skipIf(!present || !kubectl)("helm", () => {
  let cluster: KubectlCluster;
  let chart: string;
  const helm = (...args: string[]): Promise<string> =>
    client("helm", ["--kubeconfig", join(cluster.home, "..", "config"), ...args], {
      HOME: cluster.home,
      HELM_CACHE_HOME: join(cluster.home, "cache"),
      HELM_CONFIG_HOME: join(cluster.home, "config"),
      HELM_DATA_HOME: join(cluster.home, "data"),
    });
  const WAIT = ["--wait", "--timeout", "60s"];

  beforeAll(async () => {
    cluster = await startKubectlCluster(kubectl as string);
    chart = join(cluster.home, "chart");
    mkdirSync(join(chart, "templates"), { recursive: true });
    writeFileSync(join(chart, "Chart.yaml"), "apiVersion: v2\nname: demo\nversion: 0.1.0\n");
    writeFileSync(join(chart, "values.yaml"), 'replicas: 2\ntag: "1.27"\nmigrationExit: 0\n');
    for (const [name, text] of Object.entries(TEMPLATES)) writeFileSync(join(chart, "templates", name), text);
  }, STARTUP_MS);
  afterAll(async () => {
    await cluster?.stop();
  });

  it("installs, upgrades, rolls back and uninstalls a chart, and runs its hooks", { timeout: 300_000 }, async () => {
    expect(await helm("install", "shop", chart, ...WAIT)).toContain("STATUS: deployed");
    expect(await cluster.run("get deployment shop-web -o jsonpath={.status.availableReplicas}")).toBe("2");
    expect(await cluster.run("get job shop-migrate -o jsonpath={.status.succeeded}")).toBe("1");
    expect(await helm("upgrade", "shop", chart, "--set", "replicas=3,tag=1.28", ...WAIT)).toContain("REVISION: 2");
    expect(await cluster.run("get deployment shop-web -o jsonpath={.status.updatedReplicas}")).toBe("3");
    await expect(helm("upgrade", "shop", chart, "--set", "migrationExit=1", ...WAIT)).rejects.toThrow(/pre-upgrade/);
    expect(await helm("rollback", "shop", "1", ...WAIT)).toContain("Rollback was a success");
    expect(await cluster.run("get deployment shop-web -o jsonpath={.spec.template.spec.containers[0].image}")).toBe(
      "nginx:1.27",
    );
    const history = JSON.parse(await helm("history", "shop", "-o", "json")) as { status: string }[];
    expect(history.map(({ status }) => status)).toEqual(["superseded", "superseded", "failed", "deployed"]);
    expect(await helm("uninstall", "shop", ...WAIT)).toContain("uninstalled");
    expect((await cluster.kubectl("get deployment shop-web")).err).toContain("NotFound");
  });
});
