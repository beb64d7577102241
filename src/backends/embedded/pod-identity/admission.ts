/**
 * EKS's mutating webhook for pods that act in AWS (amazon-eks-pod-identity-webhook): the token volume and the variables by which SDKs find their
 * credentials. EKS Pod Identity goes before IAM roles for service accounts. Pods that exist already are left alone.
 */
import {
  AGENT_ADDRESSES,
  AGENT_PATH,
  ANNOTATIONS,
  POD_IDENTITY_LABEL,
  POD_IDENTITY_PRINCIPAL,
  STS_AUDIENCE,
  TOKEN_SECONDS,
} from "../../../domain/pod-identity.js";
import type { AdmissionPlugin } from "../../../kubernetes/admission/plugin.js";
import { mapContainers, podOf } from "../../../kubernetes/admission/pod-object.js";
import type { Container, EnvVar, PodSpec } from "../../../kubernetes/schema/generated/types.js";
import { containersToSkip, regionalEndpoints, tokenExpiration } from "./annotations.js";

/** What all containers of a pod are given. */
interface Injection {
  volume: string;
  mountPath: string;
  tokenPath: string;
  audience: string;
  expirationSeconds: number;
  /** AWS_STS_REGIONAL_ENDPOINTS=regional. */
  regional: boolean;
  /** Variables of the way credentials come; none of them is set where one is there. */
  variables: (tokenFile: string) => EnvVar[];
}

const REGION_VARIABLES = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const ENDPOINTS_VARIABLE = "AWS_STS_REGIONAL_ENDPOINTS";
const ENDPOINT_URL_VARIABLE = "AWS_ENDPOINT_URL";

/** The object that stands for it in a real cluster, and its webhook there. Its failure policy is Ignore: pods are made without it. */
export const POD_IDENTITY_WEBHOOK = ["pod-identity-webhook", "iam-for-pods.amazonaws.com"] as const;

export interface PodIdentityWebhookOptions {
  region: string;
  ipv6: boolean;
  /** Whether a service account has a pod identity association. */
  hasAssociation(namespace: string, serviceAccount: string): boolean;
  /** Integer from min to max, both included. */
  integer(min: number, max: number): number;
  /** Whether the API server reaches the webhook now; it does unless given. */
  isReached?(): boolean;
  /** Where AWS is for pods; undefined leaves it to their SDKs, as EKS does. */
  endpointUrl?: string | undefined;
}

export function podIdentityAdmission(options: PodIdentityWebhookOptions): AdmissionPlugin {
  const address = options.ipv6 ? `[${AGENT_ADDRESSES.ipv6}]` : AGENT_ADDRESSES.ipv4;

  const podIdentity = (seconds: number, regional: boolean): Injection => ({
    volume: "eks-pod-identity-token",
    mountPath: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
    tokenPath: "eks-pod-identity-token",
    audience: POD_IDENTITY_PRINCIPAL,
    expirationSeconds:
      seconds === TOKEN_SECONDS.default
        ? options.integer(TOKEN_SECONDS.leastByDefault, TOKEN_SECONDS.default)
        : seconds,
    regional,
    variables: (tokenFile) => [
      { name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", value: `http://${address}${AGENT_PATH}` },
      { name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", value: tokenFile },
    ],
  });

  const webIdentity = (roleArn: string, audience: string, seconds: number, regional: boolean): Injection => ({
    volume: "aws-iam-token",
    mountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount",
    tokenPath: "token",
    audience,
    expirationSeconds: seconds,
    regional,
    variables: (tokenFile) => [
      { name: "AWS_ROLE_ARN", value: roleArn },
      { name: "AWS_WEB_IDENTITY_TOKEN_FILE", value: tokenFile },
    ],
  });

  const environment = (present: readonly EnvVar[], injection: Injection, tokenFile: string): EnvVar[] => {
    const has = (...names: string[]): boolean => present.some(({ name }) => names.includes(name));
    const added: EnvVar[] = [];
    if (injection.regional && !has(ENDPOINTS_VARIABLE)) added.push({ name: ENDPOINTS_VARIABLE, value: "regional" });
    if (!has(...REGION_VARIABLES))
      added.push(...REGION_VARIABLES.toReversed().map((name) => ({ name, value: options.region })));
    const variables = injection.variables(tokenFile);
    if (!has(...variables.map(({ name }) => name))) added.push(...variables);
    if (options.endpointUrl && !has(ENDPOINT_URL_VARIABLE))
      added.push({ name: ENDPOINT_URL_VARIABLE, value: options.endpointUrl });
    return added;
  };

  const inContainer = (container: Container, injection: Injection, tokenFile: string): Container => {
    const { env = [], volumeMounts = [] } = container;
    const added = environment(env, injection, tokenFile);
    const isMounted = volumeMounts.some(({ name }) => name === injection.volume);
    if (added.length === 0 && isMounted) return container;
    const mount = { name: injection.volume, readOnly: true, mountPath: injection.mountPath };
    return {
      ...container,
      env: [...env, ...added],
      volumeMounts: isMounted ? volumeMounts : [...volumeMounts, mount],
    };
  };

  return {
    name: "PodIdentityWebhook",
    admit(request, reader) {
      const pod = podOf(request);
      if (!pod || options.isReached?.() === false) return;
      const namespace = request.namespace ?? "";
      const name = pod.spec.serviceAccountName ?? "";
      const account = reader.get("serviceaccounts", { namespace, name })?.metadata.annotations ?? {};
      const isAssociated = options.hasAssociation(namespace, name);
      const roleArn = account[ANNOTATIONS.roleArn];
      if (!isAssociated && !roleArn) return;

      const own = pod.metadata.annotations ?? {};
      const seconds = tokenExpiration(own) ?? tokenExpiration(account) ?? TOKEN_SECONDS.default;
      const regional = regionalEndpoints(account);
      const injection = isAssociated
        ? podIdentity(seconds, regional)
        : webIdentity(roleArn ?? "", account[ANNOTATIONS.audience] ?? STS_AUDIENCE, seconds, regional);
      const skipped = containersToSkip(own);
      const tokenFile = tokenFileOf(pod.spec, `${injection.mountPath}/${injection.tokenPath}`);
      pod.spec = withVolume(
        mapContainers(pod.spec, (container) =>
          skipped.has(container.name) ? container : inContainer(container, injection, tokenFile),
        ),
        injection,
      );
      if (isAssociated)
        pod.metadata = { ...pod.metadata, labels: { ...pod.metadata.labels, [POD_IDENTITY_LABEL]: "enabled" } };
    },
  };
}

function tokenFileOf({ nodeSelector = {} }: PodSpec, path: string): string {
  const isWindows = [nodeSelector["kubernetes.io/os"], nodeSelector["beta.kubernetes.io/os"]].includes("windows");
  return isWindows ? `C:${path.replaceAll("/", "\\")}` : path;
}

/** The volume goes before all others. */
function withVolume(spec: PodSpec, { volume: name, audience, expirationSeconds, tokenPath }: Injection): PodSpec {
  const { volumes = [] } = spec;
  if (volumes.some((volume) => volume.name === name)) return spec;
  const serviceAccountToken = { audience, expirationSeconds, path: tokenPath };
  return {
    ...spec,
    volumes: [{ name, projected: { defaultMode: 0o644, sources: [{ serviceAccountToken }] } }, ...volumes],
  };
}
