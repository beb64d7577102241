/** Definitions of custom resources whose objects nothing here looks into: any field is taken. */
import type { Manifest } from "./manifest.js";

export interface CustomResource {
  group: string;
  version: string;
  kind: string;
  plural: string;
  scope: "Cluster" | "Namespaced";
  shortNames?: string[];
}

/** Where the API reviewers of Kubernetes approved a group that is theirs: API servers take no definitions in such groups without it. */
const APPROVALS: Readonly<Record<string, string>> = {
  "gateway.networking.k8s.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328",
  "snapshot.storage.k8s.io": "https://github.com/kubernetes-csi/external-snapshotter/pull/814",
};

export const customResource = ({ group, version, kind, plural, scope, shortNames }: CustomResource): Manifest => ({
  resource: "customresourcedefinitions.apiextensions.k8s.io",
  object: {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      ...(APPROVALS[group] ? { annotations: { "api-approved.kubernetes.io": APPROVALS[group] } } : {}),
    },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(shortNames ? { shortNames } : {}),
      },
      scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  },
});
