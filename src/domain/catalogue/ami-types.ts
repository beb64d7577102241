/** AMI types of managed node groups and what their nodes say about themselves (osImage, kernel, container runtime). */
export interface AmiType {
  name: string;
  os: "linux" | "windows";
  /** Absent for CUSTOM: the image decides. */
  arch?: "amd64" | "arm64";
  osImage: string;
  kernelVersion: string;
  containerRuntimeVersion: string;
  /** Root volume when the node group names none, GiB. */
  defaultDiskSizeGiB: number;
  /** Newest minor version that EKS makes this AMI for; absent = no end. */
  lastVersion?: string;
}

interface Family extends Omit<AmiType, "name" | "arch"> {
  /** Tails of the names, with the architecture each stands for. */
  members: Readonly<Record<string, "amd64" | "arm64">>;
}

const AMAZON_LINUX_2023: Omit<Family, "members"> = {
  os: "linux",
  osImage: "Amazon Linux 2023.12.20260608",
  kernelVersion: "6.18.33-63.124.amzn2023",
  containerRuntimeVersion: "containerd://2.2.4+unknown",
  defaultDiskSizeGiB: 20,
};

const FAMILIES: Readonly<Record<string, Family>> = {
  AL2023_: {
    ...AMAZON_LINUX_2023,
    members: {
      x86_64_STANDARD: "amd64",
      ARM_64_STANDARD: "arm64",
      x86_64_NEURON: "amd64",
      x86_64_NVIDIA: "amd64",
      ARM_64_NVIDIA: "arm64",
    },
  },
  AL2_: {
    os: "linux",
    osImage: "Amazon Linux 2",
    kernelVersion: "5.10.245-241.978.amzn2",
    containerRuntimeVersion: "containerd://1.7.29",
    defaultDiskSizeGiB: 20,
    lastVersion: "1.32",
    members: { x86_64: "amd64", x86_64_GPU: "amd64", ARM_64: "arm64" },
  },
  BOTTLEROCKET_: {
    os: "linux",
    osImage: "Bottlerocket OS 1.55.0 (aws-k8s-<version>)",
    kernelVersion: "6.12.46",
    containerRuntimeVersion: "containerd://2.1.9+bottlerocket",
    defaultDiskSizeGiB: 20,
    members: {
      ARM_64: "arm64",
      x86_64: "amd64",
      ARM_64_FIPS: "arm64",
      x86_64_FIPS: "amd64",
      ARM_64_NVIDIA: "arm64",
      x86_64_NVIDIA: "amd64",
      ARM_64_NVIDIA_FIPS: "arm64",
      x86_64_NVIDIA_FIPS: "amd64",
    },
  },
  WINDOWS_: {
    os: "windows",
    osImage: "Windows Server <year> Datacenter",
    kernelVersion: "10.0.20348",
    containerRuntimeVersion: "containerd://2.1.6",
    defaultDiskSizeGiB: 50,
    members: {
      CORE_2019_x86_64: "amd64",
      FULL_2019_x86_64: "amd64",
      CORE_2022_x86_64: "amd64",
      FULL_2022_x86_64: "amd64",
      CORE_2025_x86_64: "amd64",
      FULL_2025_x86_64: "amd64",
    },
  },
};

const AUTO_MODE_PREFIX = "EKS_AUTO_";

/** What EKS Auto Mode runs its instances from; no node group can ask for it. */
const AUTO_MODE: Omit<AmiType, "name" | "arch"> = {
  os: "linux",
  osImage: "Bottlerocket (EKS Auto, Standard) 2026.7.15 (aws-k8s-<version>-standard)",
  kernelVersion: "6.12.46",
  containerRuntimeVersion: "containerd://2.1.9+bottlerocket",
  defaultDiskSizeGiB: 80,
};

export const autoModeAmiType = (arch: "amd64" | "arm64"): string => AUTO_MODE_PREFIX + arch;

/** Build number of each Windows Server release: what its nodes report as kernelVersion. */
const WINDOWS_KERNELS: Readonly<Record<string, string>> = {
  "2019": "10.0.17763.7558",
  "2022": "10.0.20348.3932",
  "2025": "10.0.26100.4652",
};

const table = new Map<string, AmiType>();

function load(): ReadonlyMap<string, AmiType> {
  if (table.size > 0) return table;
  for (const [prefix, { members, ...family }] of Object.entries(FAMILIES)) {
    for (const [tail, arch] of Object.entries(members)) {
      const name = prefix + tail;
      const year = /_(20\d\d)_/.exec(name)?.[1];
      const kernel = arch === "amd64" ? `${family.kernelVersion}.x86_64` : `${family.kernelVersion}.aarch64`;
      table.set(name, {
        name,
        arch,
        ...family,
        osImage: year ? family.osImage.replace("<year>", year) : family.osImage,
        // Bottlerocket and Windows leave the architecture out of the kernel's release.
        kernelVersion: year ? (WINDOWS_KERNELS[year] ?? "") : prefix.startsWith("AL2") ? kernel : family.kernelVersion,
      });
    }
  }
  for (const arch of ["amd64", "arm64"] as const) {
    const name = autoModeAmiType(arch);
    table.set(name, { name, arch, ...AUTO_MODE });
  }
  // What is inside a custom image is not known; most are built from the Amazon Linux one.
  table.set("CUSTOM", { name: "CUSTOM", ...AMAZON_LINUX_2023 });
  return table;
}

export const amiType = (name: string): AmiType | undefined => load().get(name);

/** Those that node groups can be made of. */
export const amiTypes = (): readonly AmiType[] =>
  [...load().values()].filter(({ name }) => !name.startsWith(AUTO_MODE_PREFIX));

/** AMI type of node groups created without one: Amazon Linux 2023 from 1.30 up. */
export const defaultAmiType = (version: string): string =>
  Number(version.split(".")[1]) >= 30 ? "AL2023_x86_64_STANDARD" : "AL2_x86_64";

/** osImage of a node: Bottlerocket names the Kubernetes version and the variant it was built for. */
export function osImage(type: AmiType, version: string): string {
  const variants = ["NVIDIA", "FIPS"].filter((variant) => type.name.split("_").includes(variant));
  return type.osImage.replace("<version>", [version, ...variants.map((variant) => variant.toLowerCase())].join("-"));
}
