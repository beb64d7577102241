/** The Amazon VPC CNI: DaemonSet aws-node with its account, rights and settings. */
import { type AddonSite, imageOf } from "./image.js";
import {
  clusterRole,
  clusterRoleBinding,
  configMap,
  env,
  hostPath,
  type Manifest,
  nodeAffinity,
  rule,
  SYSTEM,
  serviceAccount,
} from "./manifest.js";

const LABELS = {
  "app.kubernetes.io/instance": "aws-vpc-cni",
  "app.kubernetes.io/name": "aws-node",
  "k8s-app": "aws-node",
};

/** Settings of the CNI as EKS ships them. */
const SETTINGS = {
  ADDITIONAL_ENI_TAGS: "{}",
  AWS_VPC_CNI_NODE_PORT_SUPPORT: "true",
  AWS_VPC_ENI_MTU: "9001",
  AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "false",
  AWS_VPC_K8S_CNI_EXTERNALSNAT: "false",
  AWS_VPC_K8S_CNI_LOGLEVEL: "DEBUG",
  AWS_VPC_K8S_CNI_LOG_FILE: "/host/var/log/aws-routed-eni/ipamd.log",
  AWS_VPC_K8S_CNI_RANDOMIZESNAT: "prng",
  AWS_VPC_K8S_CNI_VETHPREFIX: "eni",
  AWS_VPC_K8S_PLUGIN_LOG_FILE: "/var/log/aws-routed-eni/plugin.log",
  AWS_VPC_K8S_PLUGIN_LOG_LEVEL: "DEBUG",
  DISABLE_INTROSPECTION: "false",
  DISABLE_METRICS: "false",
  DISABLE_NETWORK_RESOURCE_PROVISIONING: "false",
  ENABLE_IPv4: "true",
  ENABLE_IPv6: "false",
  ENABLE_POD_ENI: "false",
  ENABLE_PREFIX_DELEGATION: "false",
  WARM_ENI_TARGET: "1",
  WARM_PREFIX_TARGET: "1",
};

const probe = (seconds: number): Record<string, unknown> => ({
  exec: { command: ["/app/grpc-health-probe", "-addr=:50051", "-connect-timeout=5s", "-rpc-timeout=5s"] },
  initialDelaySeconds: seconds,
  timeoutSeconds: 10,
});

/** The agent has versions of its own. */
const AGENT_VERSION = "v1.3.1-eksbuild.1";

function daemonSet({ region, version }: AddonSite): Manifest {
  const requests = { cpu: "25m" };
  return {
    resource: "daemonsets.apps",
    object: {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "aws-node", namespace: SYSTEM, labels: LABELS },
      spec: {
        selector: { matchLabels: { "k8s-app": "aws-node" } },
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
        template: {
          metadata: { labels: { "app.kubernetes.io/name": "aws-node", "k8s-app": "aws-node" } },
          spec: {
            affinity: nodeAffinity(["fargate", "hybrid", "auto"]),
            hostNetwork: true,
            initContainers: [
              {
                name: "aws-vpc-cni-init",
                image: imageOf(region, "amazon-k8s-cni-init", version),
                env: env({ DISABLE_TCP_EARLY_DEMUX: "false", ENABLE_IPv6: "false" }),
                resources: { requests },
                securityContext: { privileged: true },
                volumeMounts: [{ mountPath: "/host/opt/cni/bin", name: "cni-bin-dir" }],
              },
            ],
            containers: [
              {
                name: "aws-node",
                image: imageOf(region, "amazon-k8s-cni", version),
                env: [
                  ...env(SETTINGS),
                  { name: "MY_NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } },
                  { name: "MY_POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
                ],
                livenessProbe: probe(60),
                ports: [{ containerPort: 61678, hostPort: 61678, name: "metrics", protocol: "TCP" }],
                readinessProbe: probe(1),
                resources: { requests },
                securityContext: { capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
                volumeMounts: [
                  { mountPath: "/host/opt/cni/bin", name: "cni-bin-dir" },
                  { mountPath: "/host/etc/cni/net.d", name: "cni-net-dir" },
                  { mountPath: "/host/var/log/aws-routed-eni", name: "log-dir" },
                  { mountPath: "/var/run/aws-node", name: "run-dir" },
                  { mountPath: "/run/xtables.lock", name: "xtables-lock" },
                ],
              },
              {
                name: "aws-eks-nodeagent",
                image: imageOf(region, "amazon/aws-network-policy-agent", AGENT_VERSION),
                args: [
                  "--enable-ipv6=false",
                  "--enable-network-policy=false",
                  "--enable-cloudwatch-logs=false",
                  "--enable-policy-event-logs=false",
                  "--metrics-bind-addr=:8162",
                  "--health-probe-bind-addr=:8163",
                ],
                env: [
                  { name: "MY_NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } },
                ],
                ports: [{ containerPort: 8162, hostPort: 8162, name: "agentmetrics", protocol: "TCP" }],
                resources: { requests },
                securityContext: { capabilities: { add: ["NET_ADMIN"] }, privileged: true },
                volumeMounts: [
                  { mountPath: "/host/opt/cni/bin", name: "cni-bin-dir" },
                  { mountPath: "/sys/fs/bpf", name: "bpf-pin-path" },
                  { mountPath: "/var/log/aws-routed-eni", name: "log-dir" },
                  { mountPath: "/var/run/aws-node", name: "run-dir" },
                ],
              },
            ],
            priorityClassName: "system-node-critical",
            serviceAccountName: "aws-node",
            terminationGracePeriodSeconds: 10,
            tolerations: [{ operator: "Exists" }],
            volumes: [
              hostPath("bpf-pin-path", "/sys/fs/bpf"),
              hostPath("cni-bin-dir", "/opt/cni/bin"),
              hostPath("cni-net-dir", "/etc/cni/net.d"),
              hostPath("log-dir", "/var/log/aws-routed-eni", "DirectoryOrCreate"),
              hostPath("run-dir", "/var/run/aws-node", "DirectoryOrCreate"),
              hostPath("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
            ],
          },
        },
      },
    },
  };
}

export const vpcCni = (site: AddonSite): Manifest[] => [
  serviceAccount("aws-node", LABELS),
  clusterRole(
    "aws-node",
    [
      rule("crd.k8s.amazonaws.com", "eniconfigs", "list,watch,get"),
      rule("", "namespaces", "list,watch,get"),
      rule("", "pods", "list,watch,get"),
      rule("", "nodes", "list,watch,get"),
      rule("networking.k8s.aws", "policyendpoints", "get,list,watch"),
      rule("networking.k8s.aws", "policyendpoints/status", "get"),
      rule("vpcresources.k8s.aws", "cninodes", "get,list,watch,patch"),
      rule(",events.k8s.io", "events", "create,patch,list"),
    ].map((entry) => ({ ...entry, apiGroups: entry.apiGroups?.flatMap((group) => group.split(",")) })),
    LABELS,
  ),
  clusterRoleBinding("aws-node", "aws-node", { kind: "ServiceAccount", name: "aws-node" }, LABELS),
  configMap("amazon-vpc-cni", LABELS, {
    "branch-eni-cooldown": "60",
    "enable-network-policy-controller": "false",
    "enable-windows-ipam": "false",
    "enable-windows-prefix-delegation": "false",
    "minimum-ip-target": "3",
    "warm-ip-target": "1",
    "warm-prefix-target": "0",
  }),
  daemonSet(site),
];
