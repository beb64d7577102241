import { describe, expect, it } from "vitest";
import { podIdentityAdmission } from "../../../../src/backends/embedded/pod-identity/admission.js";
import type { AdmissionReader, AdmissionRequest } from "../../../../src/kubernetes/admission/plugin.js";
import type { Container, Pod, PodSpec } from "../../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../../src/kubernetes/schema/resources.js";

const ROLE = "arn:aws:iam::000000000000:role/app";
const REGION = [
  { name: "AWS_STS_REGIONAL_ENDPOINTS", value: "regional" },
  { name: "AWS_DEFAULT_REGION", value: "us-east-1" },
  { name: "AWS_REGION", value: "us-east-1" },
];
const TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
const ROLE_VARIABLES = [
  { name: "AWS_ROLE_ARN", value: ROLE },
  { name: "AWS_WEB_IDENTITY_TOKEN_FILE", value: TOKEN_FILE },
];
const MOUNT = { name: "aws-iam-token", readOnly: true, mountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount" };

const info = builtinResources().find(({ resource, group }) => resource === "pods" && group === "");

interface Given {
  /** Of the service account. */
  account?: Record<string, string>;
  /** Of the pod. */
  annotations?: Record<string, string>;
  spec?: Partial<PodSpec>;
  isAssociated?: boolean;
  ipv6?: boolean;
  endpointUrl?: string;
  operation?: AdmissionRequest["operation"];
}

function admit(given: Given): Pod & { spec: PodSpec } {
  const { account = {}, annotations, isAssociated = false, ipv6 = false, endpointUrl } = given;
  const plugin = podIdentityAdmission({
    region: "us-east-1",
    ipv6,
    hasAssociation: (namespace, name) => isAssociated && namespace === "apps" && name === "app",
    integer: (min, max) => {
      expect([min, max]).toEqual([79_200, 86_400]);
      return 80_000;
    },
    endpointUrl,
  });
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "apps", uid: "1", ...(annotations ? { annotations } : {}) },
    spec: { serviceAccountName: "app", containers: [{ name: "main" }], ...given.spec },
  } as unknown as Pod;
  const reader: AdmissionReader = {
    nowMs: () => 0,
    get: (resource, { namespace, name }) =>
      resource === "serviceaccounts" && namespace === "apps" && name === "app"
        ? { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace, uid: "2", annotations: account } }
        : undefined,
    list: () => [],
  } as AdmissionReader;
  plugin.admit?.(
    {
      operation: given.operation ?? "CREATE",
      info,
      namespace: "apps",
      name: "p",
      user: { username: "u", groups: [] },
      dryRun: false,
      object: pod,
    } as AdmissionRequest,
    reader,
  );
  return pod as Pod & { spec: PodSpec };
}

const withRole = { "eks.amazonaws.com/role-arn": ROLE };
const tokenOf = ({ spec }: { spec: PodSpec }) => spec.volumes?.[0]?.projected?.sources?.[0]?.serviceAccountToken;
const envOf = ({ spec }: { spec: PodSpec }): string[] => (spec.containers[0]?.env ?? []).map(({ name }) => name);

describe("pods of a service account with a role", () => {
  it("are given variables, mounts and the token as their first volume, in init containers too", () => {
    const pod = admit({
      account: withRole,
      spec: {
        containers: [
          { name: "main", env: [{ name: "A", value: "b" }], volumeMounts: [{ name: "v", mountPath: "/v" }] },
        ],
        initContainers: [{ name: "init" }],
        volumes: [{ name: "v", emptyDir: {} }],
      },
    });
    expect(pod.spec.containers).toEqual([
      {
        name: "main",
        env: [{ name: "A", value: "b" }, ...REGION, ...ROLE_VARIABLES],
        volumeMounts: [{ name: "v", mountPath: "/v" }, MOUNT],
      },
    ]);
    expect(pod.spec.initContainers).toEqual([
      { name: "init", env: [...REGION, ...ROLE_VARIABLES], volumeMounts: [MOUNT] },
    ]);
    expect(pod.spec.volumes).toEqual([
      {
        name: "aws-iam-token",
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { audience: "sts.amazonaws.com", expirationSeconds: 86_400, path: "token" } },
          ],
        },
      },
      { name: "v", emptyDir: {} },
    ]);
    expect(pod.metadata.labels).toBeUndefined();
  });

  it.each<[string, Given, { audience?: string; expirationSeconds?: number }]>([
    ["the account's audience", { account: { "eks.amazonaws.com/audience": "mine" } }, { audience: "mine" }],
    [
      "the account's expiration",
      { account: { "eks.amazonaws.com/token-expiration": "7200" } },
      { expirationSeconds: 7200 },
    ],
    [
      "the pod's expiration before the account's",
      {
        account: { "eks.amazonaws.com/token-expiration": "7200" },
        annotations: { "eks.amazonaws.com/token-expiration": "900" },
      },
      { expirationSeconds: 900 },
    ],
    [
      "at least ten minutes",
      { annotations: { "eks.amazonaws.com/token-expiration": "5" } },
      { expirationSeconds: 600 },
    ],
    [
      "a day where the number is none",
      { annotations: { "eks.amazonaws.com/token-expiration": "1h" } },
      { expirationSeconds: 86_400 },
    ],
  ])("have a token of %s", (_what, given, expected) => {
    expect(tokenOf(admit({ ...given, account: { ...withRole, ...given.account } }))).toMatchObject(expected);
  });

  it("are left to global endpoints when the account says so, and only then", () => {
    const key = "eks.amazonaws.com/sts-regional-endpoints";
    for (const [text, isRegional] of [
      ["false", false],
      ["0", false],
      ["true", true],
      ["nonsense", true],
    ] as const)
      expect(envOf(admit({ account: { ...withRole, [key]: text } })).includes("AWS_STS_REGIONAL_ENDPOINTS")).toBe(
        isRegional,
      );
  });

  it.each<[string, string, string[]]>([
    ["one", "main", []],
    ["several, quoted", '"main",other', []],
    ["none that is there", "other", ["AWS_ROLE_ARN"]],
    ["no CSV", 'a"b', ["AWS_ROLE_ARN"]],
  ])("skip the containers that they name: %s", (_what, line, expected) => {
    const pod = admit({ account: withRole, annotations: { "eks.amazonaws.com/skip-containers": line } });
    expect(envOf(pod).filter((name) => name === "AWS_ROLE_ARN")).toEqual(expected);
    expect(pod.spec.volumes).toHaveLength(1);
  });

  it.each<[string, Container, string[]]>([
    [
      "a region",
      { name: "main", env: [{ name: "AWS_REGION", value: "x" }] },
      ["AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"],
    ],
    [
      "a role",
      { name: "main", env: [{ name: "AWS_ROLE_ARN", value: "x" }] },
      ["AWS_ROLE_ARN", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION", "AWS_REGION"],
    ],
  ])("keep %s that they have", (_what, container, names) => {
    const pod = admit({ account: withRole, spec: { containers: [container] } });
    expect(envOf(pod)).toEqual(names);
    expect(pod.spec.containers[0]?.volumeMounts).toEqual([MOUNT]);
  });

  it("are given nothing twice", () => {
    const { spec } = admit({ account: withRole });
    expect(admit({ account: withRole, spec }).spec).toEqual(spec);
  });

  it("have paths of Windows on Windows", () => {
    const pod = admit({ account: withRole, spec: { nodeSelector: { "kubernetes.io/os": "windows" } } });
    expect(pod.spec.containers[0]?.env?.at(-1)?.value).toBe(
      "C:\\var\\run\\secrets\\eks.amazonaws.com\\serviceaccount\\token",
    );
  });

  it("are told where AWS is, when the emulator is", () => {
    const endpointUrl = "http://host.docker.internal:4566";
    expect(admit({ account: withRole, endpointUrl }).spec.containers[0]?.env?.at(-1)).toEqual({
      name: "AWS_ENDPOINT_URL",
      value: endpointUrl,
    });
  });
});

describe("pods of a service account with an association", () => {
  it("are given the agent's address and a token for it, whatever role the account names", () => {
    const pod = admit({ account: withRole, isAssociated: true });
    const path = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount";
    expect(pod.spec.containers[0]).toEqual({
      name: "main",
      env: [
        ...REGION,
        { name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", value: "http://169.254.170.23/v1/credentials" },
        { name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", value: `${path}/eks-pod-identity-token` },
      ],
      volumeMounts: [{ name: "eks-pod-identity-token", readOnly: true, mountPath: path }],
    });
    expect(tokenOf(pod)).toEqual({
      audience: "pods.eks.amazonaws.com",
      expirationSeconds: 80_000,
      path: "eks-pod-identity-token",
    });
    expect(pod.metadata.labels).toEqual({ "eks.amazonaws.com/pod-identity": "enabled" });
  });

  it("have the agent's IPv6 address in clusters of that family", () => {
    expect(admit({ isAssociated: true, ipv6: true }).spec.containers[0]?.env?.at(-2)?.value).toBe(
      "http://[fd00:ec2::23]/v1/credentials",
    );
  });

  it("have the expiration that is asked for, exactly", () => {
    const annotations = { "eks.amazonaws.com/token-expiration": "4000" };
    expect(tokenOf(admit({ isAssociated: true, annotations }))).toMatchObject({ expirationSeconds: 4000 });
  });
});

describe("other pods", () => {
  it("are left as they are", () => {
    for (const given of [
      {},
      { account: withRole, operation: "UPDATE" as const },
      { account: withRole, spec: { serviceAccountName: "else" } },
    ])
      expect(admit(given).spec).toEqual({ serviceAccountName: "app", containers: [{ name: "main" }], ...given.spec });
  });
});
