/** kube-proxy: DaemonSet, settings, account. */
import { type AddonSite, imageOf } from "./image.js";
import {
  clusterRoleBinding,
  configMap,
  hostPath,
  type Manifest,
  nodeAffinity,
  SYSTEM,
  serviceAccount,
} from "./manifest.js";

const LABELS = { "eks.amazonaws.com/component": "kube-proxy", "k8s-app": "kube-proxy" };

/** Where the API server is, as a kubeconfig that uses the pod's own token. */
const kubeconfig = (server: string): string => `kind: Config
apiVersion: v1
clusters:
- cluster:
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    server: ${server}
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
`;

const CONFIG = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: 0.0.0.0
clientConnection:
  acceptContentTypes: ""
  burst: 10
  contentType: application/vnd.kubernetes.protobuf
  kubeconfig: /var/lib/kube-proxy/kubeconfig
  qps: 5
clusterCIDR: ""
configSyncPeriod: 15m0s
conntrack:
  maxPerCore: 32768
  min: 131072
  tcpCloseWaitTimeout: 1h0m0s
  tcpEstablishedTimeout: 24h0m0s
enableProfiling: false
healthzBindAddress: 0.0.0.0:10256
hostnameOverride: ""
iptables:
  masqueradeAll: false
  masqueradeBit: 14
  minSyncPeriod: 0s
  syncPeriod: 30s
metricsBindAddress: 0.0.0.0:10249
mode: iptables
nodePortAddresses: null
oomScoreAdj: -998
portRange: ""
`;

export const kubeProxy = ({ region, version, server }: AddonSite): Manifest[] => [
  serviceAccount("kube-proxy", LABELS),
  clusterRoleBinding("eks:kube-proxy", "system:node-proxier", { kind: "ServiceAccount", name: "kube-proxy" }, LABELS),
  configMap("kube-proxy", LABELS, { kubeconfig: kubeconfig(server) }),
  configMap("kube-proxy-config", LABELS, { config: CONFIG }),
  {
    resource: "daemonsets.apps",
    object: {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "kube-proxy", namespace: SYSTEM, labels: LABELS },
      spec: {
        selector: { matchLabels: { "k8s-app": "kube-proxy" } },
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
        template: {
          metadata: { labels: { "k8s-app": "kube-proxy" } },
          spec: {
            affinity: nodeAffinity(["fargate", "auto"]),
            containers: [
              {
                name: "kube-proxy",
                image: // EKS runs the build without a shell.
                  imageOf(region, "eks/kube-proxy", version.replace("-eksbuild", "-minimal-eksbuild")),
                command: [
                  "kube-proxy",
                  "--v=2",
                  "--config=/var/lib/kube-proxy-config/config",
                  "--hostname-override=$(NODE_NAME)",
                ],
                env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } }],
                resources: { requests: { cpu: "100m" } },
                securityContext: { privileged: true },
                volumeMounts: [
                  { mountPath: "/var/log", name: "varlog" },
                  { mountPath: "/run/xtables.lock", name: "xtables-lock" },
                  { mountPath: "/lib/modules", name: "lib-modules", readOnly: true },
                  { mountPath: "/var/lib/kube-proxy/", name: "kubeconfig" },
                  { mountPath: "/var/lib/kube-proxy-config/", name: "config" },
                ],
              },
            ],
            hostNetwork: true,
            priorityClassName: "system-node-critical",
            serviceAccountName: "kube-proxy",
            tolerations: [{ operator: "Exists" }],
            volumes: [
              hostPath("varlog", "/var/log"),
              hostPath("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
              hostPath("lib-modules", "/lib/modules"),
              { name: "kubeconfig", configMap: { name: "kube-proxy" } },
              { name: "config", configMap: { name: "kube-proxy-config" } },
            ],
          },
        },
      },
    },
  },
];
