/**
 * AWS regions with their availability zones. On AWS the zone letters are dealt out per account; here every account sees the same, common mapping of
 * names to zone ids.
 */
export interface Zone {
  /** Zone name such as `us-east-1a`. */
  name: string;
  /** Zone id such as `use1-az1`, the same physical place for every account. */
  id: string;
  /** Some zones cannot hold EKS control planes (use1-az3, usw1-az2, cac1-az3). */
  controlPlane: boolean;
}

export interface Region {
  name: string;
  partition: string;
  /** Domain of service hosts, e.g. `amazonaws.com`. */
  dnsSuffix: string;
  zones: readonly Zone[];
}

/** region, prefix of zone ids, then letter + number of each zone; `!` = no control planes. */
const ROWS = `
us-east-1 use1 a1 b2 c4 d6 e3! f5
us-east-2 use2 a1 b2 c3
us-west-1 usw1 a1 b3
us-west-2 usw2 a1 b2 c3 d4
eu-west-1 euw1 a1 b2 c3
eu-west-2 euw2 a2 b3 c1
eu-west-3 euw3 a1 b2 c3
eu-central-1 euc1 a2 b3 c1
eu-north-1 eun1 a1 b2 c3
eu-south-1 eus1 a1 b2 c3
ap-southeast-1 apse1 a1 b2 c3
ap-southeast-2 apse2 a3 b1 c2
ap-northeast-1 apne1 a4 c1 d2
ap-northeast-2 apne2 a1 b2 c3 d4
ap-south-1 aps1 a1 b3 c2
sa-east-1 sae1 a1 b2 c3
ca-central-1 cac1 a1 b2 d4
me-south-1 mes1 a1 b2 c3
af-south-1 afs1 a1 b2 c3
`;

/** Region name prefixes of the partitions that are not `aws`. */
const PARTITIONS = [
  { prefix: "cn-", partition: "aws-cn", dnsSuffix: "amazonaws.com.cn" },
  { prefix: "us-gov-", partition: "aws-us-gov", dnsSuffix: "amazonaws.com" },
] as const;

const REGION_NAME = /^[a-z]{2}(-[a-z]+)+-\d$/;

const table = new Map<string, Region>();

function make(name: string, idPrefix: string, zones: readonly string[]): Region {
  const { partition, dnsSuffix } = PARTITIONS.find((entry) => name.startsWith(entry.prefix)) ?? {
    partition: "aws",
    dnsSuffix: "amazonaws.com",
  };
  return {
    name,
    partition,
    dnsSuffix,
    zones: zones.map((zone) => ({
      name: name + zone.charAt(0),
      id: `${idPrefix}-az${zone.charAt(1)}`,
      controlPlane: !zone.endsWith("!"),
    })),
  };
}

function load(): Map<string, Region> {
  if (table.size > 0) return table;
  for (const row of ROWS.trim().split("\n")) {
    const [name = "", idPrefix = "", ...zones] = row.split(" ");
    table.set(name, make(name, idPrefix, zones));
  }
  return table;
}

/** `us-gov-west-1` -> `usgw1`: the abbreviation AWS makes zone ids with; compass words that are two in one keep both letters (`southeast` -> `se`). */
function abbreviation(name: string): string {
  const [area = "", ...rest] = name.split("-");
  const words = rest.map((word) => {
    if (word === "gov") return "g";
    const compound = /^(north|south)(east|west)$/.exec(word);
    return compound ? `${word.charAt(0)}${compound[2]?.charAt(0) ?? ""}` : word.charAt(0);
  });
  return area + words.join("");
}

/**
 * The region of that name. One that is not in the table but has the form of a region name is taken to have three zones a, b and c, so that new regions
 * work before this table knows them; undefined for anything else.
 */
export function region(name: string): Region | undefined {
  const known = load().get(name);
  if (known || !REGION_NAME.test(name)) return known;
  const made = make(name, abbreviation(name), ["a1", "b2", "c3"]);
  load().set(name, made);
  return made;
}

/** Regions of the table. */
export const regions = (): readonly Region[] => [...load().values()];

/** Zones of a region in order of their letters; none for a name that is no region. */
export const zonesOf = (name: string): readonly Zone[] => region(name)?.zones ?? [];

/** A zone by its name or id. */
export function findZone(regionName: string, nameOrId: string): Zone | undefined {
  return zonesOf(regionName).find((zone) => zone.name === nameOrId || zone.id === nameOrId);
}
