/**
 * EC2 instance types that nodes can be made of. ENI and address counts are those of the EKS AMI's own table, vCPUs and memory those of Karpenter's
 * instance type reference; everything else about a type (pods, reservations) follows from them by rule, see domain/node-capacity.ts.
 */
export interface InstanceType {
  name: string;
  vcpu: number;
  memoryMiB: number;
  arch: "amd64" | "arm64";
  /** Network interfaces, and IPv4 addresses on each: they bound the number of pods. */
  enis: number;
  ipv4PerEni: number;
  /** Extended resource that the type's device plug-in offers. */
  accelerator?: { resource: string; model: string; count: number };
}

/** name, vCPU, memory in MiB, architecture, ENIs, IPv4 addresses per ENI, and for accelerated types: resource, model, count. */
const ROWS = `
t2.micro 1 1024 amd64 2 2
t2.small 1 2048 amd64 3 4
t2.medium 2 4096 amd64 3 6
t2.large 2 8192 amd64 3 12
t3.nano 2 512 amd64 2 2
t3.micro 2 1024 amd64 2 2
t3.small 2 2048 amd64 3 4
t3.medium 2 4096 amd64 3 6
t3.large 2 8192 amd64 3 12
t3.xlarge 4 16384 amd64 4 15
t3.2xlarge 8 32768 amd64 4 15
t3a.medium 2 4096 amd64 3 6
t3a.large 2 8192 amd64 3 12
t4g.micro 2 1024 arm64 2 2
t4g.small 2 2048 arm64 3 4
t4g.medium 2 4096 arm64 3 6
t4g.large 2 8192 arm64 3 12
t4g.xlarge 4 16384 arm64 4 15
m4.large 2 8192 amd64 2 10
m5.large 2 8192 amd64 3 10
m5.xlarge 4 16384 amd64 4 15
m5.2xlarge 8 32768 amd64 4 15
m5.4xlarge 16 65536 amd64 8 30
m5.8xlarge 32 131072 amd64 8 30
m5.12xlarge 48 196608 amd64 8 30
m5.16xlarge 64 262144 amd64 15 50
m5.24xlarge 96 393216 amd64 15 50
m5a.large 2 8192 amd64 3 10
m5d.large 2 8192 amd64 3 10
m6i.large 2 8192 amd64 3 10
m6i.xlarge 4 16384 amd64 4 15
m6i.2xlarge 8 32768 amd64 4 15
m6i.4xlarge 16 65536 amd64 8 30
m6i.8xlarge 32 131072 amd64 8 30
m6a.large 2 8192 amd64 3 10
m6a.xlarge 4 16384 amd64 4 15
m6g.medium 1 4096 arm64 2 4
m6g.large 2 8192 arm64 3 10
m6g.xlarge 4 16384 arm64 4 15
m6g.2xlarge 8 32768 arm64 4 15
m7i.large 2 8192 amd64 3 10
m7i.xlarge 4 16384 amd64 4 15
m7i.2xlarge 8 32768 amd64 4 15
m7i-flex.large 2 8192 amd64 3 10
m7i-flex.xlarge 4 16384 amd64 4 15
m7g.medium 1 4096 arm64 2 4
m7g.large 2 8192 arm64 3 10
m7g.xlarge 4 16384 arm64 4 15
m7a.medium 1 4096 amd64 2 4
m7a.large 2 8192 amd64 3 10
m8g.large 2 8192 arm64 3 10
m8g.xlarge 4 16384 arm64 4 15
m8i.large 2 8192 amd64 3 20
c4.large 2 3840 amd64 3 10
c5.large 2 4096 amd64 3 10
c5.xlarge 4 8192 amd64 4 15
c5.2xlarge 8 16384 amd64 4 15
c5.4xlarge 16 32768 amd64 8 30
c5.9xlarge 36 73728 amd64 8 30
c6i.large 2 4096 amd64 3 10
c6i.xlarge 4 8192 amd64 4 15
c6i.2xlarge 8 16384 amd64 4 15
c6a.large 2 4096 amd64 3 10
c6g.large 2 4096 arm64 3 10
c6g.xlarge 4 8192 arm64 4 15
c7i.large 2 4096 amd64 3 10
c7g.large 2 4096 arm64 3 10
c7g.xlarge 4 8192 arm64 4 15
c8g.large 2 4096 arm64 3 10
r5.large 2 16384 amd64 3 10
r5.xlarge 4 32768 amd64 4 15
r5.2xlarge 8 65536 amd64 4 15
r6i.large 2 16384 amd64 3 10
r6i.xlarge 4 32768 amd64 4 15
r6g.large 2 16384 arm64 3 10
r7i.large 2 16384 amd64 3 10
r7g.large 2 16384 arm64 3 10
i3.large 2 15616 amd64 3 10
i4i.large 2 16384 amd64 3 10
d3.xlarge 4 32768 amd64 4 3
x2gd.medium 1 16384 arm64 2 4
g4dn.xlarge 4 16384 amd64 3 10 nvidia.com/gpu t4 1
g5.xlarge 4 16384 amd64 4 15 nvidia.com/gpu a10g 1
g6.xlarge 4 16384 amd64 4 15 nvidia.com/gpu l4 1
p4d.24xlarge 96 1179648 amd64 15 50 nvidia.com/gpu a100 8
p5.48xlarge 192 2097152 amd64 2 50 nvidia.com/gpu h100 8
inf2.xlarge 4 16384 amd64 4 15 aws.amazon.com/neuron inferentia2 1
trn1.2xlarge 8 32768 amd64 4 15 aws.amazon.com/neuron trainium 1
`;

const table = new Map<string, InstanceType>();

function load(): ReadonlyMap<string, InstanceType> {
  if (table.size > 0) return table;
  for (const row of ROWS.trim().split("\n")) {
    const [name = "", vcpu, memoryMiB, arch, enis, ipv4PerEni, resource, model = "", count] = row.split(" ");
    table.set(name, {
      name,
      vcpu: Number(vcpu),
      memoryMiB: Number(memoryMiB),
      arch: arch === "arm64" ? "arm64" : "amd64",
      enis: Number(enis),
      ipv4PerEni: Number(ipv4PerEni),
      ...(resource ? { accelerator: { resource, model, count: Number(count) } } : {}),
    });
  }
  return table;
}

/** The instance type of that name; undefined when EC2 (as far as this table goes) has none. */
export const instanceType = (name: string): InstanceType | undefined => load().get(name);

export const instanceTypes = (): readonly InstanceType[] => [...load().values()];
