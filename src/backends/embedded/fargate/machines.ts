/** The machine that Fargate makes for a pod: its token, zone and address, drawn from the pod's uid so that the same run gives the same machines. */
import type { Clock } from "../../../clock/clock.js";
import { zonesOf } from "../../../domain/catalogue/index.js";
import { type FargateNode, type FargateSize, fargateIp, fargateNode } from "../../../domain/fargate.js";
import { nodeMatchesPodAffinity } from "../../../kubernetes/runtime/node-affinity.js";
import type { Node, Pod, PodSpec } from "../../../kubernetes/schema/generated/types.js";

/** Addresses of a zone. */
const HOSTS = 4091;

const streamOf = (clusterId: string, { metadata }: Pod): string => `fargate ${clusterId} ${metadata.uid}`;

/** Fargate's own id of a machine, part of its provider id: `1a2b3c4d5e-` and 32 hex digits. */
export function machineToken(clock: Clock, clusterId: string, pod: Pod): string {
  const random = clock.random(streamOf(clusterId, pod));
  return `${random.hex(10)}-${random.hex(32)}`;
}

/**
 * A machine in one of `zones`, any of them: Fargate spreads nothing. Undefined when the pod's own words on nodes let none of them be: its kubelet would
 * turn it away.
 */
export function proposedNode(
  wanted: {
    clusterId: string;
    region: string;
    version: string;
    size: FargateSize;
    pod: Pod & { spec: PodSpec };
    zones: readonly string[];
  },
  { clock, isTaken }: { clock: Clock; isTaken: (name: string) => boolean },
): FargateNode | undefined {
  const { clusterId, region, version, size, pod } = wanted;
  const random = clock.random(`${streamOf(clusterId, pod)} place`);
  const token = machineToken(clock, clusterId, pod);
  const first = random.integer(0, HOSTS - 1);
  for (const zone of random.shuffle(wanted.zones)) {
    const zoneIndex = zonesOf(region).findIndex(({ name }) => name === zone);
    for (let offset = 0; offset < HOSTS; offset++) {
      const privateIp = fargateIp(zoneIndex, first + offset);
      const node = fargateNode({ region, zone, token, privateIp, version, size });
      if (isTaken(node.name)) continue;
      if (nodeMatchesPodAffinity(asNode(node), pod.spec)) return node;
      break;
    }
  }
  return undefined;
}

const asNode = ({ name, labels }: FargateNode): Node => ({ metadata: { name, labels } }) as unknown as Node;
