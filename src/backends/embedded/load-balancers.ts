/**
 * Names of the load balancers that Services get on EKS: Classic ones by default, Network ones by annotation, as the cloud controller manager in the
 * control plane makes them; and those of the AWS Load Balancer Controller and of Auto Mode where these are there.
 */
import { createHash } from "node:crypto";
import type { KubeApi } from "../../kubernetes/api.js";
import type { LoadBalancers } from "../../kubernetes/cluster.js";
import type { Deployment, Service } from "../../kubernetes/schema/generated/types.js";

const PREFIX = "service.beta.kubernetes.io/aws-load-balancer-";
const CONTROLLER_CLASS = "service.k8s.aws/nlb";
const AUTO_MODE_CLASS = "eks.amazonaws.com/nlb";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Ten decimal digits, as DNS names of Classic Load Balancers have behind their names. */
const digits = (text: string): string =>
  String(Number.parseInt(digest(text).slice(0, 12), 16) % 1e10).padStart(10, "0");

const annotation = ({ metadata }: Service, name: string): string | undefined =>
  metadata.annotations?.[`${PREFIX}${name}`];

/** Whoever makes this Service's load balancer; undefined: nobody whom this cluster knows by itself. */
function makerOf(service: Service): "in-tree" | "controller" | "auto-mode" | undefined {
  const { loadBalancerClass } = service.spec ?? {};
  if (loadBalancerClass === AUTO_MODE_CLASS) return "auto-mode";
  if (loadBalancerClass === CONTROLLER_CLASS) return "controller";
  if (loadBalancerClass !== undefined) return undefined;
  const type = annotation(service, "type");
  return type === "external" || type === "nlb-ip" ? "controller" : "in-tree";
}

export function eksLoadBalancers({
  region,
  api,
}: {
  region: string;
  api: () => Pick<KubeApi, "get" | "list">;
}): LoadBalancers {
  /** Auto Mode leaves its definitions in the cluster. */
  const isAutoMode = (): boolean =>
    api().get("customresourcedefinitions.apiextensions.k8s.io", { name: "nodeclasses.eks.amazonaws.com" }) !==
    undefined;

  const hasController = (): boolean =>
    api()
      .list<Deployment>("deployments.apps", { namespace: "kube-system" })
      .some(
        ({ spec, status }) =>
          (status?.availableReplicas ?? 0) > 0 &&
          spec?.template?.spec?.containers.some(({ image = "" }) => image.includes("aws-load-balancer-controller")),
      );

  return {
    serves(service) {
      const maker = makerOf(service);
      if (maker === "auto-mode") return isAutoMode();
      return maker === "controller" ? hasController() : maker === "in-tree";
    },
    ingressOf(service) {
      const { uid, namespace = "", name } = service.metadata;
      const isInternal = annotation(service, "internal") === "true" || annotation(service, "scheme") === "internal";
      if (makerOf(service) !== "in-tree") {
        const short = (text: string): string => text.replaceAll(/[^a-z0-9]/g, "").slice(0, 8);
        const own = `k8s-${short(namespace)}-${short(name)}-${digest(uid).slice(0, 10)}`;
        return [{ hostname: `${own}-${digest(`${uid}/nlb`).slice(0, 16)}.elb.${region}.amazonaws.com` }];
      }
      const own = `a${uid.replaceAll("-", "")}`.slice(0, 32);
      if (annotation(service, "type") === "nlb")
        return [{ hostname: `${own}-${digest(`${uid}/nlb`).slice(0, 16)}.elb.${region}.amazonaws.com` }];
      return [{ hostname: `${isInternal ? "internal-" : ""}${own}-${digits(uid)}.${region}.elb.amazonaws.com` }];
    },
  };
}
