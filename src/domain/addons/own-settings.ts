/** What some add-ons take beside the settings that their workloads have in common with all others. */
import type { JsonSchema } from "./json-schema.js";
import type { KubernetesObject, Manifest } from "./manifest.js";
import {
  type CommonSetting,
  changeContainer,
  changeObject,
  commonSettings,
  DAEMON_SETTINGS,
  DEPLOYMENT_SETTINGS,
  type Setting,
} from "./settings.js";

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
    apply: (objects, value) =>
      applySetting(objects, "coredns", "podAnnotations", { "eks.amazonaws.com/compute-type": String(value) }),
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

/** Puts a value in place as the setting of that name would. */
const applySetting = (
  objects: readonly Manifest[],
  workload: string,
  name: CommonSetting,
  value: unknown,
): Manifest[] =>
  commonSettings("", { workload, container: workload }, [name]).reduce<Manifest[]>(
    (changed, setting) => setting.apply(changed, value),
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

/** EKS wants these switches as texts. */
const SWITCH: JsonSchema = { type: "string", enum: ["true", "false"] };

/** A switch of the network policy agent. */
const agentSwitch = (path: string, argument: string): Setting => ({
  path,
  schema: SWITCH,
  apply: (objects, value) => setArgument(objects, [NODE_AGENT.workload, NODE_AGENT.container], argument, String(value)),
});

/** A value that the controllers of the VPC CNI read from its ConfigMap. */
const cniText = (path: string, key: string, schema: JsonSchema): Setting => ({
  path,
  schema,
  apply: (objects, value) => changeText(objects, "amazon-vpc-cni", key, () => String(value)),
});

const VPC_CNI: readonly Setting[] = [
  ...commonSettings("", NODE, [...DAEMON_SETTINGS, "env"]),
  ...commonSettings("init", { workload: "aws-node", container: "aws-vpc-cni-init" }, ["env", "resources"]),
  ...commonSettings("nodeAgent", NODE_AGENT, ["resources"]),
  agentSwitch("enableNetworkPolicy", "enable-network-policy"),
  agentSwitch("nodeAgent.enableCloudWatchLogs", "enable-cloudwatch-logs"),
  agentSwitch("nodeAgent.enablePolicyEventLogs", "enable-policy-event-logs"),
  cniText("enableWindowsIpam", "enable-windows-ipam", SWITCH),
  cniText("enableWindowsPrefixDelegation", "enable-windows-prefix-delegation", SWITCH),
  cniText("warmWindowsPrefixTarget", "warm-prefix-target", { type: "integer", minimum: 0 }),
  cniText("warmWindowsIPTarget", "warm-ip-target", { type: "integer", minimum: 0 }),
  cniText("minimumWindowsIPTarget", "minimum-ip-target", { type: "integer", minimum: 0 }),
  {
    // Custom networking: which subnet and security groups the pods of each zone get.
    path: "eniConfig",
    schema: {
      type: "object",
      properties: {
        create: { type: "boolean", default: false },
        region: { type: "string" },
        subnets: {
          type: "object",
          additionalProperties: {
            type: "object",
            properties: {
              id: { type: "string" },
              securityGroups: { type: "array", items: { type: "string" } },
            },
            additionalProperties: false,
          },
        },
      },
      additionalProperties: false,
    },
    apply: (objects, value) => [...objects, ...eniConfigs(value as EniConfigs)],
  },
];

interface EniConfigs {
  create?: boolean;
  region?: string;
  /** By the letter of the zone. */
  subnets?: Record<string, { id?: string; securityGroups?: string[] }>;
}

const eniConfigs = ({ create, region = "", subnets = {} }: EniConfigs): Manifest[] =>
  create === true
    ? Object.entries(subnets).map(([letter, { id, securityGroups }]) => ({
        resource: "eniconfigs.crd.k8s.amazonaws.com",
        object: {
          apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
          kind: "ENIConfig",
          metadata: { name: `${region}${letter}` },
          spec: { ...(id === undefined ? {} : { subnet: id }), ...(securityGroups ? { securityGroups } : {}) },
        },
      }))
    : [];

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

const ORDINARY_TOLERATIONS = [
  { key: "CriticalAddonsOnly", operator: "Exists" },
  { operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
];

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
    // The agent runs on every node, or with false only on those that an ordinary pod may use.
    path: "node.tolerateAllTaints",
    schema: { type: "boolean", default: true },
    apply: (objects, value) =>
      value === false ? applySetting(objects, "ebs-csi-node", "tolerations", ORDINARY_TOLERATIONS) : [...objects],
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

export const OWN_SETTINGS: Readonly<Record<string, readonly Setting[]>> = {
  coredns: COREDNS,
  "vpc-cni": VPC_CNI,
  "kube-proxy": KUBE_PROXY,
  "aws-ebs-csi-driver": EBS,
};
