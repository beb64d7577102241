import type { LoadBalancers } from "../cluster.js";
import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import { keyOf, parseKey } from "../object.js";
import { orAbsent } from "../runtime/absent.js";
import { isConditionTrue } from "../runtime/conditions.js";
import { isEqual } from "../runtime/hash.js";
import type { LoadBalancerIngress, Node, Service } from "../schema/generated/types.js";
import { defineController, on } from "./define-controller.js";

/**
 * The service controller of the cloud controller manager: Services of type LoadBalancer get one from the cloud and give it back. Upstream:
 * k8s.io/cloud-provider/controllers/service.
 */
const FINALIZER = "service.kubernetes.io/load-balancer-cleanup";
/** How long a cloud takes to make one, ms. */
const CREATING_MS = [1500, 4000] as const;
const EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers";

export const serviceController = (provider: LoadBalancers): Controller =>
  defineController({ name: "service-controller" }, ({ api, clock, events, queue }) => {
    const random = clock.random("service-controller");
    /** When the load balancers that are being made are done, epoch ms, by Service. */
    const due = new Map<string, number>();

    const wants = (service: Service): boolean =>
      service.spec?.type === "LoadBalancer" && !service.metadata.deletionTimestamp && provider.serves(service);

    const hasFinalizer = ({ metadata }: Service): boolean => metadata.finalizers?.includes(FINALIZER) ?? false;
    const setFinalizer = (service: Service, present: boolean): Promise<Service> => {
      const others = (service.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
      const finalizers = orAbsent(present ? [...others, FINALIZER] : others);
      return api.update<Service>("services", { ...service, metadata: { ...service.metadata, finalizers } });
    };
    const setIngress = async (service: Service, ingress: readonly LoadBalancerIngress[]): Promise<void> => {
      if (isEqual(service.status?.loadBalancer?.ingress ?? [], ingress)) return;
      const loadBalancer = ingress.length > 0 ? { ingress: [...ingress] } : {};
      await api.updateStatus<Service>("services", { ...service, status: { ...service.status, loadBalancer } });
    };

    const isTarget = ({ metadata, status }: Node): boolean =>
      metadata.labels?.[EXCLUDED] === undefined && isConditionTrue(status?.conditions, "Ready");

    const ensure = async (key: string, service: Service): Promise<void> => {
      const isNew = !service.status?.loadBalancer?.ingress?.length;
      const held = hasFinalizer(service) ? service : await setFinalizer(service, true);
      if (isNew) {
        if (!due.has(key)) {
          events.event(held, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer");
          due.set(key, clock.now() + random.integer(...CREATING_MS));
        }
        const leftMs = (due.get(key) ?? 0) - clock.now();
        if (leftMs > 0) return queue.addAfter(key, leftMs);
        due.delete(key);
        if (!api.list<Node>("nodes").some(isTarget)) {
          const message = "There are no available nodes for LoadBalancer";
          events.event(held, "Warning", "UnAvailableLoadBalancer", message);
        }
      }
      await setIngress(held, provider.ingressOf(held));
      if (isNew) events.event(held, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
    };

    const cleanUp = async (key: string, service: Service): Promise<void> => {
      due.delete(key);
      if (!hasFinalizer(service)) return;
      events.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer");
      if (!service.metadata.deletionTimestamp) await setIngress(service, []);
      const present = api.get<Service>("services", parseKey(key)) ?? service;
      await setFinalizer(present, false);
      events.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer");
    };

    return {
      async reconcile(key) {
        const service = api.get<Service>("services", parseKey(key));
        if (!service) {
          due.delete(key);
          return queue.forget(key);
        }
        try {
          await (wants(service) ? ensure(key, service) : cleanUp(key, service));
        } catch (error) {
          if (!isStatusError(error, "NotFound")) throw error;
        }
      },
      watches: [
        on<Service>("services", ({ type, object, previous }) => {
          if (type === "DELETED") return undefined;
          const before = previous?.spec?.type;
          const now = object.spec?.type;
          if (before !== undefined && before !== now && (before === "LoadBalancer" || now === "LoadBalancer"))
            events.event(object, "Normal", "Type", `${before} -> ${now}`);
          return now === "LoadBalancer" || hasFinalizer(object) ? keyOf(object) : undefined;
        }),
      ],
    };
  });
