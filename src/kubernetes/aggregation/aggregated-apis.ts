/**
 * The API servers that are asked instead of this one: APIServices with a Service. Kept as they are written, together with what each of them serves as far
 * as it is known: the availability controller finds that out.
 */
import type { KubeApi } from "../api.js";
import { judgeMetricsServer } from "../metrics/metrics-server.js";
import type { APIService } from "../schema/generated/types.js";
import type { ResourceInfo } from "../schema/resource-info.js";

export const API_SERVICES = "apiservices.apiregistration.k8s.io";

/** An APIService that is answered by somebody else. */
export interface RemoteApiService extends APIService {
  spec: NonNullable<APIService["spec"]> & { service: NonNullable<NonNullable<APIService["spec"]>["service"]> };
}

export const isRemote = (service: APIService): service is RemoteApiService => service.spec?.service !== undefined;

export const isAvailable = ({ status }: APIService): boolean =>
  status?.conditions?.some((condition) => condition.type === "Available" && condition.status === "True") ?? false;

export interface AggregatedApis {
  /** Whoever answers for a group and version; undefined when this API server does it itself. */
  find(group: string, version: string): RemoteApiService | undefined;
  /** The APIServices that a Service answers for. */
  usersOf(namespace: string | undefined, service: string): readonly string[];
  /** What the available ones serve. */
  infos(): readonly ResourceInfo[];
  /** Sets what an APIService serves; undefined: nothing that is known. */
  setResources(name: string, infos: readonly ResourceInfo[] | undefined): void;
  /** Raised with every change of `infos`. */
  readonly generation: number;
  stop(): void;
}

export function createAggregatedApis(api: KubeApi): AggregatedApis {
  const byVersion = new Map<string, RemoteApiService>();
  const served = new Map<string, { text: string; infos: readonly ResourceInfo[] }>();
  let generation = 0;

  function setResources(name: string, infos: readonly ResourceInfo[] | undefined): void {
    const text = infos ? JSON.stringify(infos) : "";
    if ((served.get(name)?.text ?? "") === text) return;
    if (infos) served.set(name, { text, infos });
    else served.delete(name);
    generation++;
  }

  const stop = api.watch<APIService>(API_SERVICES, ({ type, object }) => {
    const { group = "", version = "" } = object.spec ?? {};
    const key = `${group}/${version}`;
    if (type !== "DELETED" && isRemote(object)) {
      byVersion.set(key, object);
      if (!isAvailable(object)) setResources(object.metadata.name, undefined);
    } else {
      byVersion.delete(key);
      setResources(object.metadata.name, undefined);
    }
  });

  return {
    find: (group, version) => {
      const found = byVersion.size === 0 ? undefined : byVersion.get(`${group}/${version}`);
      // The one that this process plays itself.
      return found && judgeMetricsServer(api, found)?.status !== "True" ? found : undefined;
    },
    usersOf: (namespace, name) =>
      byVersion.size === 0
        ? []
        : [...byVersion.values()]
            .filter(({ spec: { service } }) => service.namespace === namespace && service.name === name)
            .map(({ metadata }) => metadata.name),
    infos: () => (served.size === 0 ? [] : [...served.values()].flatMap(({ infos }) => infos)),
    setResources,
    get generation() {
      return generation;
    },
    stop,
  };
}

interface ListedResource {
  name?: string;
  singularName?: string;
  namespaced?: boolean;
  group?: string;
  version?: string;
  kind?: string;
  verbs?: ResourceInfo["verbs"];
  shortNames?: string[];
  categories?: string[];
}

/** What an APIResourceList says is served, subresources below their resources. */
export function infosOf(group: string, version: string, list: unknown): ResourceInfo[] {
  const resources = (list as { resources?: ListedResource[] } | undefined)?.resources;
  if (!Array.isArray(resources)) return [];
  const main = resources.filter(({ name }) => name && !name.includes("/"));
  return main.map(({ name = "", singularName = "", namespaced = false, kind = "", verbs = [], ...names }) => ({
    group,
    version,
    resource: name,
    singular: singularName,
    kind,
    listKind: `${kind}List`,
    namespaced,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs,
    subresources: resources
      .filter((other) => other.name?.startsWith(`${name}/`))
      .map((other) => ({
        name: (other.name ?? "").slice(name.length + 1),
        kind: other.kind ?? "",
        ...(other.version ? { group: other.group ?? "", version: other.version } : {}),
        verbs: other.verbs ?? [],
      })),
    type: `aggregated ${group}/${version}.${kind}`,
  }));
}
