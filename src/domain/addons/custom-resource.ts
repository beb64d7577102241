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

export const customResource = ({ group, version, kind, plural, scope, shortNames }: CustomResource): Manifest => ({
  resource: "customresourcedefinitions.apiextensions.k8s.io",
  object: {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
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
