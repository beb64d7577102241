/** What an API server has to know of the token webhook. Apart from it, so that it is only loaded where it is served. */

/** Where the webhook answers for a cluster. */
export const webhookPath = (clusterId: string): string => `/clusters/${clusterId}/authenticate`;

/** And where it says what EKS access policies allow there. */
export const authorizationPath = (clusterId: string): string => `/clusters/${clusterId}/authorize`;

/** What an API server is given with `--authentication-token-webhook-config-file`. JSON, which is YAML too. */
export function webhookKubeconfig(server: string, caPem: string): string {
  const name = "eksim";
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }],
    users: [{ name: "kube-apiserver", user: {} }],
    contexts: [{ name, context: { cluster: name, user: "kube-apiserver" } }],
    "current-context": name,
  });
}
