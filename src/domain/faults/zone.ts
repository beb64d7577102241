/** Faults of a whole availability zone. What comes to stand in the zone while one is on is broken too. */
import type { LinkEnd, LinkImpairment } from "../impairments.js";
import type { ActingFault, ClusterFacts, FaultDefinition } from "./definition.js";
import { byNode, duration, list, number, text, whose } from "./meaning.js";
import type { ParameterValues } from "./parameters.js";

const TARGET = { type: "zone", takes: ["zone", "cluster"], needs: ["zone"] } as const;

const DIRECTION = {
  type: "choice",
  values: ["both", "in", "out"],
  default: "both",
} as const;

/** Links between two ends, in the directions asked for; `near` is the end that the fault is about. */
function links(
  direction: string,
  near: LinkEnd,
  far: LinkEnd,
  what: Pick<LinkImpairment, "cut" | "latencyMs" | "jitterMs" | "lossPercent">,
): LinkImpairment[] {
  return [
    ...(direction === "in" ? [] : [{ from: near, to: far, ...what }]),
    ...(direction === "out" ? [] : [{ from: far, to: near, ...what }]),
  ];
}

const othersOf = (fault: ActingFault, { zones }: ClusterFacts): string[] => zones.filter((zone) => zone !== fault.zone);

function isolation(fault: ActingFault, cluster: ClusterFacts): LinkImpairment[] {
  const zone = fault.zone ?? "";
  const direction = text(fault, "direction");
  const others = othersOf(fault, cluster);
  const machines: LinkEnd = { zone, of: "machines" };
  switch (String(fault.parameters.from)) {
    case "zones":
      return others.flatMap((other) => links(direction, machines, { zone: other, of: "machines" }, { cut: true }));
    case "masters":
      // The zone's own master is one of those that its machines lose.
      return [zone, ...others].flatMap((other) =>
        links(direction, machines, { zone: other, of: "masters" }, { cut: true }),
      );
    default:
      return others.flatMap((other) => links(direction, { zone }, { zone: other }, { cut: true }));
  }
}

function impairedLinks(fault: ActingFault, cluster: ClusterFacts): LinkImpairment[] {
  const zone = fault.zone ?? "";
  const to = fault.parameters.to as string | undefined;
  const what = Object.fromEntries(
    Object.entries({
      latencyMs: number(fault, "latency"),
      jitterMs: number(fault, "jitter"),
      lossPercent: number(fault, "loss"),
    }).filter(([, value]) => value > 0),
  );
  // Within one zone there is one link, whichever way.
  if (to === zone) return [{ from: { zone }, to: { zone }, ...what }];
  const others = to === undefined ? othersOf(fault, cluster) : [to];
  return others.flatMap((other) => links(text(fault, "direction"), { zone }, { zone: other }, what));
}

function linkProblem({ latency, jitter, loss }: ParameterValues): string | undefined {
  if (!latency && !jitter && !loss) return "give at least one of latency, jitter and loss.";
  if (jitter && !latency) return "jitter varies a latency: give latency too.";
  return undefined;
}

function linkWords(fault: ActingFault): string {
  const parts = [
    ...(number(fault, "latency") > 0 ? [`${duration(fault, "latency")} more latency`] : []),
    ...(number(fault, "jitter") > 0 ? [`${duration(fault, "jitter")} of jitter`] : []),
    ...(number(fault, "loss") > 0 ? [`${number(fault, "loss")} % loss`] : []),
  ];
  return parts.join(", ");
}

const farEnd = (fault: ActingFault): string => {
  const to = fault.parameters.to as string | undefined;
  return to === undefined ? "the other zones" : to === fault.zone ? "itself" : to;
};

const types = (fault: ActingFault): string => {
  const named = list(fault, "instanceTypes");
  return named.length > 0 ? named.join(", ") : "any instance type";
};

const FROM_WORDS: Readonly<Record<string, string>> = {
  zones: "the machines of the other zones",
  masters: "the masters",
  all: "the other zones",
};
const DIRECTION_WORDS: Readonly<Record<string, string>> = {
  both: "",
  in: ": nothing comes in",
  out: ": nothing gets out",
};

export const ZONE_FAULTS: readonly FaultDefinition[] = [
  {
    name: "zone-power-loss",
    family: "zone",
    says: "Every machine in the zone loses power: instances, Fargate's machines and masters there are off, volumes there cannot be reached, and nothing can be launched.",
    target: TARGET,
    parameters: {},
    lasts: true,
    takesPower: true,
    events: { started: "ZoneFailed", ended: "ZoneRestored" },
    started: (fault) => `Zone ${fault.zone} has lost power${whose(fault)}.`,
    ended: (fault) => `Zone ${fault.zone} has power again${whose(fault)}.`,
    wants: (fault, cluster) => ({
      machines: byNode(fault, cluster, "off" as const),
      zonesWithoutPower: [fault.zone ?? ""],
      mastersDown: cluster.masters.filter(({ zone }) => zone === fault.zone).map(({ id }) => id),
    }),
  },
  {
    name: "zone-isolation",
    family: "zone",
    says: "The network between the zone and what lies outside it is cut; everything in the zone runs on.",
    target: TARGET,
    parameters: {
      direction: { ...DIRECTION, says: "Which way is cut, seen from the zone." },
      from: {
        type: "choice",
        values: ["all", "zones", "masters"],
        default: "all",
        says: "What the zone's machines lose: machines of the other zones, every master (that of the zone too), or all that is in other zones.",
      },
    },
    lasts: true,
    slowsAnswers: true,
    started: (fault) =>
      `Zone ${fault.zone} is cut off from ${FROM_WORDS[String(fault.parameters.from)]}${whose(fault)}${DIRECTION_WORDS[text(fault, "direction")]}.`,
    ended: (fault) => `Zone ${fault.zone} reaches ${FROM_WORDS[String(fault.parameters.from)]} again${whose(fault)}.`,
    wants: (fault, cluster) => ({ impairments: { links: isolation(fault, cluster) } }),
  },
  {
    name: "zone-link-impairment",
    family: "zone",
    says: "Packets between the zone and others are late or lost.",
    target: TARGET,
    parameters: {
      to: { type: "zone", says: "The zone at the other end, which may be the same one; none: every other zone." },
      latency: { type: "duration", default: "0s", max: 60_000, says: "Added to the way of each packet." },
      jitter: { type: "duration", default: "0s", max: 60_000, says: "How far the latency varies, up or down." },
      loss: { type: "percent", default: 0, min: 0, says: "Share of packets that are lost." },
      direction: { ...DIRECTION, says: "Which way is impaired, seen from the zone." },
    },
    lasts: true,
    slowsAnswers: true,
    problem: linkProblem,
    started: (fault) =>
      `The network between ${fault.zone} and ${farEnd(fault)} has ${linkWords(fault)}${whose(fault)}.`,
    ended: (fault) => `The network between ${fault.zone} and ${farEnd(fault)} is well again${whose(fault)}.`,
    wants: (fault, cluster) => ({ impairments: { links: impairedLinks(fault, cluster) } }),
  },
  {
    name: "zone-dns-failure",
    family: "zone",
    says: "No name can be resolved in the zone.",
    target: TARGET,
    parameters: {},
    lasts: true,
    slowsAnswers: true,
    started: (fault) => `No name can be resolved in ${fault.zone}${whose(fault)}.`,
    ended: (fault) => `Names can be resolved in ${fault.zone} again${whose(fault)}.`,
    wants: (fault) => ({ impairments: { zonesWithoutDns: [fault.zone ?? ""] } }),
  },
  {
    // Nothing is broken: whoever launches instances finds that it cannot.
    name: "insufficient-capacity",
    family: "zone",
    says: "EC2 has no room in the zone for new instances of the types named, or of any; those that run go on.",
    target: TARGET,
    parameters: {
      instanceTypes: { type: "list", says: "Instance types, such as m5.large; none: every type." },
    },
    lasts: true,
    takesCapacity: true,
    events: { started: "CapacityExhausted", ended: "CapacityRestored" },
    started: (fault) => `EC2 has no more capacity for ${types(fault)} in ${fault.zone}${whose(fault)}.`,
    ended: (fault) => `EC2 has capacity for ${types(fault)} in ${fault.zone} again${whose(fault)}.`,
  },
];
