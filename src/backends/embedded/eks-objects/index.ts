/** Everything that a new EKS cluster holds beside what Kubernetes itself puts into one. */
import type { ClusterSpec } from "../../backend.js";
import { clusterObjects } from "./cluster-objects.js";
import { coredns } from "./coredns.js";
import { addonImages } from "./image.js";
import { kubeProxy } from "./kube-proxy.js";
import type { Manifest } from "./manifest.js";
import { vpcCni } from "./vpc-cni.js";

export type { Manifest } from "./manifest.js";

/** `server` = URL of the endpoint as the cluster's own components know it; `dnsAddress` = tenth address of the service range. */
export function eksObjects(spec: ClusterSpec, facts: { server: string; dnsAddress: string | undefined }): Manifest[] {
  if (!spec.bootstrapSelfManagedAddons) return clusterObjects();
  const images = addonImages(spec.region, spec.version);
  return [
    ...clusterObjects(),
    ...vpcCni(images),
    ...kubeProxy(images, facts.server),
    ...coredns(images, facts.dnsAddress),
  ];
}
