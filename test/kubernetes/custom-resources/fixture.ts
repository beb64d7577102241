import { type Client, connect, tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { openWatch } from "../server/server-fixture.js";
import { startSimulated } from "../simulated-cluster.js";

/** The custom resource `widgets.example.com` of a test, by what is special about it. */
export interface WidgetOptions {
  schema?: object;
  scope?: "Cluster" | "Namespaced";
  plural?: string;
  kind?: string;
  group?: string;
  versions?: object[];
  version?: object;
  conversion?: object;
  names?: object;
  metadata?: object;
}

export const definitionOf = ({
  schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  scope = "Namespaced",
  plural = "widgets",
  kind = "Widget",
  group = "example.com",
  version = {},
  versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
  conversion,
  names = {},
  metadata = {},
}: WidgetOptions = {}) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}`, ...metadata },
  spec: { group, scope, names: { plural, kind, ...names }, versions, ...(conversion ? { conversion } : {}) },
});

export const DEFINITIONS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
export const WIDGETS_PATH = "/apis/example.com/v1/namespaces/default/widgets";

/** A cluster over HTTPS, with a plain client and short ways of doing things with definitions and widgets. */
export async function startCluster() {
  const tls = makeCertificates();
  const { cluster, clock } = await startSimulated({ tls, ...tokenUsers });
  await clock.advance(1_000);
  const client: Client = await connect(cluster, tls.caCert);
  const { call } = client;
  const define = (options?: WidgetOptions) => call(DEFINITIONS_PATH, { method: "POST", body: definitionOf(options) });
  const create = (body: object, path = WIDGETS_PATH, query = "") =>
    call(`${path}${query}`, {
      method: "POST",
      body: { apiVersion: "example.com/v1", kind: "Widget", ...body },
    });
  const patch = (path: string, body: unknown, type = "merge-patch+json") =>
    call(path, { method: "PATCH", body, headers: { "content-type": `application/${type}` } });
  const watch = (path: string) => openWatch({ port: client.port, certificates: tls }, path);
  return { cluster, clock, tls, call, define, create, patch, watch, port: client.port };
}
