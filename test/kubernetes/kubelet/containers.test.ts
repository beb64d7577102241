import { describe, expect, it } from "vitest";
import type { ProcessIo } from "../../../src/kubernetes/pod-streams.js";
import type { Container, Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { type FixtureOptions, nodeSpec, startCluster } from "../scheduler/cluster-fixture.js";

const AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.56";
const BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1";

async function withNode(options: FixtureOptions = {}) {
  const cluster = await startCluster(options);
  cluster.kubelets.start();
  await cluster.kubelets.addNode(nodeSpec("node-1"));
  await cluster.clock.advance(2_000);
  const { kubelets, clock } = cluster;
  const keyOf = (name: string) => ({ namespace: "default", name });
  return {
    ...cluster,
    run: (name: string, spec: Partial<PodSpec>, metadata: Partial<Pod["metadata"]> = {}) =>
      cluster.createPod(name, { nodeName: "node-1", ...spec }, metadata),
    /** A pod that runs a command once. */
    once: (name: string, command: string[] | undefined, extra: Partial<Container> = {}, spec: Partial<PodSpec> = {}) =>
      cluster.createPod(name, {
        nodeName: "node-1",
        restartPolicy: "Never",
        containers: [{ name: "app", image: BUSYBOX, ...(command ? { command } : {}), ...extra }],
        ...spec,
      }),
    log: (name: string, options = {}) => kubelets.podLog(keyOf(name), options),
    phase: (name: string) => cluster.getPod(name).status?.phase,
    status: (name: string) => cluster.getPod(name).status?.containerStatuses?.[0],
    messages: (name: string) => cluster.eventsAbout(name).map(({ message }) => message),
    async exec(name: string, command: string[], input?: string, container?: string) {
      let out = "";
      let err = "";
      const io: ProcessIo = {
        ...(input === undefined ? {} : { stdin: bytesOf(input) }),
        stdout: (bytes) => {
          out += Buffer.from(bytes).toString();
        },
        stderr: (bytes) => {
          err += Buffer.from(bytes).toString();
        },
        signal: new AbortController().signal,
      };
      const done = kubelets.streams.exec(keyOf(name), { command, tty: false, container }, io);
      done.catch(() => {});
      await clock.settled();
      return { code: await done, out, err };
    },
    async http(name: string, port: number, path = "/") {
      const connection = await kubelets.streams.connect(keyOf(name), port);
      let text = "";
      const ended = new Promise<string>((resolve) => {
        connection.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        connection.on("end", () => resolve(text));
      });
      connection.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      return { text: await ended };
    },
  };
}

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

describe("commands of containers", () => {
  it("print, exit and leave their last words", async () => {
    const { clock, once, log, phase, status } = await withNode();
    await once("echo", ["sh", "-c", "echo 'Hello World' ; sleep 3"]);
    await once("fallback", ["/bin/sh", "-c", "/bin/echo -n DONE; /bin/false"], {
      terminationMessagePolicy: "FallbackToLogsOnError",
    });
    await once("succeeded", ["/bin/sh", "-c", "/bin/echo -n DONE; /bin/true"], {
      terminationMessagePolicy: "FallbackToLogsOnError",
    });
    await once("file", ["/bin/sh", "-c", "/bin/echo -n OK > /dev/termination-log; /bin/echo DONE; /bin/true"]);
    await once("custom", ["/bin/sh", "-c", "/bin/echo -n DONE > /dev/termination-custom-log"], {
      terminationMessagePath: "/dev/termination-custom-log",
      securityContext: { runAsUser: 10_000 },
    });
    await once("tester", undefined, { image: AGNHOST, args: ["entrypoint-tester", "override", "arguments"] });
    await once("paused", undefined, { image: AGNHOST });
    await once("uid", ["id", "-u"], { securityContext: { runAsUser: 65_534 } });
    await once("readonly", ["/bin/sh", "-c", "echo test > /file; sleep 240"], {
      securityContext: { readOnlyRootFilesystem: true },
    });
    await clock.advance(7_000);
    expect(log("echo")).toBe("Hello World\n");
    expect(phase("echo")).toBe("Succeeded");
    expect(status("fallback")?.state?.terminated).toMatchObject({ exitCode: 1, message: "DONE", reason: "Error" });
    expect(log("fallback")).toBe("DONE");
    expect(status("succeeded")?.state?.terminated?.message).toBeUndefined();
    expect(status("file")?.state?.terminated?.message).toBe("OK");
    expect(status("custom")?.state?.terminated?.message).toBe("DONE");
    expect(log("tester")).toBe("[/agnhost entrypoint-tester override arguments]\n");
    expect([log("paused"), phase("paused")]).toEqual(["Paused\n", "Running"]);
    expect(log("uid")).toBe("65534\n");
    expect(log("readonly")).toBe("/bin/sh: can't create /file: Read-only file system\n");
  });

  it("are restarted as their policy says, and keep what they wrote to a volume", async () => {
    const { clock, run, phase, status, getPod } = await withNode();
    const script = `
f=/restart-count/restartCount
count=$(echo 'hello' >> $f ; wc -l $f | awk {'print $1'})
if [ $count -eq 1 ]; then
	exit 1
fi
if [ $count -eq 2 ]; then
	exit 0
fi
while true; do sleep 1; done
`;
    for (const restartPolicy of ["Always", "OnFailure", "Never"])
      await run(restartPolicy.toLowerCase(), {
        restartPolicy,
        volumes: [{ name: "count", emptyDir: { medium: "Memory" } }],
        containers: [
          {
            name: "app",
            image: BUSYBOX,
            command: ["sh", "-c", script],
            volumeMounts: [{ name: "count", mountPath: "/restart-count" }],
          },
        ],
      });
    await clock.advance(20_000);
    expect([phase("always"), status("always")?.restartCount, status("always")?.ready]).toEqual(["Running", 2, true]);
    expect([phase("onfailure"), status("onfailure")?.restartCount]).toEqual(["Succeeded", 1]);
    expect([phase("never"), status("never")?.restartCount]).toEqual(["Failed", 0]);
    // Nothing goes on that has ended.
    expect(getPod("always").status?.containerStatuses?.[0]?.state?.running).toBeDefined();
  });

  it("go on printing by the clock; their logs can be cut and followed", async () => {
    const { clock, once, log, kubelets } = await withNode();
    await once("gen", undefined, {
      image: AGNHOST,
      args: ["logs-generator", "--log-lines-total", "100", "--run-duration", "20s"],
    });
    await clock.advance(12_000);
    const lines = (log("gen") ?? "").trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.length).toBeLessThan(100);
    expect(lines[0]).toMatch(/ logs_generator\.go:76\] 0 (?:GET|POST|PUT) \/api\/v1\/namespaces\//);
    expect(log("gen", { tailLines: 1 })).toBe(`${lines[lines.length - 1]}\n`);
    expect(log("gen", { limitBytes: 1 })).toBe("I");
    expect(log("gen", { sinceSeconds: 1 })?.trimEnd().split("\n").length).toBeLessThanOrEqual(6);
    expect(log("gen", { tailLines: 1, timestamps: true })).toMatch(/^2026-03-01T12:00:\d\d\.\d+Z I/);
    const followed: string[] = [];
    let ended = false;
    kubelets.streams.followLog({ namespace: "default", name: "gen" }, undefined, {
      line: (text) => followed.push(text),
      end: () => {
        ended = true;
      },
    });
    await clock.advance(15_000);
    expect(followed.length).toBe(100 - lines.length);
    expect(ended).toBe(true);
  });

  it("end on SIGTERM when they handle it, else with the grace period", async () => {
    const { clock, once, api, findPod } = await withNode();
    await once("polite", ["sh", "-c", "trap 'echo bye; exit 0' TERM; while true; do sleep 1; done"]);
    await once("deaf", ["sleep", "3600"], {}, { terminationGracePeriodSeconds: 10 });
    await clock.advance(3_000);
    for (const name of ["polite", "deaf"]) await api.delete("pods", { namespace: "default", name });
    await clock.advance(1_500);
    expect(findPod("polite")).toBeUndefined();
    await clock.advance(7_000);
    expect(findPod("deaf")).toBeDefined();
    await clock.advance(2_000);
    expect(findPod("deaf")).toBeUndefined();
  });
});

describe("what containers find", () => {
  it("an environment as a kubelet makes it", async () => {
    const { clock, run, log, api, status } = await withNode();
    await api.create("configmaps", {
      metadata: { name: "conf", namespace: "default" },
      data: { "data-1": "value-1", other: "x" },
    });
    await api.create("secrets", {
      metadata: { name: "sec", namespace: "default" },
      data: { key: Buffer.from("s3cret").toString("base64") },
    });
    await api.create("services", {
      metadata: { name: "fooservice", namespace: "default" },
      spec: { clusterIP: "10.100.7.7", ports: [{ port: 8765 }] },
    });
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const resource = (name: string, what: string, divisor?: string) => ({
      name,
      valueFrom: { resourceFieldRef: { resource: what, divisor } },
    });
    await run(
      "env",
      {
        restartPolicy: "Never",
        containers: [
          {
            name: "app",
            image: BUSYBOX,
            command: ["sh", "-c", "env; echo $(FOO) $(MISSING) $$(FOO)"],
            resources: { requests: { cpu: "250m", memory: "32Mi" }, limits: { cpu: "1250m", memory: "64Mi" } },
            envFrom: [
              { prefix: "p-", configMapRef: { name: "conf" } },
              { configMapRef: { name: "none", optional: true } },
            ],
            env: [
              { name: "FOO", value: "foo-value" },
              { name: "FOOBAR", value: "$(FOO);;$(BAR)" },
              { name: "FROM_CONF", valueFrom: { configMapKeyRef: { name: "conf", key: "data-1" } } },
              { name: "FROM_SECRET", valueFrom: { secretKeyRef: { name: "sec", key: "key" } } },
              { name: "OPTIONAL", valueFrom: { secretKeyRef: { name: "sec", key: "none", optional: true } } },
              field("POD_NAME", "metadata.name"),
              field("POD_IP", "status.podIP"),
              field("HOST_IP", "status.hostIP"),
              field("HOST_IPS", "status.hostIPs"),
              field("LABEL", "metadata.labels['tier']"),
              resource("CPU_LIMIT", "limits.cpu"),
              resource("MEMORY_LIMIT", "limits.memory"),
              resource("CPU_REQUEST", "requests.cpu", "1m"),
            ],
          },
        ],
      },
      { labels: { tier: "web" } },
    );
    await run("defaults", {
      restartPolicy: "Never",
      containers: [
        {
          name: "app",
          image: BUSYBOX,
          command: ["sh", "-c", "env"],
          env: [resource("CPU_LIMIT", "limits.cpu"), resource("MEMORY_LIMIT", "limits.memory")],
        },
      ],
    });
    await run("missing", {
      containers: [
        {
          name: "app",
          image: BUSYBOX,
          env: [{ name: "K", valueFrom: { configMapKeyRef: { name: "conf", key: "nope" } } }],
        },
      ],
    });
    await clock.advance(4_000);
    const lines = (log("env") ?? "").split("\n");
    for (const line of [
      "HOSTNAME=env",
      "FOO=foo-value",
      "FOOBAR=foo-value;;$(BAR)",
      "p-data-1=value-1",
      "p-other=x",
      "FROM_CONF=value-1",
      "FROM_SECRET=s3cret",
      "POD_NAME=env",
      "HOST_IP=10.0.1.5",
      "HOST_IPS=10.0.1.5",
      "LABEL=web",
      "CPU_LIMIT=2",
      "MEMORY_LIMIT=67108864",
      "CPU_REQUEST=250",
      "FOOSERVICE_SERVICE_HOST=10.100.7.7",
      "FOOSERVICE_SERVICE_PORT=8765",
      "FOOSERVICE_PORT=tcp://10.100.7.7:8765",
      "FOOSERVICE_PORT_8765_TCP_ADDR=10.100.7.7",
    ])
      expect(lines).toContain(line);
    expect(lines.some((line) => /^POD_IP=10\.0\.1\.\d+$/.test(line))).toBe(true);
    expect(lines.some((line) => line.startsWith("OPTIONAL="))).toBe(false);
    expect(log("defaults")).toContain("CPU_LIMIT=2\nMEMORY_LIMIT=3670016000\n");
    expect(status("missing")?.state?.waiting).toEqual({
      reason: "CreateContainerConfigError",
      message: "couldn't find key nope in ConfigMap default/conf",
    });
  });

  it("volumes with their contents, which follow the objects they are made of", async () => {
    const { clock, run, once, exec, log, api, getPod } = await withNode();
    const conf = await api.create("configmaps", {
      metadata: { name: "conf", namespace: "default" },
      data: { "data-1": "value-1", "data-2": "two" },
    });
    await api.create("secrets", {
      metadata: { name: "sec", namespace: "default" },
      data: { pw: Buffer.from("x").toString("base64") },
    });
    await run(
      "vol",
      {
        volumes: [
          { name: "conf", configMap: { name: "conf" } },
          {
            name: "item",
            configMap: { name: "conf", items: [{ key: "data-2", path: "path/to/data-2", mode: 0o400 }] },
          },
          {
            name: "all",
            projected: {
              sources: [
                { secret: { name: "sec" } },
                { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
              ],
            },
          },
          { name: "shared", emptyDir: {} },
        ],
        containers: ["a", "b"].map((name) => ({
          name,
          image: BUSYBOX,
          command: ["sleep", "1h"],
          env: [{ name: "SUB", value: "deep" }],
          volumeMounts: [
            { name: "conf", mountPath: "/etc/conf" },
            { name: "conf", mountPath: "/etc/one", subPath: "data-1" },
            { name: "item", mountPath: "/etc/item" },
            { name: "all", mountPath: "/etc/all" },
            { name: "shared", mountPath: "/shared" },
            { name: "shared", mountPath: "/sub", subPathExpr: "$(SUB)" },
          ],
        })),
      },
      { labels: { app: "x" } },
    );
    await once(
      "mt",
      undefined,
      {
        image: AGNHOST,
        args: [
          "mounttest",
          "--fs_type=/test-volume",
          "--new_file_0666=/test-volume/test-file",
          "--file_perm=/test-volume/test-file",
        ],
        volumeMounts: [{ name: "v", mountPath: "/test-volume" }],
      },
      { volumes: [{ name: "v", emptyDir: { medium: "Memory" } }] },
    );
    await clock.advance(4_000);
    const cat = async (path: string) => (await exec("vol", ["cat", path], undefined, "a")).out;
    expect(await cat("/etc/conf/data-1")).toBe("value-1");
    expect(await cat("/etc/one")).toBe("value-1");
    expect(await cat("/etc/all/labels")).toBe('app="x"');
    expect((await exec("vol", ["ls", "-l", "/etc/item/path/to/data-2"])).out).toMatch(/^-r--------/);
    expect((await exec("vol", ["sh", "-c", "echo hi > /etc/conf/x"])).err).toContain("Read-only file system");
    await exec("vol", ["sh", "-c", "echo mine > /sub/file"], undefined, "a");
    expect((await exec("vol", ["cat", "/shared/deep/file"], undefined, "b")).out).toBe("mine\n");
    await api.update("configmaps", { ...conf, data: { "data-1": "value-2" } } as typeof conf);
    await clock.advance(60_000);
    expect(await cat("/etc/conf/data-1")).toBe("value-2");
    expect(await cat("/etc/one")).toBe("value-1");
    expect((await exec("vol", ["cat", "/etc/conf/data-2"])).err).toBe(
      "cat: can't open '/etc/conf/data-2': No such file or directory\n",
    );
    expect(await cat("/etc/hosts")).toContain(`# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n`);
    expect(await cat("/etc/hosts")).toContain(`${getPod("vol").status?.podIP}\tvol\n`);
    expect(log("mt")).toBe(
      'mount type of "/test-volume": tmpfs\ncontent of file "/test-volume/test-file": mount-tester new file\n\nperms of file "/test-volume/test-file": -rw-rw-rw-\n',
    );
  });

  it("files of their node", async () => {
    const { clock, run, exec } = await withNode();
    const volumeMounts = [{ name: "hosts", mountPath: "/etc/hosts-original" }];
    await run("p", {
      volumes: [{ name: "hosts", hostPath: { path: "/etc/hosts", type: "FileOrCreate" } }],
      containers: [
        { name: "managed", image: AGNHOST, volumeMounts },
        { name: "own", image: AGNHOST, volumeMounts: [...volumeMounts, { name: "hosts", mountPath: "/etc/hosts" }] },
      ],
    });
    await clock.advance(3_000);
    const cat = async (container: string, path: string) => (await exec("p", ["cat", path], undefined, container)).out;
    expect(await cat("managed", "/etc/hosts")).toMatch(/^# Kubernetes-managed hosts file\./);
    expect(await cat("own", "/etc/hosts")).toBe(await cat("managed", "/etc/hosts-original"));
    expect(await cat("own", "/etc/hosts")).toMatch(/^127\.0\.0\.1/);
  });

  it("are refused when a sub-path cannot be", async () => {
    const { clock, run, status, api, getPod, phase } = await withNode();
    const withPath = (name: string, value: string, subPathExpr = "$(POD_NAME)") =>
      run(name, {
        volumes: [{ name: "v", emptyDir: {} }],
        containers: [
          {
            name: "app",
            image: BUSYBOX,
            command: ["sh", "-c", "tail -f /dev/null"],
            env: [
              { name: "POD_NAME", value },
              { name: "ANNOTATION", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['mysubpath']" } } },
            ],
            volumeMounts: [{ name: "v", mountPath: "/logs", subPathExpr }],
          },
        ],
      });
    await withPath("dots", "..");
    await withPath("absolute", "/tmp");
    await withPath("annotated", "foo", "$(ANNOTATION)/$(POD_NAME)");
    await clock.advance(4_000);
    expect(status("dots")?.state?.waiting).toMatchObject({
      reason: "CreateContainerConfigError",
      message: "unable to provision SubPath `..`: must not contain '..'",
    });
    expect(status("absolute")?.state?.waiting?.reason).toBe("CreateContainerConfigError");
    expect(status("annotated")?.state?.waiting?.reason).toBe("CreateContainerConfigError");
    const pod = getPod("annotated");
    await api.update("pods", { ...pod, metadata: { ...pod.metadata, annotations: { mysubpath: "mypath" } } });
    await clock.advance(10_000);
    expect(phase("annotated")).toBe("Running");
  });
});

describe("probes and hooks", () => {
  it("restart a container whose liveness probe fails, and leave one alone whose does not", async () => {
    const { clock, run, status, messages } = await withNode();
    const probe = { initialDelaySeconds: 15, timeoutSeconds: 5, failureThreshold: 1 };
    const exec = { command: ["cat", "/tmp/health"] };
    const shell = (script: string, livenessProbe: object, image = BUSYBOX) => ({
      terminationGracePeriodSeconds: 2,
      containers: [{ name: "app", image, command: ["/bin/sh", "-c", script], livenessProbe }],
    });
    await run("fails", shell("echo ok >/tmp/health; sleep 10; rm -rf /tmp/health; sleep 600", { ...probe, exec }));
    await run("fine", shell("echo ok >/tmp/health; sleep 600", { ...probe, exec }));
    await run(
      "late",
      shell("sleep 600", { ...probe, timeoutSeconds: 1, exec: { command: ["/bin/sh", "-c", "sleep 10"] } }),
    );
    const agnhost = (args: string[], livenessProbe: object) => ({
      containers: [{ name: "app", image: AGNHOST, args, livenessProbe: { ...probe, ...livenessProbe } }],
    });
    await run("http", agnhost(["liveness"], { httpGet: { path: "/healthz", port: 8080 } }));
    await run("tcp", agnhost(["liveness"], { tcpSocket: { port: 8080 } }));
    await run("web", agnhost(["test-webserver"], { httpGet: { path: "/", port: 80 } }));
    await run("grpc", agnhost(["grpc-health-checking"], { grpc: { port: 5000 } }));
    await run("wrong", agnhost(["grpc-health-checking"], { grpc: { port: 5000, service: "other" } }));
    await clock.advance(30_000);
    const restarts = (name: string) => status(name)?.restartCount;
    expect(["fails", "late", "http", "wrong"].map(restarts)).toEqual([1, 1, 1, 1]);
    expect(["fine", "tcp", "web", "grpc"].map(restarts)).toEqual([0, 0, 0, 0]);
    expect(messages("fails")).toEqual(
      expect.arrayContaining([
        "Liveness probe failed: cat: can't open '/tmp/health': No such file or directory\n",
        "Container app failed liveness probe, will be restarted",
      ]),
    );
    expect(messages("http")).toContain("Liveness probe failed: HTTP probe failed with statuscode: 500");
    expect(messages("late")[4]).toMatch(/timed out after 1s$/);
  });

  it("make a pod ready only when they succeed: also after somebody has broken and mended what they look at", async () => {
    const { clock, run, condition, exec } = await withNode();
    const ready = (name: string) => condition(name, "Ready")?.status;
    const probe = {
      httpGet: { path: "/index.html", port: 80 },
      periodSeconds: 1,
      successThreshold: 1,
      failureThreshold: 1,
    };
    await run("ss-0", {
      containers: [{ name: "app", image: "registry.k8s.io/e2e-test-images/httpd:2.4.38-4", readinessProbe: probe }],
    });
    await run("never", {
      containers: [
        { name: "app", image: AGNHOST, args: ["test-webserver"], readinessProbe: { httpGet: { path: "/", port: 81 } } },
      ],
    });
    await clock.advance(4_000);
    expect([ready("ss-0"), ready("never")]).toEqual(["True", "False"]);
    const moved = await exec("ss-0", [
      "/bin/sh",
      "-x",
      "-c",
      "mv -v /usr/local/apache2/htdocs/index.html /tmp/ || true",
    ]);
    expect(moved).toMatchObject({ code: 0, out: "'/usr/local/apache2/htdocs/index.html' -> '/tmp/index.html'\n" });
    await clock.advance(2_000);
    expect(ready("ss-0")).toBe("False");
    await exec("ss-0", ["/bin/sh", "-c", "mv -v /tmp/index.html /usr/local/apache2/htdocs/ || true"]);
    await clock.advance(2_000);
    expect([ready("ss-0"), ready("never")]).toEqual(["True", "False"]);
  });

  it("by commands tell what is in images that are known, and believe all others", async () => {
    const { clock, run, condition, exec, status } = await withNode();
    const readinessProbe = { exec: { command: ["test", "-f", "/data/go"] }, periodSeconds: 1, failureThreshold: 1 };
    const pod = (container: Partial<Container>) => ({
      containers: [{ name: "app", image: "httpd:2", readinessProbe, ...container }],
    });
    await run("known", pod({}));
    await run("unknown", pod({ image: "example.com/app:1" }));
    await run("wrapped", pod({ image: "example.com/app:1", command: ["sh", "-c", "export A=1; exec /app/server"] }));
    await clock.advance(4_000);
    const ready = (name: string) => condition(name, "Ready")?.status;
    expect(["known", "unknown", "wrapped"].map(ready)).toEqual(["False", "True", "True"]);
    await exec("unknown", ["ls"]);
    await exec("known", ["sh", "-c", "mkdir -p /data; dd if=/dev/zero of=/data/go bs=1 count=1 conv=fsync"]);
    await clock.advance(3_000);
    expect(["known", "unknown", "wrapped"].map(ready)).toEqual(["True", "True", "True"]);
    expect(status("wrapped")?.restartCount).toBe(0);
  });

  it("run hooks after the start and before the end, over the network of the cluster, too", async () => {
    const { clock, run, api, log, getPod, status, messages, findPod } = await withNode();
    await run("handler", {
      containers: [{ name: "app", image: AGNHOST, args: ["netexec"], ports: [{ containerPort: 8080 }] }],
    });
    await clock.advance(3_000);
    const host = getPod("handler").status?.podIP as string;
    const curl = (what: string) => ({ exec: { command: ["sh", "-c", `curl http://${host}:8080/echo?msg=${what}`] } });
    const pod = (lifecycle: Container["lifecycle"]) => ({ containers: [{ name: "app", image: AGNHOST, lifecycle }] });
    await run(
      "hooks",
      pod({ postStart: curl("poststart"), preStop: { httpGet: { host, port: 8080, path: "/echo?msg=prestop" } } }),
    );
    await run("broken", pod({ postStart: { exec: { command: ["false"] } } }));
    await clock.advance(3_000);
    expect(log("handler")).toContain("GET /echo?msg=poststart");
    expect(status("hooks")?.ready).toBe(true);
    expect(messages("broken")).toContain("PostStartHook failed");
    expect(status("broken")?.restartCount).toBeGreaterThan(0);
    const before = (log("handler") ?? "").split("\n").length;
    await api.delete("pods", { namespace: "default", name: "hooks" });
    await clock.advance(2_000);
    expect(findPod("hooks")).toBeUndefined();
    expect((log("handler") ?? "").split("\n").length).toBe(before + 1);
  });
});

describe("a pod with sidecars", () => {
  it("keeps them until its other containers have ended, hooks included", async () => {
    const { clock, run, api, findPod, getPod, log, reasons } = await withNode();
    await run("handler", { containers: [{ name: "app", image: AGNHOST, args: ["netexec"] }] });
    await clock.advance(3_000);
    const dial = `/dial?host=${getPod("handler").status?.podIP}&port=8080&request=echo%3Fmsg%3Dprestop`;
    await run("hooked", {
      initContainers: [
        {
          name: "redirect",
          image: AGNHOST,
          args: ["netexec", "--udp-port", "-1"],
          restartPolicy: "Always",
          startupProbe: { httpGet: { path: "/echo?msg=startup", port: 8080 } },
        },
      ],
      containers: [
        {
          name: "app",
          image: "registry.k8s.io/pause:3.10",
          lifecycle: { preStop: { httpGet: { path: dial, port: 8080 } } },
        },
      ],
    });
    await clock.advance(6_000);
    expect(getPod("hooked").status?.phase).toBe("Running");
    await api.delete("pods", { namespace: "default", name: "hooked" });
    await clock.advance(3_000);
    expect(findPod("hooked")).toBeUndefined();
    expect(log("handler")).toContain("GET /echo?msg=prestop");
    expect(reasons("hooked")).not.toContain("FailedPreStopHook");
  });
});

describe("looking into a pod", () => {
  it("runs commands with their input, and tells what is not there", async () => {
    const { clock, run, exec } = await withNode();
    await run("web", {
      containers: [
        { name: "nginx", image: "nginx:1.29" },
        { name: "side", image: BUSYBOX, command: ["sleep", "1d"] },
      ],
    });
    await clock.advance(3_000);
    expect(await exec("web", ["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
      code: 3,
      out: "out\n",
      err: "err\n",
    });
    expect(await exec("web", ["cat"], "typed\n")).toMatchObject({ code: 0, out: "typed\n" });
    expect(await exec("web", ["sh"], "x=2\necho $((x+1))\nexit 4\n")).toMatchObject({ code: 4, out: "3\n" });
    expect(await exec("web", ["python3"])).toMatchObject({
      code: 127,
      err: expect.stringContaining('exec: "python3": executable file not found in $PATH'),
    });
    expect((await exec("web", ["hostname"], undefined, "side")).out).toBe("web\n");
    await expect(exec("web", ["ls"], undefined, "nobody")).rejects.toThrow("container nobody is not valid for pod web");
    const sent = await exec("web", ["tar", "cf", "-", "-C", "/usr/share/nginx", "html"]);
    expect(sent.out).toContain("Welcome to nginx!");
    expect(await exec("web", ["tar", "xmf", "-", "-C", "/tmp"], sent.out)).toMatchObject({ code: 0 });
    expect((await exec("web", ["grep", "-c", "h1", "/tmp/html/index.html"])).out).toBe("1\n");
  });

  it("connects to what listens, and to nothing else", async () => {
    const { clock, run, http, exec, getPod } = await withNode();
    await run("web", { containers: [{ name: "nginx", image: "nginx:1.29", ports: [{ containerPort: 80 }] }] });
    await run("host", { containers: [{ name: "app", image: AGNHOST, args: ["serve-hostname"] }] });
    await run(
      "told",
      { containers: [{ name: "app", image: "example.com/app:1" }] },
      {
        annotations: {
          "eksim.dev/behaviour": JSON.stringify({
            http: { "/health": 204, "/": "home", "8081/x": { status: 418, body: "tea" } },
            exec: { "app version": "1.2\n" },
            ports: [8081],
          }),
        },
      },
    );
    await clock.advance(3_000);
    expect((await http("web", 80)).text).toContain("Welcome to nginx!");
    await expect(http("web", 81)).rejects.toThrow("connection refused");
    expect((await http("host", 9376)).text).toMatch(/\r\n\r\nhost$/);
    expect((await http("told", 8080)).text).toMatch(/^HTTP\/1\.1 200 OK.*home$/s);
    expect((await http("told", 8081, "/x")).text).toMatch(/^HTTP\/1\.1 418 .*tea$/s);
    expect(await exec("told", ["app", "version"])).toEqual({ code: 0, out: "1.2\n", err: "" });
    expect((await exec("host", ["wget", "-qO-", `http://${getPod("web").status?.podIP}/`])).out).toContain(
      "Welcome to nginx!",
    );
    expect((await exec("host", ["curl", "-s", "http://nosuch/"])).code).toBe(6);
  });
});

describe("programmed images", () => {
  it("are functions of whoever makes the cluster", async () => {
    const { clock, run, http, exec, log, status, api, phase } = await withNode({
      images: {
        "my/web": {
          http: async (port, { path, body }) => ({
            status: 201,
            body: `${port}${path}${Buffer.from(body).toString()}`,
          }),
          exec: (argv) => (argv[0] === "web" ? { stdout: "hi\n", exitCode: 5 } : undefined),
          run: async ({ log, sleep, env, writeFile, argv }) => {
            log(`started ${env.MODE} ${argv.join(",")}`);
            writeFile("/dev/termination-log", "told");
            await sleep(10_000);
            return 3;
          },
        },
      },
    });
    await run("web", {
      restartPolicy: "Never",
      containers: [
        {
          name: "app",
          image: "my/web:1.2",
          args: ["--x"],
          env: [{ name: "MODE", value: "fast" }],
          ports: [{ containerPort: 8080 }],
        },
      ],
    });
    await run("stopped", { containers: [{ name: "app", image: "my/web:2" }] });
    await clock.advance(4_000);
    expect(log("web")).toBe("started fast --x\n");
    expect((await http("web", 8080, "/a?b")).text).toMatch(/^HTTP\/1\.1 201 .*8080\/a\?b$/s);
    expect(await exec("web", ["web", "check"])).toEqual({ code: 5, out: "hi\n", err: "" });
    expect((await exec("web", ["cat", "/dev/termination-log"])).out).toBe("told");
    await api.delete("pods", { namespace: "default", name: "stopped" });
    await clock.advance(10_000);
    expect(phase("web")).toBe("Failed");
    expect(status("web")?.state?.terminated).toMatchObject({ exitCode: 3, message: "told" });
    expect(api.get("pods", { namespace: "default", name: "stopped" })).toBeUndefined();
  });

  it("are described in ConfigMaps with a label", async () => {
    const { clock, run, status, messages, api, phase, eventsAbout } = await withNode();
    await api.create("configmaps", {
      metadata: { name: "images", namespace: "default", labels: { "eksim.dev/images": "true" } },
      data: {
        flaky: JSON.stringify({ image: "example.com/*/flaky", crashEverySeconds: 5, terminationMessage: "again" }),
        gone: JSON.stringify({ imagePull: "missing" }),
        hungry: JSON.stringify({ runForSeconds: 1, oomKilled: true }),
        wrong: JSON.stringify({ nonsense: 1 }),
      },
    });
    const image = (name: string) => ({ containers: [{ name: "app", image: name }] });
    await run("flaky", image("example.com/team/flaky:7"));
    await run("gone", image("registry.example.com/x/gone:1"));
    await run("hungry", { ...image("hungry"), restartPolicy: "Never" });
    await clock.advance(9_000);
    expect(status("flaky")?.lastState?.terminated).toMatchObject({ exitCode: 1, message: "again" });
    expect(messages("gone").join()).toContain("Failed to pull image");
    expect(phase("hungry")).toBe("Failed");
    expect(status("hungry")?.state?.terminated).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
    expect(
      eventsAbout("images")
        .map(({ message }) => message)
        .join(),
    ).toContain('wrong: unknown key "nonsense"');
  });
});

describe("a pod that asks for other resources while it runs", () => {
  it("gets them, waits for them, or is told that it never will; and restarts where its policy says so", async () => {
    const { clock, run, api, getPod, status, condition, messages } = await withNode();
    const resources = (cpu: string) => ({ requests: { cpu }, limits: { cpu: "3" } });
    const pod = (cpu: string, extra: Partial<Container> = {}) => ({
      containers: [{ name: "app", image: "nginx:1.29", resources: resources(cpu), ...extra }],
    });
    await run("web", pod("100m"));
    await run("other", pod("1"));
    await run("picky", pod("100m", { resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }] }));
    await clock.advance(3_000);
    const resize = (name: string, cpu: string) => {
      const present = getPod(name);
      const [container] = present.spec?.containers ?? [];
      const spec = { ...present.spec, containers: [{ ...container, resources: resources(cpu) }] } as PodSpec;
      return api.update("pods", { ...present, spec }, { subresource: "resize" });
    };
    await resize("web", "300m");
    await clock.advance(1_000);
    expect(status("web")).toMatchObject({
      allocatedResources: { cpu: "300m" },
      resources: resources("300m"),
      restartCount: 0,
    });
    expect(getPod("web")).toMatchObject({ metadata: { generation: 2 }, status: { observedGeneration: 2 } });
    await resize("web", "1");
    await clock.advance(1_000);
    expect(condition("web", "PodResizePending")).toMatchObject({ status: "True", reason: "Deferred" });
    expect(status("web")?.allocatedResources).toEqual({ cpu: "300m" });
    await api.delete("pods", { namespace: "default", name: "other" });
    await clock.advance(6_000);
    expect(condition("web", "PodResizePending")).toBeUndefined();
    expect(status("web")?.allocatedResources).toEqual({ cpu: "1" });
    await resize("web", "2500m");
    await clock.advance(1_000);
    expect(condition("web", "PodResizePending")).toMatchObject({
      reason: "Infeasible",
      message: "Node didn't have enough capacity: cpu, requested: 2500, capacity: 1930",
    });
    await resize("picky", "200m");
    await clock.advance(3_000);
    expect(status("picky")).toMatchObject({ restartCount: 1, allocatedResources: { cpu: "200m" } });
    expect(messages("picky")).toContain("Container app resize requires restart");
    const present = getPod("web");
    const bare = present.spec?.containers.map((container) => ({ ...container, resources: {} }));
    await expect(
      api.update("pods", { ...present, spec: { ...present.spec, containers: bare } } as Pod, { subresource: "resize" }),
    ).rejects.toThrow("Pod QOS Class may not change as a result of resizing");
  });
});

describe("a container whose image changes", () => {
  // The second one runs a program on the simulated machine; both end as soon as they are told to.
  it.each([
    ["registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10", 30, 1_000],
    [AGNHOST, AGNHOST.replace("2.56", "2.57"), 0, 999],
  ])(
    "is ended in order and is ready until then, and runs the new image: %s",
    async (before, after, graceSeconds, readyMs) => {
      const { clock, run, api, getPod, status, messages } = await withNode();
      await run("web", { containers: [{ name: "app", image: before }], terminationGracePeriodSeconds: graceSeconds });
      await clock.advance(5_000);
      const pod = getPod("web");
      const [app] = pod.spec?.containers ?? [];
      await api.update("pods", { ...pod, spec: { ...pod.spec, containers: [{ ...app, image: after }] } } as Pod);
      await clock.advance(readyMs);
      expect(status("web")).toMatchObject({ ready: true, restartCount: 0 });
      await clock.advance(5_000);
      expect(status("web")).toMatchObject({ ready: true, restartCount: 1, image: after });
      expect(messages("web")).toContain("Container app definition changed, will be restarted");
    },
  );

  it("goes on when it is the old one again before the kubelet has looked", async () => {
    const { clock, run, api, getPod, status, messages } = await withNode();
    await run("web", { containers: [{ name: "app", image: "registry.k8s.io/pause:3.9" }] });
    await clock.advance(5_000);
    const setImage = async (image: string): Promise<void> => {
      const pod = getPod("web");
      const [app] = pod.spec?.containers ?? [];
      await api.update("pods", { ...pod, spec: { ...pod.spec, containers: [{ ...app, image }] } } as Pod);
      await clock.advance(400);
    };
    await setImage("registry.k8s.io/pause:3.10");
    await setImage("registry.k8s.io/pause:3.9");
    await clock.advance(5_000);
    expect(status("web")).toMatchObject({ ready: true, restartCount: 0, image: "registry.k8s.io/pause:3.9" });
    expect(messages("web").join()).not.toContain("definition changed");
  });
});
