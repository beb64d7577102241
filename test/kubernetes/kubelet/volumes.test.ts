import { describe, expect, it } from "vitest";
import type { Container, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startCluster } from "../scheduler/cluster-fixture.js";

const AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.56";
const BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1";
const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");

/** Everything on one node: the pods do not know of each other. */
async function outputs(pods: Record<string, { container: Partial<Container>; spec?: Partial<PodSpec> }>) {
  const { kubelets, clock, createPod, api } = await startCluster();
  kubelets.start();
  await kubelets.addNode(nodeSpec("node-1"));
  await clock.advance(2_000);
  await api.create("configmaps", {
    metadata: { name: "conf", namespace: "default" },
    data: { "data-1": "value-1" },
    binaryData: { "dump.bin": base64("\xde\xca\xfe\xba\xd0\xfe\xff") },
  });
  await api.create("secrets", {
    metadata: { name: "sec", namespace: "default" },
    data: { "data-1": base64("value-1") },
  });
  for (const [name, { container, spec }] of Object.entries(pods))
    await createPod(name, {
      nodeName: "node-1",
      restartPolicy: "Never",
      containers: [
        { name: "app", image: AGNHOST, volumeMounts: [{ name: "v", mountPath: "/test-volume" }], ...container },
      ],
      ...spec,
    });
  await clock.advance(5_000);
  return { log: (name: string) => kubelets.podLog({ namespace: "default", name }, {}), clock, api };
}

const mounttest = (...args: string[]) => ({ args: ["mounttest", ...args.map((arg) => `--${arg}`)] });

describe("what containers see of their volumes and their rights", () => {
  it("is what Kubernetes' own tests expect", async () => {
    const file = "/test-volume/test-file";
    const nonRoot = { securityContext: { runAsUser: 1000 } };
    const { log } = await outputs({
      memory: {
        container: mounttest("fs_type=/test-volume", `new_file_0644=${file}`, `file_perm=${file}`),
        spec: { volumes: [{ name: "v", emptyDir: { medium: "Memory" } }], ...nonRoot },
      },
      mode: { container: mounttest("file_perm=/test-volume"), spec: { volumes: [{ name: "v", emptyDir: {} }] } },
      secret: {
        container: mounttest("file_content=/test-volume/data-1", "file_mode=/test-volume/data-1"),
        spec: { volumes: [{ name: "v", secret: { secretName: "sec", defaultMode: 0o400 } }] },
      },
      group: {
        container: mounttest("file_content=/test-volume/data-1", "file_mode=/test-volume/data-1"),
        spec: {
          volumes: [{ name: "v", secret: { secretName: "sec", defaultMode: 0o440 } }],
          securityContext: { runAsUser: 1000, fsGroup: 1001 },
        },
      },
      closed: {
        container: mounttest("file_content=/test-volume/data-1"),
        spec: { volumes: [{ name: "v", secret: { secretName: "sec", defaultMode: 0o400 } }], ...nonRoot },
      },
      mapped: {
        container: mounttest("file_content=/test-volume/path/to/it"),
        spec: {
          volumes: [{ name: "v", configMap: { name: "conf", items: [{ key: "data-1", path: "path/to/it" }] } }],
          ...nonRoot,
        },
      },
      binary: {
        container: { image: BUSYBOX, command: ["hexdump", "-C", "/test-volume/dump.bin"] },
        spec: { volumes: [{ name: "v", configMap: { name: "conf" } }] },
      },
      pod: {
        container: mounttest("file_content=/test-volume/podname", "file_mode=/test-volume/podname"),
        spec: {
          volumes: [
            {
              name: "v",
              downwardAPI: { items: [{ path: "podname", fieldRef: { fieldPath: "metadata.name" }, mode: 0o400 }] },
            },
          ],
        },
      },
      cpu: {
        container: mounttest("file_content=/test-volume/cpu_limit"),
        spec: {
          volumes: [
            {
              name: "v",
              downwardAPI: {
                items: [{ path: "cpu_limit", resourceFieldRef: { containerName: "app", resource: "limits.cpu" } }],
              },
            },
          ],
        },
      },
      sysctl: {
        container: { image: BUSYBOX, command: ["/bin/sysctl", "kernel.shm_rmid_forced"], volumeMounts: [] },
        spec: { securityContext: { sysctls: [{ name: "kernel.shm_rmid_forced", value: "1" }] } },
      },
      link: {
        container: { image: BUSYBOX, command: ["sh", "-c", "ip link add dummy0 type dummy || true"], volumeMounts: [] },
      },
      escalation: {
        container: {
          image: "registry.k8s.io/e2e-test-images/nonewprivs:1.3",
          volumeMounts: [],
          securityContext: { runAsUser: 1000, allowPrivilegeEscalation: false },
        },
      },
      dns: {
        container: { image: BUSYBOX, command: ["cat", "/etc/resolv.conf"], volumeMounts: [] },
        spec: {
          dnsPolicy: "None",
          dnsConfig: {
            nameservers: ["1.1.1.1"],
            searches: ["resolv.conf.local"],
            options: [{ name: "ndots", value: "2" }],
          },
        },
      },
    });
    expect(log("memory")).toBe(
      `mount type of "/test-volume": tmpfs\ncontent of file "${file}": mount-tester new file\n\nperms of file "${file}": -rw-r--r--\n`,
    );
    expect(log("mode")).toBe('perms of file "/test-volume": -rwxrwxrwx\n');
    expect(log("secret")).toBe(
      'mode of file "/test-volume/data-1": -r--------\ncontent of file "/test-volume/data-1": value-1\n',
    );
    expect(log("group")).toBe(
      'mode of file "/test-volume/data-1": -r--r-----\ncontent of file "/test-volume/data-1": value-1\n',
    );
    expect(log("closed")).toContain("permission denied");
    expect(log("mapped")).toBe('content of file "/test-volume/path/to/it": value-1\n');
    expect(log("binary")).toContain("de ca fe ba d0 fe ff");
    expect(log("pod")).toBe(
      'mode of file "/test-volume/podname": -r--------\ncontent of file "/test-volume/podname": pod\n',
    );
    expect(log("cpu")).toBe('content of file "/test-volume/cpu_limit": 2\n');
    expect(log("sysctl")).toBe("kernel.shm_rmid_forced = 1\n");
    expect(log("link")).toContain("Operation not permitted");
    expect(log("escalation")).toBe("Effective uid: 1000\n");
    expect(log("dns")).toBe("search resolv.conf.local\nnameserver 1.1.1.1\noptions ndots:2\n");
  });

  it("follows objects that come, change and go", async () => {
    const { log, api, clock } = await outputs({
      watcher: {
        container: mounttest(
          "break_on_expected_content=false",
          "retry_time=120",
          "file_content_in_loop=/test-volume/data-1",
        ),
        spec: { volumes: [{ name: "v", configMap: { name: "late", optional: true } }] },
      },
    });
    expect(log("watcher")).toContain(
      "Error reading file /test-volume/data-1: open /test-volume/data-1: no such file or directory, retrying",
    );
    await api.create("configmaps", { metadata: { name: "late", namespace: "default" }, data: { "data-1": "here" } });
    await clock.advance(40_000);
    expect(log("watcher")).toContain('content of file "/test-volume/data-1": here');
    await api.delete("configmaps", { namespace: "default", name: "late" });
    await clock.advance(40_000);
    expect((log("watcher") ?? "").trimEnd().split("\n").pop()).toContain("no such file or directory");
  });
});
