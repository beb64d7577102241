/** The configuration values that each add-on takes: one table of settings each, from which both the schema and the effect come. */
import type { JsonSchema } from "./json-schema.js";
import type { KubernetesObject, Manifest } from "./manifest.js";
import { PACKAGES } from "./packages.js";
import {
  type CommonSetting,
  changeContainer,
  changeObject,
  commonSettings,
  DAEMON_SETTINGS,
  DEPLOYMENT_SETTINGS,
  type Setting,
} from "./settings.js";
import type { Workload } from "./workload.js";

export type ConfigurationValues = Readonly<Record<string, unknown>>;

/** Changes the text of one key of a ConfigMap. */
const changeText = (
  objects: readonly Manifest[],
  name: string,
  key: string,
  change: (text: string) => string,
): Manifest[] =>
  changeObject(objects, "ConfigMap", name, (object) => {
    const data = object.data as Record<string, string>;
    return { ...object, data: { ...data, [key]: change(data[key] ?? "") } };
  });

/** Sets `--name=` among a container's arguments. */
const setArgument = (
  objects: readonly Manifest[],
  [workload, container]: readonly [string, string],
  name: string,
  value: string,
): Manifest[] =>
  changeContainer(objects, workload, container, (present) => ({
    ...present,
    args: [...(present.args ?? []).filter((argument) => !argument.startsWith(`--${name}=`)), `--${name}=${value}`],
  }));

const COREDNS: readonly Setting[] = [
  ...commonSettings("", { workload: "coredns", container: "coredns" }, DEPLOYMENT_SETTINGS),
  {
    path: "corefile",
    schema: { type: "string" },
    apply: (objects, value) => changeText(objects, "coredns", "Corefile", () => String(value)),
  },
  {
    // Which compute CoreDNS is for. Fargate takes only pods that are told to go there.
    path: "computeType",
    schema: { type: "string" },
    apply: (objects, value) => podAnnotation(objects, { "eks.amazonaws.com/compute-type": String(value) }),
  },
  {
    path: "podDisruptionBudget",
    schema: {
      type: "object",
      properties: {
        enabled: { type: "boolean", default: true },
        maxUnavailable: { type: ["integer", "string"] },
        minAvailable: { type: ["integer", "string"] },
      },
      additionalProperties: false,
    },
    apply: (objects, value) => disruptionBudget(objects, value as Budget),
  },
];

const podAnnotation = (objects: readonly Manifest[], annotations: Record<string, string>): Manifest[] =>
  commonSettings("", { workload: "coredns", container: "coredns" }, ["podAnnotations"]).reduce<Manifest[]>(
    (changed, setting) => setting.apply(changed, annotations),
    [...objects],
  );

interface Budget {
  enabled?: boolean;
  maxUnavailable?: number | string;
  minAvailable?: number | string;
}

function disruptionBudget(objects: readonly Manifest[], { enabled, ...limits }: Budget): Manifest[] {
  if (enabled === false) return objects.filter(({ object }) => object.kind !== "PodDisruptionBudget");
  if (limits.maxUnavailable === undefined && limits.minAvailable === undefined) return [...objects];
  return changeObject(objects, "PodDisruptionBudget", "coredns", (object) => {
    const { selector } = object.spec as { selector: unknown };
    return { ...object, spec: { selector, ...limits } };
  });
}

const NODE = { workload: "aws-node", container: "aws-node" };
const NODE_AGENT = { workload: "aws-node", container: "aws-eks-nodeagent" };

const VPC_CNI: readonly Setting[] = [
  ...commonSettings("", NODE, [...DAEMON_SETTINGS, "env"]),
  ...commonSettings("init", { workload: "aws-node", container: "aws-vpc-cni-init" }, ["env", "resources"]),
  ...commonSettings("nodeAgent", NODE_AGENT, ["resources"]),
  {
    path: "enableNetworkPolicy",
    schema: { type: "string", enum: ["true", "false"] },
    apply: (objects, value) =>
      setArgument(objects, [NODE_AGENT.workload, NODE_AGENT.container], "enable-network-policy", String(value)),
  },
];

const KUBE_PROXY: readonly Setting[] = [
  ...commonSettings("", { workload: "kube-proxy", container: "kube-proxy" }, DAEMON_SETTINGS),
  {
    path: "mode",
    schema: { type: "string", enum: ["iptables", "ipvs", "nftables"] },
    apply: (objects, value) =>
      changeText(objects, "kube-proxy-config", "config", (text) => text.replace(/^mode: .*$/m, `mode: "${value}"`)),
  },
  {
    path: "ipvs.scheduler",
    schema: { type: "string", enum: ["rr", "lc", "dh", "sh", "sed", "nq"] },
    apply: (objects, value) =>
      changeText(objects, "kube-proxy-config", "config", (text) => `${text}ipvs:\n  scheduler: "${value}"\n`),
  },
];

const DEFAULT_STORAGE_CLASS: KubernetesObject = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: {
    name: "ebs-csi-default-sc",
    annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
  },
  provisioner: "ebs.csi.aws.com",
  volumeBindingMode: "WaitForFirstConsumer",
  allowVolumeExpansion: true,
};

const EBS: readonly Setting[] = [
  {
    path: "defaultStorageClass.enabled",
    schema: { type: "boolean", default: false },
    apply: (objects, value) =>
      value === true
        ? [...objects, { resource: "storageclasses.storage.k8s.io", object: DEFAULT_STORAGE_CLASS }]
        : [...objects],
  },
  {
    path: "controller.extraVolumeTags",
    schema: { type: "object", additionalProperties: { type: "string" } },
    apply: (objects, value) => {
      const tags = Object.entries(value as Record<string, string>).map(([key, tag]) => `${key}=${tag}`);
      return tags.length === 0
        ? [...objects]
        : setArgument(objects, ["ebs-csi-controller", "ebs-plugin"], "extra-tags", tags.join(","));
    },
  },
];

/** What some add-ons take beside the settings that their workloads have in common with all others. */
const OWN: Readonly<Record<string, readonly Setting[]>> = {
  coredns: COREDNS,
  "vpc-cni": VPC_CNI,
  "kube-proxy": KUBE_PROXY,
  "aws-ebs-csi-driver": EBS,
};

function settingsOfWorkload({ kind, name, containers, settings = "" }: Workload): Setting[] {
  const names: readonly CommonSetting[] = kind === "Deployment" ? DEPLOYMENT_SETTINGS : DAEMON_SETTINGS;
  return commonSettings(settings, { workload: name, container: Object.keys(containers)[0] ?? name }, names);
}

const settingsOf = (addonName: string): readonly Setting[] => [
  ...(PACKAGES[addonName]?.workloads ?? []).flatMap(settingsOfWorkload),
  ...(OWN[addonName] ?? []),
];

interface Branch {
  [name: string]: JsonSchema | Branch;
}

const isSchema = (node: JsonSchema | Branch): node is JsonSchema => "type" in node && typeof node.type !== "object";

const schemaOf = (branch: Branch): JsonSchema => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(branch).map(([name, node]) => [name, isSchema(node) ? node : schemaOf(node)]),
  ),
  additionalProperties: false,
});

/** Schema of an add-on's configuration values. */
export function configurationSchema(addonName: string): JsonSchema {
  const root: Branch = {};
  for (const { path, schema } of settingsOf(addonName)) {
    const names = path.split(".");
    const last = names.pop() ?? path;
    let branch = root;
    for (const name of names) {
      branch[name] ??= {};
      branch = branch[name] as Branch;
    }
    branch[last] = schema;
  }
  return schemaOf(root);
}

const valueAt = (values: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>(
      (value, name) =>
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined,
      values,
    );

/** The add-on's objects with the values in effect. The values fit the schema. */
export const applyConfiguration = (
  addonName: string,
  objects: readonly Manifest[],
  values: ConfigurationValues,
): Manifest[] =>
  settingsOf(addonName).reduce<Manifest[]>(
    (changed, { path, apply }) => {
      const value = valueAt(values, path);
      return value === undefined ? changed : apply(changed, value);
    },
    [...objects],
  );
