/**
 * What an API server says about itself: the lists of groups, versions and resources, in the old form (one document for each group version) and in the
 * aggregated form (all in one document). Made from the resources served at the moment, so that custom resources appear like built-in ones.
 */
import { createHash } from "node:crypto";
import { formatApiVersion } from "../schema/kinds.js";
import type { ResourceInfo, SubresourceInfo } from "../schema/resource-info.js";
import { compareVersions, GROUP_ORDER } from "../schema/resources.js";
import { negotiate } from "./negotiate.js";

export interface DiscoveryAnswer {
  /** JSON text. */
  body: string;
  contentType: string;
  /** Strong entity tag with its quotes; only aggregated documents have one. A request with it in If-None-Match gets 304. */
  etag?: string;
}

export interface Discovery {
  /**
   * The document at `/api`, `/api/v1`, `/apis`, `/apis/<group>` or `/apis/<group>/<version>` (a trailing slash is ignored); undefined when no such group
   * or version is served. Throws StatusError 406 when the Accept header asks for nothing that can be given.
   */
  answer(path: string, accept: string | undefined): DiscoveryAnswer | undefined;
}

/**
 * `generation` changes whenever `resources` does; documents are made on first use and kept until then. `serverAddress` is `host:port` as clients reach it.
 */
export function createDiscovery({
  resources,
  generation,
  serverAddress,
}: {
  resources: () => readonly ResourceInfo[];
  generation: () => number;
  serverAddress: () => string;
}): Discovery {
  let made = new Map<string, DiscoveryAnswer | undefined>();
  let madeAt: number | undefined;
  return {
    answer(rawPath, accept) {
      const path = rawPath.length > 1 && rawPath.endsWith("/") ? rawPath.slice(0, -1) : rawPath;
      const root = path === "/api" || path === "/apis";
      const { as, version, contentType } = negotiate(accept, root ? ["APIGroupDiscoveryList"] : [], ["json"]);
      if (madeAt !== generation()) {
        made = new Map();
        madeAt = generation();
      }
      const key = `${path} ${as ? version : ""}`;
      let answer = made.get(key);
      if (!answer) {
        const document = as
          ? aggregated(resources(), path === "/api", version as string)
          : legacy(resources(), path, serverAddress());
        if (!document) return undefined;
        const body = JSON.stringify(document);
        answer = { body, contentType, ...(as ? { etag: etagOf(body) } : {}) };
        made.set(key, answer);
      }
      return answer;
    },
  };
}

const etagOf = (body: string): string => `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"`;

const GROUP_RANK: ReadonlyMap<string, number> = new Map(GROUP_ORDER.map((group, index) => [group, index]));

interface Group {
  name: string;
  /** Preferred version first. */
  versions: { version: string; resources: ResourceInfo[] }[];
}

/** Groups in the API server's order of priority (custom ones last, by name), versions and resources in theirs. */
function groupsOf(resources: readonly ResourceInfo[]): Group[] {
  const groups = new Map<string, Map<string, ResourceInfo[]>>();
  for (const info of resources) {
    const versions = getOrAdd(groups, info.group, () => new Map<string, ResourceInfo[]>());
    getOrAdd(versions, info.version, () => []).push(info);
  }
  const rank = (name: string): number => GROUP_RANK.get(name) ?? GROUP_RANK.size;
  return [...groups]
    .map(([name, versions]) => ({
      name,
      versions: [...versions]
        .map(([version, infos]) => ({ version, resources: infos.sort((a, b) => (a.resource < b.resource ? -1 : 1)) }))
        .sort((a, b) => compareVersions(a.version, b.version)),
    }))
    .sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function legacy(resources: readonly ResourceInfo[], path: string, serverAddress: string): object | undefined {
  const parts = path.split("/").slice(1);
  if (path === "/api") {
    const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress }];
    return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
  }
  const groups = groupsOf(resources);
  if (parts[0] === "api") return parts.length === 2 ? resourceList(groups, "", parts[1] as string) : undefined;
  const named = groups.filter((group) => group.name !== "");
  if (path === "/apis") return { kind: "APIGroupList", apiVersion: "v1", groups: named.map(groupDocument) };
  if (parts.length === 3) return resourceList(named, parts[1] as string, parts[2] as string);
  const group = parts.length === 2 ? named.find(({ name }) => name === parts[1]) : undefined;
  return group && { kind: "APIGroup", apiVersion: "v1", ...groupDocument(group) };
}

function groupDocument({ name, versions }: Group): {
  name: string;
  versions: object[];
  preferredVersion: object | undefined;
} {
  const listed = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

function resourceList(groups: readonly Group[], name: string, version: string): object | undefined {
  const group = groups.find((candidate) => candidate.name === name);
  const found = group?.versions.find((candidate) => candidate.version === version);
  if (!group || !found) return undefined;
  const stored = group.versions[0]?.version ?? version;
  return {
    kind: "APIResourceList",
    // The core group's list has never carried its own apiVersion.
    ...(name ? { apiVersion: "v1" } : {}),
    groupVersion: formatApiVersion({ group: name, version }),
    resources: found.resources.flatMap((info) => [
      {
        name: info.resource,
        singularName: info.singular,
        namespaced: info.namespaced,
        kind: info.kind,
        verbs: info.verbs,
        ...namesOf(info),
        ...(info.verbs.includes("get") ? { storageVersionHash: storageVersionHash(info, stored) } : {}),
      },
      ...info.subresources.map((sub) => ({
        name: `${info.resource}/${sub.name}`,
        singularName: "",
        namespaced: info.namespaced,
        ...(sub.version ? { group: sub.group, version: sub.version } : {}),
        kind: sub.kind,
        verbs: sub.verbs,
      })),
    ]),
  };
}

/** Short names and categories, left out where there are none. */
const namesOf = ({ shortNames, categories }: ResourceInfo): object => ({
  ...(shortNames.length > 0 ? { shortNames } : {}),
  ...(categories.length > 0 ? { categories } : {}),
});

/** Groups whose objects are stored as those of another group. */
const STORED_IN_GROUP: Readonly<Record<string, string>> = { "events.k8s.io": "" };

/** Eight bytes of a digest over group, version and kind as stored; clients compare it to see that two resources share their storage. */
function storageVersionHash({ group, kind }: ResourceInfo, version: string): string {
  const text = `${STORED_IN_GROUP[group] ?? group}/${version}/${kind}`;
  return createHash("sha256").update(text).digest().subarray(0, 8).toString("base64");
}

/** `/api` holds the core group alone, `/apis` all the others. */
function aggregated(resources: readonly ResourceInfo[], core: boolean, version: string): object {
  const groups = groupsOf(resources).filter((group) => (group.name === "") === core);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group.name ? { name: group.name } : {}), creationTimestamp: null },
      versions: group.versions.map((entry) => ({
        version: entry.version,
        resources: entry.resources.map(aggregatedResource),
        freshness: "Current",
      })),
    })),
  };
}

function aggregatedResource(info: ResourceInfo): object {
  return {
    resource: info.resource,
    responseKind: { group: info.group, version: info.version, kind: info.kind },
    scope: info.namespaced ? "Namespaced" : "Cluster",
    singularResource: info.singular,
    verbs: info.verbs,
    ...namesOf(info),
    ...(info.subresources.length > 0
      ? { subresources: info.subresources.map((sub) => aggregatedSubresource(info, sub)) }
      : {}),
  };
}

function aggregatedSubresource(info: ResourceInfo, sub: SubresourceInfo): object {
  return {
    subresource: sub.name,
    responseKind: { group: sub.group ?? info.group, version: sub.version ?? info.version, kind: sub.kind },
    verbs: sub.verbs,
  };
}
