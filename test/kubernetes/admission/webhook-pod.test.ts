import { describe, expect, it } from "vitest";
import type { StatusError } from "../../../src/kubernetes/errors.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { issueAuthority, issueServerCertificate } from "../../../src/kubernetes/pki/certificates.js";
import type { Deployment } from "../../../src/kubernetes/schema/generated/types.js";
import { refused } from "../refused.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const GROUP = "admissionregistration.k8s.io";
const NAMESPACE = "webhook-test";
const SERVICE = { namespace: NAMESPACE, name: "e2e-test-webhook" };
const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The webhook of Kubernetes' own tests, deployed as they do it. */
async function deployWebhook() {
  const { cluster, clock } = await startSimulated();
  const { api } = cluster;
  const make = (resource: string, object: object): Promise<KubeObject> => api.create(resource, object as never);
  await cluster.addNode(nodeSpec(0));
  await make("namespaces", { metadata: { name: NAMESPACE } });
  await clock.advance(1000);
  const nowMs = Date.now();
  const authority = issueAuthority("webhook-ca", nowMs);
  const name = `${SERVICE.name}.${NAMESPACE}.svc`;
  const leaf = issueServerCertificate({
    authority,
    authorityName: "webhook-ca",
    commonName: name,
    names: [name],
    nowMs,
  });
  await make("secrets", {
    metadata: { name: "sample-webhook-secret", namespace: NAMESPACE },
    data: { "tls.crt": base64(leaf.certificate), "tls.key": base64(leaf.key) },
  });
  const labels = { app: "sample-webhook", webhook: "true" };
  const certificates = "/webhook.local.config/certificates";
  await make("deployments.apps", {
    metadata: { name: "sample-webhook-deployment", namespace: NAMESPACE },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: "sample-webhook",
              image: IMAGE,
              args: [
                "webhook",
                `--tls-cert-file=${certificates}/tls.crt`,
                `--tls-private-key-file=${certificates}/tls.key`,
                "--alsologtostderr",
                "-v=4",
                "2>&1",
                "--port=8444",
              ],
              readinessProbe: {
                httpGet: { scheme: "HTTPS", port: 8444, path: "/readyz" },
                periodSeconds: 1,
                successThreshold: 1,
                failureThreshold: 30,
              },
              ports: [{ containerPort: 8444 }],
              volumeMounts: [{ name: "webhook-certs", readOnly: true, mountPath: certificates }],
            },
          ],
          volumes: [{ name: "webhook-certs", secret: { secretName: "sample-webhook-secret" } }],
        },
      },
    },
  });
  await make("services", {
    metadata: SERVICE,
    spec: { selector: { webhook: "true" }, ports: [{ protocol: "TCP", port: 8443, targetPort: 8444 }] },
  });
  const ready = (): boolean =>
    api.get<Deployment>("deployments.apps", { namespace: NAMESPACE, name: "sample-webhook-deployment" })?.status
      ?.availableReplicas === 1;
  if (!(await clock.advanceUntil(ready, 120_000))) throw new Error("the webhook has not become ready");
  await clock.advance(2000);

  const hook = (path: string, group: string, resources: string[], rest: object = {}): object => ({
    name: `${path.slice(1).replace(/\W/g, "-")}.k8s.io`,
    rules: [
      { apiGroups: [group], apiVersions: ["v1"], operations: ["CREATE", "UPDATE", "DELETE", "CONNECT"], resources },
    ],
    clientConfig: { service: { ...SERVICE, path, port: 8443 }, caBundle: base64(authority.certificate) },
    sideEffects: "None",
    admissionReviewVersions: ["v1", "v1beta1"],
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": NAMESPACE } },
    ...rest,
  });
  const configMap = (name: string, data: object): Promise<KubeObject> =>
    make("configmaps", { metadata: { name, namespace: NAMESPACE }, data });
  return { api, clock, make, hook, configMap };
}

describe("a webhook that runs in a pod", () => {
  it("is asked through its Service, over TLS, and refuses, changes and delays as its image does", async () => {
    const { api, clock, make, hook, configMap } = await deployWebhook();
    await make(`validatingwebhookconfigurations.${GROUP}`, {
      metadata: { name: "deny" },
      webhooks: [
        hook("/pods", "", ["pods"]),
        hook("/configmaps", "", ["configmaps"]),
        // Without its authority nobody can be trusted; this one may fail.
        {
          ...hook("/configmaps", "", ["configmaps"], { failurePolicy: "Ignore" }),
          name: "fail-open.k8s.io",
          clientConfig: { service: { ...SERVICE, path: "/configmaps", port: 8443 } },
        },
      ],
    });
    const pod = (name: string, label: string, container: string): Promise<KubeObject> =>
      make("pods", {
        metadata: { name, namespace: NAMESPACE, labels: { "webhook-e2e-test": label } },
        spec: { containers: [{ name: container, image: "registry.k8s.io/pause:3.10" }] },
      });
    expect((await refused(pod("disallowed-pod", "webhook-disallow", "webhook-disallow"))).message).toBe(
      'admission webhook "pods.k8s.io" denied the request: the pod contains unwanted label; the pod contains unwanted container name;',
    );
    expect((await refused(configMap("bad", { "webhook-e2e-test": "webhook-disallow" }))).message).toContain(
      "the configmap contains unwanted key and value",
    );
    await configMap("kept", { "webhook-e2e-test": "webhook-nondeletable" });
    expect((await refused(api.delete("configmaps", { namespace: NAMESPACE, name: "kept" }))).message).toContain(
      "cannot be deleted because it contains unwanted key and value",
    );

    const hanging = refused(pod("hanging-pod", "wait-forever", "c"));
    // The call needs a moment of real time to reach the pod; the limit is one of simulated time.
    let late: StatusError | undefined;
    void hanging.then((error) => {
      late = error;
    });
    while (!late) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(100);
    }
    expect(late.message).toMatch(/failed calling webhook "pods.k8s.io".*context deadline exceeded/);

    await make(`mutatingwebhookconfigurations.${GROUP}`, {
      metadata: { name: "change" },
      webhooks: [
        { ...hook("/mutating-configmaps", "", ["configmaps"]), name: "stage-1.k8s.io" },
        { ...hook("/mutating-configmaps", "", ["configmaps"]), name: "stage-2.k8s.io" },
        hook("/mutating-pods", "", ["pods"]),
      ],
    });
    expect((await configMap("to-be-mutated", { "mutation-start": "yes" })).data).toEqual({
      "mutation-start": "yes",
      "mutation-stage-1": "yes",
      "mutation-stage-2": "yes",
    });
    const changed = (await pod("webhook-to-be-mutated", "", "example")) as KubeObject & {
      spec: { initContainers: { name: string; terminationMessagePolicy: string }[] };
    };
    expect(changed.spec.initContainers).toMatchObject([
      { name: "webhook-added-init-container", terminationMessagePolicy: "File" },
    ]);
  });

  it("is not asked where nobody knows what its image would say; one that is programmed needs no certificate", async () => {
    const { cluster, clock } = await startSimulated({
      images: {
        "shop/judge": {
          http: (_port, { body }) => {
            const { request } = JSON.parse(Buffer.from(body).toString()) as { request: { uid: string; name: string } };
            const response = { uid: request.uid, allowed: request.name !== "bad", status: { message: "shop says no" } };
            return { body: JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response }) };
          },
        },
      },
    });
    const { api } = cluster;
    const make = (resource: string, object: object): Promise<KubeObject> => api.create(resource, object as never);
    await cluster.addNode(nodeSpec(0));
    await make("namespaces", { metadata: { name: NAMESPACE } });
    await clock.advance(1000);
    const server = async (name: string, image: string): Promise<void> => {
      await make("pods", {
        metadata: { name, namespace: NAMESPACE, labels: { app: name } },
        spec: { containers: [{ name, image, ports: [{ containerPort: 9443 }] }] },
      });
      await make("services", {
        metadata: { name, namespace: NAMESPACE },
        spec: { selector: { app: name }, ports: [{ port: 443, targetPort: 9443 }] },
      });
      await make(`validatingwebhookconfigurations.${GROUP}`, {
        metadata: { name },
        webhooks: [
          {
            name: `${name}.example.com`,
            rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
            clientConfig: { service: { namespace: NAMESPACE, name } },
            sideEffects: "None",
            admissionReviewVersions: ["v1"],
            objectSelector: { matchLabels: { asks: name } },
          },
        ],
      });
    };
    await server("mystery", "registry.example.com/charts/controller:v1");
    await server("judge", "shop/judge:v1");
    const configMap = (name: string, asks: string): Promise<KubeObject> =>
      make("configmaps", { metadata: { name, namespace: NAMESPACE, labels: { asks } } });
    // Nobody answers before the pod is ready, known or not.
    expect((await refused(configMap("early", "mystery"))).message).toContain(
      'no endpoints available for service "mystery"',
    );
    await clock.advance(60_000);
    await configMap("one", "mystery");
    await configMap("good", "judge");
    expect((await refused(configMap("bad", "judge"))).message).toBe(
      'admission webhook "judge.example.com" denied the request: shop says no',
    );
  });
});
