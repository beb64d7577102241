import { expect, it } from "vitest";
import type { Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

/** Each command's output and exit code, in one line of the container's last words. */
const COMMANDS: Readonly<Record<string, string>> = {
  service: "wget -qO- http://server/hostname",
  full: "curl -s http://server.default.svc.cluster.local/echo?msg=hi",
  post: "curl -s -d body http://listener/x?y",
  udp: "echo hostname | nc -u -w 1 server 90",
  closed: "nc -z server 81",
  nobody: "curl -s http://nobody",
  unknown: "wget -qO- http://unknown",
  api: "nc -z kubernetes.default 443",
  outside: `curl -s -o /dev/null -w "%{http_code}" https://example.com`,
  external: "nslookup elsewhere > /dev/null",
  headless: "nslookup headless | grep -c 'Address: '",
  cname: "dig +short elsewhere.default.svc.cluster.local CNAME",
  srv: "dig +short _http._tcp.server.default.svc.cluster.local SRV",
  headlessSrv: "dig +short _web._tcp.headless SRV",
  address: "dig +noall +answer +search server A",
  pointer: `dig +short $(echo $SERVER_SERVICE_HOST | awk -F. '{print $4"."$3"."$2"."$1".in-addr.arpa."}') PTR`,
  ownName: "getent hosts me.friends.default.svc.cluster.local | awk '{print $2}'",
  picture: "wget -qO- http://nautilus/data.json",
  onHost: "curl -s http://10.0.0.10:54321/hostname",
  onHostUdp: "echo hostname | nc -u -w 1 10.0.0.10 54321",
  onLoopback: "curl -s --connect-timeout 5 http://10.0.0.10:54322/hostname",
  samePort: "echo hostname | nc -u -w 1 server 80",
  sticky: "for i in 1 2 3 4 5 6 7 8; do wget -qO- http://sticky; echo; done | sort -u | wc -l",
  forgetful: "for i in 1 2 3 4 5 6 7 8; do wget -qO- http://forgetful; echo; sleep 3; done | sort -u | wc -l",
  byHand: "wget -qO- http://byhand:81/hostname",
  written: `wget -qO- --post-data '{"Source": "me"}' http://counter:8080/write; wget -qO- http://counter:8080/read | grep me`,
};

it("pods reach each other by service and name, and are told what is not there", async () => {
  const { cluster, clock } = await startSimulated({
    images: { listener: { http: (_port, { path, body }) => ({ body: `${path} ${Buffer.from(body).toString()}` }) } },
  });
  for (let i = 0; i < 2; i++) await cluster.addNode(nodeSpec(i));
  await clock.advance(5_000);
  const { api } = cluster;
  const pod = (name: string, spec: PodSpec, app = name) =>
    api.create<Pod>("pods", { metadata: { name, namespace: "default", labels: { app } }, spec });
  const service = (name: string, spec: object) =>
    api.create("services", { metadata: { name, namespace: "default" }, spec: { selector: { app: name }, ...spec } });
  const image = "registry.k8s.io/e2e-test-images/agnhost:2.56";
  await pod("server", { containers: [{ name: "app", image, args: ["netexec", "--http-port", "8080"] }] });
  await pod("listener", { containers: [{ name: "app", image: "listener", ports: [{ containerPort: 80 }] }] });
  await service("server", {
    ports: [
      { name: "http", port: 80, targetPort: 8080 },
      { name: "udp", port: 90, protocol: "UDP", targetPort: 8081 },
      { name: "same", port: 80, protocol: "UDP", targetPort: 8081 },
    ],
  });
  for (const name of ["a", "b", "c"])
    await pod(name, { containers: [{ name: "app", image, args: ["serve-hostname"] }] }, "hosts");
  const affine = (timeoutSeconds?: number) => ({
    selector: { app: "hosts" },
    ports: [{ port: 80, targetPort: 9376 }],
    sessionAffinity: "ClientIP",
    ...(timeoutSeconds ? { sessionAffinityConfig: { clientIP: { timeoutSeconds } } } : {}),
  });
  await service("sticky", affine());
  await service("forgetful", affine(2));
  await service("byhand", { selector: undefined, ports: [{ port: 81 }] });
  const onHost = (name: string, ports: object) =>
    pod(name, {
      nodeName: "node-0",
      containers: [
        {
          name: "app",
          image,
          args: ["netexec", "--http-port=80", "--udp-port=80"],
          ports: [{ containerPort: 80, ...ports }],
        },
      ],
    });
  await onHost("tcp", { hostPort: 54321 });
  await onHost("udp", { hostPort: 54321, hostIP: "0.0.0.0", protocol: "UDP" });
  await onHost("local", { hostPort: 54322, hostIP: "127.0.0.1" });
  await pod("host", {
    hostNetwork: true,
    nodeName: "node-0",
    restartPolicy: "Never",
    containers: [
      {
        name: "app",
        image: "busybox:1",
        command: ["sh", "-c", "sleep 10; wget -qO- http://127.0.0.1:54322/hostname > /dev/termination-log"],
      },
    ],
  });
  await pod("counter", { containers: [{ name: "app", image, args: ["nettest"] }] });
  await pod("nautilus", { containers: [{ name: "app", image: "registry.k8s.io/e2e-test-images/nautilus:1.7" }] });
  await service("nautilus", { ports: [{ port: 80 }] });
  await service("counter", { ports: [{ port: 8080 }] });
  await service("listener", { ports: [{ port: 80 }] });
  await service("headless", { clusterIP: "None", selector: { app: "server" }, ports: [{ name: "web", port: 8080 }] });
  await service("nobody", { ports: [{ port: 80 }] });
  await service("elsewhere", { type: "ExternalName", externalName: "example.com", selector: undefined });
  await clock.advance(10_000);
  const address = api.get<Pod>("pods", { namespace: "default", name: "server" })?.status?.podIP ?? "";
  await api.create("endpointslices.discovery.k8s.io", {
    metadata: { name: "byhand-1", namespace: "default", labels: { "kubernetes.io/service-name": "byhand" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address] }],
    ports: [{ port: 8080, protocol: "TCP" }],
  });
  const script = Object.entries(COMMANDS)
    .map(
      ([name, command]) =>
        `echo "${name}=$(${command} 2>&1; echo "[$?]")" | tr '\n' ' ' >> /dev/termination-log\necho >> /dev/termination-log\n`,
    )
    .join("");
  await pod("client", {
    restartPolicy: "Never",
    hostname: "me",
    subdomain: "friends",
    containers: [{ name: "app", image: "busybox:1", command: ["sh", "-c", script] }],
  });
  await clock.advance(60_000);
  const host = api.get<Pod>("pods", { namespace: "default", name: "host" });
  expect(host?.status?.containerStatuses?.[0]?.state?.terminated?.message).toBe("local");
  const client = api.get<Pod>("pods", { namespace: "default", name: "client" });
  const said = client?.status?.containerStatuses?.[0]?.state?.terminated?.message ?? "";
  const answers = Object.fromEntries(
    said
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/=(.*)/s).slice(0, 2)),
  );
  expect(answers).toEqual({
    service: "server[0]",
    full: "hi[0]",
    post: "/x?y body[0]",
    udp: "server[0]",
    closed: "[1]",
    nobody: "[7]",
    unknown: "wget: bad address 'unknown' [1]",
    api: "[0]",
    outside: "200[0]",
    external: "[0]",
    headless: "1 [0]",
    cname: "example.com. [0]",
    srv: "0 100 80 server.default.svc.cluster.local. [0]",
    headlessSrv: expect.stringMatching(/^0 100 8080 \d+-\d+-\d+-\d+\.headless\.default\.svc\.cluster\.local\. \[0\]$/),
    address: expect.stringMatching(/^server\t5\tIN\tA\t10\.100\.\d+\.\d+ \[0\]$/),
    pointer: "server.default.svc.cluster.local. [0]",
    ownName: "me.friends.default.svc.cluster.local [0]",
    picture: '{"image": "nautilus.jpg"} [0]',
    onHost: "tcp[0]",
    onHostUdp: "udp[0]",
    onLoopback: "[7]",
    samePort: "server[0]",
    sticky: "1 [0]",
    forgetful: expect.stringMatching(/^[23] \[0\]$/),
    byHand: "server[0]",
    written: expect.stringMatching(/^\{"Hostname":"counter"\}.*"me": 1 \[0\]$/),
  });
});
