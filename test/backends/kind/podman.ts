/** What Podman 5.8 and 4.3 were seen to print, cut down to the fields that somebody could read. */

const endpoint = (address: string, address6: string) => ({
  EndpointID: "",
  Gateway: address && "10.89.0.1",
  IPAddress: address,
  IPPrefixLen: address ? 24 : 0,
  GlobalIPv6Address: address6,
  GlobalIPv6PrefixLen: address6 ? 64 : 0,
  NetworkID: "86aa8c1f967cf7e669116179a7c66ce09952f7db548c5b69686f2adbfe3a8399",
  IPAMConfig: null,
  Aliases: ["595cd66927f5", "k3a"],
});

/** `podman container inspect` of one that runs, is paused, has just been killed or has ended. */
export const podmanContainer = (
  name: string,
  status: "running" | "paused" | "stopped" | "exited",
  { address = "", labels = {} }: { address?: string; labels?: Record<string, string> } = {},
) => ({
  Id: "595cd66927f5a2f7c3b047a090025db58ca62b77259b14591005b3b121455f00",
  State: {
    OciVersion: "1.2.1",
    Status: status,
    Running: status === "running",
    Paused: status === "paused",
    Restarting: false,
    Dead: false,
    Pid: status === "running" ? 8148 : 0,
  },
  ImageName: "docker.io/kindest/node:v1.36.2",
  Name: name,
  Config: { Hostname: name, Image: "docker.io/kindest/node:v1.36.2", Labels: labels },
  HostConfig: { NetworkMode: "bridge", PortBindings: { "6443/tcp": [{ HostIp: "127.0.0.1", HostPort: "46525" }] } },
  NetworkSettings: {
    IPAddress: "",
    Ports: { "6443/tcp": [{ HostIp: "127.0.0.1", HostPort: "46525" }] },
    Networks: { kind: endpoint(address, address && "fc00:f853:ccd:e7aa::2") },
  },
});

/** `podman network inspect kind`; version 4 has no list of containers. */
export const podmanNetwork = (version: 4 | 5, inIt: Readonly<Record<string, string>> = {}) => ({
  name: "kind",
  id: "86aa8c1f967cf7e669116179a7c66ce09952f7db548c5b69686f2adbfe3a8399",
  driver: "bridge",
  network_interface: "podman1",
  subnets: [
    { subnet: "fc00:f853:ccd:e7aa::/64", gateway: "fc00:f853:ccd:e7aa::1" },
    { subnet: "10.89.0.0/24", gateway: "10.89.0.1" },
  ],
  ipv6_enabled: true,
  internal: false,
  dns_enabled: true,
  labels: { "eksim.dev/owner": "abc123" },
  ipam_options: { driver: "host-local" },
  ...(version === 4
    ? {}
    : {
        containers: Object.fromEntries(
          Object.entries(inIt).map(([name, address], index) => [
            `595cd66927f5${index}`,
            {
              name,
              interfaces: {
                eth0: {
                  subnets: [
                    { ipnet: "fc00:f853:ccd:e7aa::2/64", gateway: "fc00:f853:ccd:e7aa::1" },
                    { ipnet: `${address}/24`, gateway: "10.89.0.1" },
                  ],
                  mac_address: "72:f9:10:b8:36:79",
                },
              },
            },
          ]),
        ),
      }),
});

export const PODMAN_SAYS = {
  noNetwork: "Error: network kind: unable to find network with name or ID kind: network not found",
  noNetwork4: "Error: inspecting object: network kind: unable to find network with name or ID kind: network not found",
  noContainer: 'Error: no container with name or ID "two" found: no such container',
  noContainerToInspect: 'Error: no such container "two"',
  isPaused: 'Error: "595cd66927f5" is already paused: container state improper',
  rangeTaken: "Error: subnet fc00:f853:ccd:e793::/64 is already used on the host or by another config",
  addressTaken:
    "Error: IPAM error: requested ip address 10.89.0.200 is already allocated to container ID 595cd66927f5a2f7c3b047a090025db58ca62b77259b14591005b3b121455f00",
} as const;

export const PODMAN_EVENTS = {
  died: '{"ContainerExitCode":137,"ID":"595cd66927f5","Image":"docker.io/kindest/node:v1.36.2","Name":"k3a","Status":"died","time":1795370127,"Type":"container","Attributes":{"io.x-k8s.kind.cluster":"C1"}}',
  exec: '{"ID":"595cd66927f5","Image":"docker.io/kindest/node:v1.36.2","Name":"k3a","Status":"exec","time":1795370116,"Type":"container","Attributes":{"io.x-k8s.kind.cluster":"C1"}}',
  execDied:
    '{"ContainerExitCode":0,"ID":"595cd66927f5","Image":"docker.io/kindest/node:v1.36.2","Name":"k3a","Status":"exec_died","time":1795370116,"Type":"container","Attributes":{"io.x-k8s.kind.cluster":"C1"}}',
} as const;
