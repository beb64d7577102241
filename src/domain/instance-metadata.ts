/** What an EC2 instance can read about itself at 169.254.169.254. Source: the EC2 user guide on instance metadata categories. */
import { amiType, instanceType } from "./catalogue/index.js";

/** Address of the service, the same on every instance. */
export const METADATA_ADDRESS = "169.254.169.254";

/** What an instance is, to itself and to whoever runs its machine. */
export interface InstanceFacts {
  instanceId: string;
  /** Its private DNS name, which is its node's name too. */
  name: string;
  zone: string;
  zoneId: string;
  region: string;
  privateIp: string;
  instanceType: string;
  amiType: string;
  amiId: string;
  /** Of its node. */
  labels: Readonly<Record<string, string>>;
}

export interface MetadataSubject extends InstanceFacts {
  accountId: string;
}

/** EC2 gives every network interface an address that begins with 02; here it follows from the private address. */
const macAddress = (privateIp: string): string =>
  ["02", "00", ...privateIp.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0"))].join(":");

const architecture = (subject: MetadataSubject): string =>
  (amiType(subject.amiType)?.arch ?? instanceType(subject.instanceType)?.arch) === "arm64" ? "arm64" : "x86_64";

/** Path below `/latest` -> text. */
function entries(subject: MetadataSubject): Record<string, string> {
  const { accountId, instanceId, name, zone, zoneId, region, privateIp, amiId } = subject;
  const isSpot = subject.labels["eks.amazonaws.com/capacityType"] === "SPOT";
  const document = {
    accountId,
    architecture: architecture(subject),
    availabilityZone: zone,
    imageId: amiId,
    instanceId,
    instanceType: subject.instanceType,
    privateIp,
    region,
    version: "2017-09-30",
  };
  const own = {
    "ami-id": amiId,
    hostname: name,
    "instance-id": instanceId,
    "instance-life-cycle": isSpot ? "spot" : "on-demand",
    "instance-type": subject.instanceType,
    "local-hostname": name,
    "local-ipv4": privateIp,
    mac: macAddress(privateIp),
    "placement/availability-zone": zone,
    "placement/availability-zone-id": zoneId,
    "placement/region": region,
    "services/domain": region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com",
    "services/partition": region.startsWith("cn-") ? "aws-cn" : region.startsWith("us-gov-") ? "aws-us-gov" : "aws",
  };
  return {
    ...Object.fromEntries(Object.entries(own).map(([path, text]) => [`meta-data/${path}`, text])),
    "dynamic/instance-identity/document": JSON.stringify(document, null, 2),
  };
}

/** The text at a path such as `/latest/meta-data/instance-id`; for a category the names in it, one a line. Undefined: there is nothing, which EC2 answers with 404. */
export function instanceMetadata(subject: MetadataSubject, path: string): string | undefined {
  const below = /^\/(?:latest|\d{4}-\d{2}-\d{2})(?:\/(.*))?$/.exec(path);
  if (!below) return undefined;
  const asked = (below[1] ?? "").replace(/\/+$/, "");
  const all = entries(subject);
  if (all[asked] !== undefined) return all[asked];
  const prefix = asked === "" ? "" : `${asked}/`;
  const names = Object.keys(all).flatMap((known) => {
    if (!known.startsWith(prefix)) return [];
    const [name = "", ...rest] = known.slice(prefix.length).split("/");
    return [rest.length > 0 ? `${name}/` : name];
  });
  return names.length === 0 ? undefined : [...new Set(names)].join("\n");
}
