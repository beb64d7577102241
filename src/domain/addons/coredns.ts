/** CoreDNS: two replicas spread over zones, Service kube-dns at the tenth service address, a disruption budget. */
import { type AddonSite, imageOf } from "./image.js";
import {
  clusterRole,
  clusterRoleBinding,
  configMap,
  type Manifest,
  nodeAffinity,
  rule,
  SYSTEM,
  serviceAccount,
} from "./manifest.js";

const LABELS = { "eks.amazonaws.com/component": "coredns", "k8s-app": "kube-dns" };
const SERVICE_LABELS = { ...LABELS, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" };
const SELECTOR = { "eks.amazonaws.com/component": "coredns", "k8s-app": "kube-dns" };

const COREFILE = `.:53 {
    errors
    health {
        lameduck 5s
      }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
}
`;

const port = (name: string, containerPort: number, protocol: string): Record<string, unknown> => ({
  name,
  containerPort,
  protocol,
});
const servicePort = (name: string, number: number, protocol: string): Record<string, unknown> => ({
  name,
  port: number,
  protocol,
  targetPort: number,
});

function deployment({ region, version }: AddonSite): Manifest {
  return {
    resource: "deployments.apps",
    object: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "coredns", namespace: SYSTEM, labels: { ...LABELS, "kubernetes.io/name": "CoreDNS" } },
      spec: {
        replicas: 2,
        selector: { matchLabels: SELECTOR },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
        template: {
          metadata: { labels: SELECTOR },
          spec: {
            affinity: {
              ...nodeAffinity([]),
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  {
                    weight: 100,
                    podAffinityTerm: {
                      labelSelector: { matchExpressions: [{ key: "k8s-app", operator: "In", values: ["kube-dns"] }] },
                      topologyKey: "kubernetes.io/hostname",
                    },
                  },
                ],
              },
            },
            containers: [
              {
                name: "coredns",
                image: imageOf(region, "eks/coredns", version),
                args: ["-conf", "/etc/coredns/Corefile"],
                livenessProbe: {
                  failureThreshold: 5,
                  httpGet: { path: "/health", port: 8080, scheme: "HTTP" },
                  initialDelaySeconds: 60,
                  timeoutSeconds: 5,
                },
                ports: [port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"), port("metrics", 9153, "TCP")],
                readinessProbe: { httpGet: { path: "/ready", port: 8181, scheme: "HTTP" } },
                resources: { limits: { memory: "170Mi" }, requests: { cpu: "100m", memory: "70Mi" } },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  capabilities: { add: ["NET_BIND_SERVICE"], drop: ["ALL"] },
                  readOnlyRootFilesystem: true,
                },
                volumeMounts: [{ mountPath: "/etc/coredns", name: "config-volume", readOnly: true }],
              },
            ],
            dnsPolicy: "Default",
            priorityClassName: "system-cluster-critical",
            serviceAccountName: "coredns",
            tolerations: [
              { effect: "NoSchedule", key: "node-role.kubernetes.io/control-plane" },
              { key: "CriticalAddonsOnly", operator: "Exists" },
            ],
            topologySpreadConstraints: [
              {
                labelSelector: { matchLabels: { "k8s-app": "kube-dns" } },
                maxSkew: 1,
                topologyKey: "topology.kubernetes.io/zone",
                whenUnsatisfiable: "ScheduleAnyway",
              },
            ],
            volumes: [
              { name: "config-volume", configMap: { name: "coredns", items: [{ key: "Corefile", path: "Corefile" }] } },
            ],
          },
        },
      },
    },
  };
}

export const coredns = (site: AddonSite): Manifest[] => [
  serviceAccount("coredns", LABELS),
  clusterRole(
    "system:coredns",
    [
      rule("", "endpoints,services,pods,namespaces", "list,watch"),
      rule("", "nodes", "get"),
      rule("discovery.k8s.io", "endpointslices", "list,watch"),
    ],
    LABELS,
  ),
  clusterRoleBinding("system:coredns", "system:coredns", { kind: "ServiceAccount", name: "coredns" }, LABELS),
  configMap("coredns", LABELS, { Corefile: COREFILE }),
  {
    resource: "services",
    object: {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: "kube-dns",
        namespace: SYSTEM,
        labels: SERVICE_LABELS,
        annotations: { "prometheus.io/port": "9153", "prometheus.io/scrape": "true" },
      },
      spec: {
        ...(site.dnsAddress ? { clusterIP: site.dnsAddress } : {}),
        ports: [servicePort("dns", 53, "UDP"), servicePort("dns-tcp", 53, "TCP"), servicePort("metrics", 9153, "TCP")],
        selector: { "k8s-app": "kube-dns" },
      },
    },
  },
  {
    resource: "poddisruptionbudgets.policy",
    object: {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "coredns", namespace: SYSTEM, labels: LABELS },
      spec: { maxUnavailable: 1, selector: { matchLabels: SELECTOR } },
    },
  },
  deployment(site),
];
