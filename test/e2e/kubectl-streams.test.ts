import type { ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KubectlCluster, newestKubectl, printed, STARTUP_MS, startKubectlCluster } from "./kubectl.js";

/** kubectl's sub-commands that open a stream into a pod: logs, exec, cp, attach, port-forward, proxy, debug, run -i. */

const program = newestKubectl();
let cluster: KubectlCluster;
const running = new Set<ChildProcess>();
const run: KubectlCluster["run"] = (line, options) => cluster.run(line, options);

/** A kubectl that runs until the end of the test. */
function start(line: string): ChildProcess {
  const child = cluster.start(line);
  running.add(child);
  return child;
}

/** Prints a line each second, and says good-bye when it is asked to stop. */
const TALKER = "trap 'echo bye; exit 0' TERM; i=0; while true; do i=$((i+1)); echo tick $i; sleep 1; done";
const podOf = (name: string, image: string, script?: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: "main", image, ...(script ? { command: ["sh", "-c", script] } : {}), ...more }] },
});

describe.skipIf(!program)("kubectl, into pods", () => {
  beforeAll(async () => {
    cluster = await startKubectlCluster(program as string);
    const items = [
      podOf("talker", "busybox", TALKER),
      podOf("crasher", "busybox", "echo last words; exit 3"),
      podOf("web", "nginx", undefined, { ports: [{ containerPort: 80, name: "http" }] }),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: { selector: { app: "web" }, ports: [{ port: 8080, targetPort: "http", name: "page" }] },
      },
    ];
    await run("create -f -", { input: { apiVersion: "v1", kind: "List", items } });
    await run("wait --for=condition=Ready pod/talker pod/web --timeout=120s");
  }, STARTUP_MS);
  afterAll(async () => {
    for (const child of running) child.kill();
    await cluster?.stop();
  });

  it("logs shows what a container has printed, and goes on showing it", async () => {
    const following = start("logs talker -f --tail=1");
    await printed(following, /tick \d+\ntick \d+\ntick \d+\n/);
    following.kill();
    const [all, tail, stamped, labelled, since] = await Promise.all([
      run("logs talker"),
      run("logs talker --tail=1"),
      run("logs talker --timestamps --tail=1"),
      run("logs -l app=talker --prefix --tail=1"),
      run("logs talker --since=1h --limit-bytes=6"),
    ]);
    expect(all).toMatch(/^tick 1\ntick 2\n/);
    expect(tail).toMatch(/^tick \d+\n$/);
    expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z tick \d+\n$/);
    expect(labelled).toMatch(/^\[pod\/talker\/main\] tick \d+\n$/);
    expect(since).toBe("tick 1");
    await run(
      "wait --for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=3 pod/crasher --timeout=60s",
    );
    expect(await run("logs crasher --previous")).toBe("last words\n");
  });

  it("exec runs commands, with input, and ends as they end", async () => {
    const [hello, piped, failing, unknown] = await Promise.all([
      run("exec talker -- sh -c 'echo $HOSTNAME; cat /etc/hostname'"),
      run("exec -i talker -- cat", { input: "from outside" }),
      cluster.kubectl("exec talker -- sh -c 'echo no >&2; exit 4'"),
      cluster.kubectl("exec talker -- no-such-program"),
    ]);
    expect(hello).toBe("talker\ntalker\n");
    expect(piped).toBe("from outside");
    expect([failing.code, failing.err]).toEqual([4, "no\ncommand terminated with exit code 4\n"]);
    expect(unknown.code).not.toBe(0);
    expect(unknown.err).toContain("no-such-program");
    expect(await run("exec svc/web -- ls /usr/share/nginx/html")).toContain("index.html");
  });

  it("exec is judged by admission as a connection", async () => {
    const api = { apiVersion: "admissionregistration.k8s.io/v1", metadata: { name: "no-rm" } };
    const resourceRules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CONNECT"], resources: ["pods/exec"] }];
    const validations = [{ expression: "object.command[0] != 'rm'", message: "nothing is removed here" }];
    const items = [
      { ...api, kind: "ValidatingAdmissionPolicy", spec: { matchConstraints: { resourceRules }, validations } },
      { ...api, kind: "ValidatingAdmissionPolicyBinding", spec: { policyName: "no-rm", validationActions: ["Deny"] } },
    ];
    await run("create -f -", { input: { apiVersion: "v1", kind: "List", items } });
    // A policy takes effect a moment after it is there; until then the file is missed.
    let refused = "";
    while (!refused.includes("denied request")) refused = (await cluster.kubectl("exec web -- rm /none")).err;
    expect(refused).toContain("nothing is removed here");
    expect(await run("exec web -- echo allowed")).toBe("allowed\n");
    await run("delete validatingadmissionpolicybinding,validatingadmissionpolicy no-rm");
  });

  it("cp takes files in and out", async () => {
    const content = "line\n".repeat(20_000);
    writeFileSync(join(cluster.home, "in.txt"), content);
    await run("cp in.txt talker:/tmp/copied.txt");
    expect(await run("exec talker -- wc -c /tmp/copied.txt")).toContain(String(content.length));
    await run("cp talker:/tmp/copied.txt out.txt");
    expect(readFileSync(join(cluster.home, "out.txt"), "utf8")).toBe(content);
  });

  it("attach joins a container, and run -i waits for one", async () => {
    const attached = start("attach talker");
    await printed(attached, /tick \d+\ntick \d+\n/);
    attached.kill();
    const once = await cluster.kubectl(
      "run once --image=busybox --restart=Never --rm -i -- sh -c 'read line; echo got $line'",
      {
        input: "this\n",
      },
    );
    expect(once.out).toContain("got this");
    expect((await cluster.kubectl("get pod once")).err).toContain("not found");
  });

  it("port-forward and proxy lead to what serves in a pod", async () => {
    const forward = async (target: string): Promise<string> => {
      const child = start(`port-forward ${target}`);
      const [, port] = await printed(child, /127\.0\.0\.1:(\d+) ->/);
      return (await fetch(`http://127.0.0.1:${port}/`)).text();
    };
    const proxied = async (): Promise<string> => {
      const [, port] = await printed(start("proxy --port=0"), /127\.0\.0\.1:(\d+)/);
      return (await fetch(`http://127.0.0.1:${port}/api/v1/namespaces/default/services/web:page/proxy/`)).text();
    };
    const pages = await Promise.all([
      forward("pod/web :80"),
      forward("service/web :8080"),
      proxied(),
      run("get --raw /api/v1/namespaces/default/pods/web/proxy/"),
    ]);
    for (const page of pages) expect(page).toContain("Welcome to nginx");
  });

  it("get --raw reads through the proxies whatever the conformance suite's porter serves, and logs what its generator writes", async () => {
    const image = "registry.k8s.io/e2e-test-images/agnhost:2.56";
    const page = '<a href="/rewriteme">test</a>';
    const env = Object.entries({
      SERVE_PORT_1080: page,
      SERVE_PORT_160: "foo",
      SERVE_PORT_162: "bar",
      SERVE_TLS_PORT_460: "tls",
    });
    const porter = podOf("porter", image, undefined, {
      command: ["/agnhost", "porter"],
      env: env.map(([name, value]) => ({ name, value })),
      ports: [{ name: "plain", containerPort: 160 }],
    });
    const answers = podOf("answers", image, undefined, {
      command: ["/agnhost", "porter", "--json-response"],
      env: [{ name: "SERVE_PORT_80", value: "foo" }],
    });
    const ports = [
      { name: "one", port: 80, targetPort: "plain" },
      { name: "two", port: 81, targetPort: 162 },
      { name: "tls", port: 443, targetPort: 460 },
    ];
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "porter" },
      spec: { selector: { app: "porter" }, ports },
    };
    await run("create -f -", { input: { apiVersion: "v1", kind: "List", items: [porter, answers, service] } });
    await run(
      `run generator --image=${image} --restart=Never -- logs-generator --log-lines-total 100 --run-duration 20s`,
    );
    await run("wait --for=condition=Ready pod/porter pod/answers --timeout=60s");
    const at = "/api/v1/namespaces/default";
    const expected = {
      "services/porter:one/proxy/": "foo",
      "services/http:porter:two/proxy/": "bar",
      "services/https:porter:tls/proxy/": "tls",
      "pods/porter/proxy/": "foo",
      "pods/porter:162/proxy/": "bar",
      "pods/https:porter:460/proxy/": "tls",
      "pods/porter:1080/proxy/": `<a href="${at}/pods/porter:1080/proxy/rewriteme">test</a>`,
      "pods/answers/proxy/some/path": '{"Method":"GET","Body":"foo"}\n',
    };
    const found = await Promise.all(
      Object.keys(expected).map(async (path) => [path, await run(`get --raw ${at}/${path}`)] as const),
    );
    expect(Object.fromEntries(found)).toEqual(expected);
    await run("wait --for=jsonpath={.status.phase}=Succeeded pod/generator --timeout=60s");
    const [all, last, byte, none] = await Promise.all([
      run("logs generator"),
      run("logs generator --tail=1 --timestamps"),
      run("logs generator --limit-bytes=1"),
      run("logs generator --since-time=2999-01-01T00:00:00Z"),
    ]);
    expect([all.trimEnd().split("\n").length, byte.length, none]).toEqual([100, 1, ""]);
    expect(last).toMatch(/^\S+Z \S+ .*logs_generator\.go:76\] 99 /);
  });

  it("debug adds a container, copies a pod and visits a node", async () => {
    await run("debug web --image=busybox --container=dbg --profile=general -- sh -c 'echo debugging'");
    await run(
      "wait --for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0 pod/web --timeout=60s",
    );
    expect(await run("logs web -c dbg")).toBe("debugging\n");
    await run("debug web --copy-to=web-copy --image=busybox --container=dbg --profile=general -- sleep 100");
    expect(await run("get pod web-copy -o jsonpath={.spec.containers[*].name}")).toBe("main dbg");
    const node = await run("get nodes -o jsonpath={.items[0].metadata.name}");
    expect(await run(`debug node/${node} --image=busybox --profile=general -- true`)).toContain(
      "Creating debugging pod",
    );
  });
});
