import type { SteppedClock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { admissionPlugins } from "../../../src/kubernetes/admission/index.js";
import type { AdmissionPlugin } from "../../../src/kubernetes/admission/plugin.js";
import type { KubeApi, UserInfo } from "../../../src/kubernetes/api.js";
import { bootstrapObjects } from "../../../src/kubernetes/bootstrap/index.js";
import { type ClusterSecurity, createClusterSecurity } from "../../../src/kubernetes/cluster-security.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import { createStrategies } from "../../../src/kubernetes/registry/strategies/index.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createStore } from "../../../src/kubernetes/store/store.js";
import { rsaKey } from "../rsa-key.js";

export const SERVICE_CIDR = "10.100.0.0/16";
export const ISSUER = "https://oidc.example.com/id/1";

type ServerSecurity = ClusterSecurity["server"];

export interface SimulatedApi {
  api: KubeApi;
  auth: Omit<ServerSecurity, "review" | "createToken"> & {
    review(...question: Parameters<ServerSecurity["review"]>): Promise<KubeObject>;
    createToken(serviceAccount: KubeObject, request: KubeObject): Promise<KubeObject>;
  };
  clock: SteppedClock;
  as(user: Partial<UserInfo>): KubeApi;
}

/** The API server with its admission and authorisation, without controllers and HTTP. `bare`: without the objects of a new cluster. */
export async function startApi({ bare = false }: { bare?: boolean } = {}): Promise<SimulatedApi> {
  const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: Date.parse("2026-01-01T00:00:00Z") });
  const catalogue = new ResourceCatalogue({
    infos: builtinResources(),
    strategyFor: createStrategies({ serviceCidr: SERVICE_CIDR }),
  });
  const admission: AdmissionPlugin[] = [...admissionPlugins()];
  const registry = createRegistry({ store: createStore({ clock }), catalogue, clock, admission });
  const masters = { username: "system:apiserver", groups: ["system:masters"] };
  const api = createKubeApi(registry, { user: masters, fieldManager: "test", tracksOwnership: false });
  const options = { serviceAccountKey: async () => rsaKey(), serviceAccountIssuer: ISSUER };
  const security = createClusterSecurity({ api, clock, options, tls: () => ({ caCert: "", caKey: "" }) });
  admission.push(...security.admission);
  const objects = bootstrapObjects({ serviceCidr: SERVICE_CIDR });
  for (const { resource, object } of bare ? objects.slice(0, 4) : objects)
    await api.create(resource, object as KubeObject);
  for (const namespace of ["default", "kube-system"]) {
    await api.create("serviceaccounts", { metadata: { name: "default", namespace } });
  }
  return {
    api,
    auth: {
      ...security.server,
      review: async (...question) => (await security.server.review(...question)) as KubeObject,
      createToken: (serviceAccount, request) => security.server.createToken(serviceAccount, request, masters),
    },
    clock,
    as: ({ username = "alice", groups = ["system:authenticated"] }) => api.as({ username, groups }, "test"),
  };
}

/** The message of a refusal. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as Error).message;
  }
  return "(no refusal)";
}

export const pod = (name: string, spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) => ({
  metadata: { name, namespace: "default", ...metadata },
  spec: { containers: [{ name: "app", image: "nginx" }], ...spec },
});
