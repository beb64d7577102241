/** What metrics-server's manifest holds, as far as its API depends on it: Deployment, Service and APIService. */
const labels = { "app.kubernetes.io/name": "metrics-server" };

export const METRICS_SERVER = [
  {
    resource: "deployments.apps",
    object: {
      metadata: { name: "metrics-server", namespace: "kube-system" },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [{ name: "metrics-server", image: "registry.k8s.io/metrics-server/metrics-server:v0.8.0" }],
          },
        },
      },
    },
  },
  {
    resource: "services",
    object: {
      metadata: { name: "metrics-server", namespace: "kube-system" },
      spec: { selector: labels, ports: [{ name: "https", port: 443, targetPort: 10250 }] },
    },
  },
  {
    resource: "apiservices.apiregistration.k8s.io",
    object: {
      metadata: { name: "v1beta1.metrics.k8s.io" },
      spec: {
        group: "metrics.k8s.io",
        version: "v1beta1",
        service: { name: "metrics-server", namespace: "kube-system" },
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
      },
    },
  },
] as const;
