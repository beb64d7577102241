import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import type { Draft, KubeObject } from "../object.js";
import type { ConfigMap, Namespace, ServiceAccount } from "../schema/generated/types.js";
import { defineController, type Environment, type Loop, on } from "./define-controller.js";
import { isNamespaceTerminating } from "./pod-control.js";

/** What every namespace has from the start: the ServiceAccount `default`, and the ConfigMap with the cluster's CA. */

export const serviceAccountController = (): Controller =>
  defineController({ name: "service-account-controller" }, (env) =>
    inEveryNamespace<ServiceAccount>(env, "serviceaccounts", "default", {
      wanted: (namespace) => ({ metadata: { name: "default", namespace } }),
      isRight: () => true,
    }),
  );

const ROOT_CA = "kube-root-ca.crt";

export const rootCaCertPublisher = (): Controller =>
  defineController({ name: "root-ca-certificate-publisher", publishesCa: true }, (env) =>
    inEveryNamespace<ConfigMap>(env, "configmaps", ROOT_CA, {
      wanted: (namespace) => ({
        metadata: {
          name: ROOT_CA,
          namespace,
          annotations: {
            "kubernetes.io/description":
              "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
          },
        },
        data: { "ca.crt": env.caCert },
      }),
      isRight: ({ data }) => data?.["ca.crt"] === env.caCert && Object.keys(data).length === 1,
    }),
  );

/** Keeps one object of a fixed name in every namespace that is not being deleted. */
function inEveryNamespace<T extends KubeObject>(
  { api }: Environment,
  resource: string,
  name: string,
  kept: { wanted(namespace: string): Draft<T>; isRight(present: T): boolean },
): Loop {
  return {
    async reconcile(namespace) {
      const owner = api.get<Namespace>("namespaces", { name: namespace });
      if (!owner || owner.metadata.deletionTimestamp || owner.status?.phase === "Terminating") return;
      const present = api.get<T>(resource, { namespace, name });
      if (present && kept.isRight(present)) return;
      const wanted = kept.wanted(namespace);
      try {
        if (present)
          await api.update<T>(resource, {
            ...present,
            ...wanted,
            metadata: { ...present.metadata, ...wanted.metadata },
          });
        else await api.create<T>(resource, wanted);
      } catch (error) {
        if (!isStatusError(error, "AlreadyExists") && !isNamespaceTerminating(error)) throw error;
      }
    },
    watches: [
      on<Namespace>("namespaces", ({ type, object }) => (type === "DELETED" ? undefined : object.metadata.name)),
      on<T>(resource, ({ type, object }) =>
        object.metadata.name === name && (type === "DELETED" || !kept.isRight(object))
          ? object.metadata.namespace
          : undefined,
      ),
    ],
  };
}
