/** Facts about EKS, EC2 and the AWS regions as look-ups. Tables are built on first use. */
export { type AmiType, amiType, amiTypes, autoModeAmiType, defaultAmiType, osImage } from "./ami-types.js";
export { type InstanceType, instanceType, instanceTypes } from "./instance-types.js";
export { nextPlatformVersionMs, platformNumber, platformVersionAt } from "./platform-versions.js";
export { findZone, type Region, region, regions, type Zone, zonesOf } from "./regions.js";
export {
  type ClusterVersion,
  clusterVersion,
  clusterVersions,
  DEFAULT_VERSION,
  dayMs,
  defaultVersion,
  isOffered,
  kubeletVersion,
  latestReleaseVersion,
  minorOf,
  releaseVersions,
  type SupportStatus,
  serverGitVersion,
  supportStatus,
} from "./versions.js";
