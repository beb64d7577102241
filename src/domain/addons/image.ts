/** Images of add-ons: EKS's own registry in the cluster's region, tagged with the add-on's version. */
import { defaultAddonVersion } from "../catalogue/addons.js";
import { region as regionOf } from "../catalogue/index.js";

const REGISTRY_ACCOUNT = "602401143452";
const NEWEST = "1.36";

/** What the manifests of an add-on depend on. */
export interface AddonSite {
  region: string;
  /** Version of the add-on. */
  version: string;
  /** URL of the cluster's API server. */
  server: string;
  /** Tenth address of the service range; undefined when that is no IPv4 range. */
  dnsAddress?: string;
}

/** Reference of an image that EKS publishes, e.g. `imageOf("us-east-1", "eks/coredns", "v1.14.3-eksbuild.11")`. */
export const imageOf = (region: string, repository: string, tag: string): string =>
  `${REGISTRY_ACCOUNT}.dkr.ecr.${region}.${regionOf(region)?.dnsSuffix ?? "amazonaws.com"}/${repository}:${tag}`;

/** The version of an add-on that a new cluster starts with; clusters older than the catalogue start with the newest known. */
export const bootstrapVersion = (addonName: string, clusterVersion: string): string =>
  defaultAddonVersion(addonName, clusterVersion) ?? defaultAddonVersion(addonName, NEWEST) ?? "latest";
