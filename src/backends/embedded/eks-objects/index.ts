/** Everything that a new EKS cluster holds beside what Kubernetes itself puts into one: with it the add-ons that nobody manages yet. */

import { bootstrapVersion } from "../../../domain/addons/image.js";
import { addonObjects } from "../../../domain/addons/index.js";
import type { Manifest } from "../../../domain/addons/manifest.js";
import type { ClusterSpec } from "../../backend.js";
import { clusterObjects } from "./cluster-objects.js";

/** What EKS installs by itself, unmanaged. */
const SELF_MANAGED = ["vpc-cni", "kube-proxy", "coredns"];

/** `server` = URL of the endpoint as the cluster's own components know it. */
export function eksObjects(spec: ClusterSpec, server: string): Manifest[] {
  if (!spec.bootstrapSelfManagedAddons) return clusterObjects();
  const { region, serviceCidr } = spec;
  const addons = SELF_MANAGED.flatMap((name) =>
    addonObjects({ name, region, server, serviceCidr, version: bootstrapVersion(name, spec.version) }),
  );
  return [...clusterObjects(), ...addons];
}
