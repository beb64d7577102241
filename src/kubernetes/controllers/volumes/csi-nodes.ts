import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { isEqual } from "../../runtime/hash.js";
import { isPodReady, isPodTerminal } from "../../runtime/pods.js";
import { DRIVERS, driverZoneLabel, needsAttachment } from "../../runtime/volumes.js";
import type { CSIDriver, CSINode, CSINodeDriver, Node, Pod } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";

/**
 * What a kubelet writes when a CSI driver registers itself on its node: which drivers run where. A driver runs on a node when a ready pod there has the
 * registrar beside it, and is the driver of a CSIDriver object, by the path of its socket or by its name (`ebs-csi-node-…` for `ebs.csi.aws.com`).
 */
const RESOURCE = "csinodes.storage.k8s.io";
const REGISTRAR = /node-driver-registrar/;
const ZONE = "topology.kubernetes.io/zone";
/** Volumes of a driver that a node of the cloud can have attached. */
const ATTACHABLE = 25;

const isRegistrar = ({ spec }: Pod): boolean =>
  spec?.containers.some(({ image = "" }) => REGISTRAR.test(image)) ?? false;

function isDriverPod(pod: Pod, driver: string): boolean {
  const named = `${driver.split(".")[0]}-csi-node`;
  if (pod.metadata.name.startsWith(`${named}-`)) return true;
  return (pod.spec?.containers ?? []).some(({ args = [], env = [] }) =>
    [...args, ...env.map(({ value = "" }) => value)].some((text) => text.includes(`/${driver}/`)),
  );
}

export const csiNodeController = (): Controller =>
  defineController({ name: "csi-node-registrar" }, ({ api }) => {
    const registration = (driver: CSIDriver, node: Node): CSINodeDriver => {
      const nodeID = node.spec?.providerID?.split("/").at(-1) ?? node.metadata.name;
      const isZonal = needsAttachment(driver) && node.metadata.labels?.[ZONE] !== undefined;
      return {
        name: driver.metadata.name,
        nodeID,
        ...(isZonal ? { topologyKeys: [driverZoneLabel(driver.metadata.name), ZONE] } : {}),
        ...(needsAttachment(driver) ? { allocatable: { count: ATTACHABLE } } : {}),
      };
    };

    /** A driver's own name for the zone, by which older volumes and storage classes find the node; it stays when the driver goes. */
    const label = async (node: Node, drivers: readonly CSINodeDriver[]): Promise<void> => {
      const zone = node.metadata.labels?.[ZONE] ?? "";
      const missing = drivers
        .flatMap(({ name, topologyKeys = [] }) => topologyKeys.filter((key) => key === driverZoneLabel(name)))
        .filter((key) => node.metadata.labels?.[key] !== zone);
      if (missing.length === 0) return;
      const labels = { ...node.metadata.labels, ...Object.fromEntries(missing.map((key) => [key, zone])) };
      await api.update<Node>("nodes", { ...node, metadata: { ...node.metadata, labels } });
    };

    return {
      async reconcile(name) {
        const node = api.get<Node>("nodes", { name });
        const present = api.get<CSINode>(RESOURCE, { name });
        if (!node || !present) return;
        const pods = api.byIndex<Pod>("pods", "node", name).filter((pod) => isRegistrar(pod) && !isPodTerminal(pod));
        const ours = api.list<CSIDriver>(DRIVERS).flatMap((driver) => {
          const running = pods.find((pod) => isDriverPod(pod, driver.metadata.name));
          if (!running) return [];
          const before = present.spec.drivers.find((known) => known.name === driver.metadata.name);
          if (before) return [before];
          return isPodReady(running) ? [registration(driver, node)] : [];
        });
        const known = new Set(api.list<CSIDriver>(DRIVERS).map(({ metadata }) => metadata.name));
        // What somebody else has written of drivers without an object stays.
        const drivers = [...present.spec.drivers.filter((driver) => !known.has(driver.name)), ...ours];
        try {
          await label(node, ours);
          if (isEqual(drivers, present.spec.drivers)) return;
          await api.update<CSINode>(RESOURCE, { ...present, spec: { ...present.spec, drivers } });
        } catch (error) {
          if (!isStatusError(error, "NotFound")) throw error;
        }
      },
      watches: [
        on<Pod>("pods", ({ type, object, previous }) => {
          if (!object.spec?.nodeName || !isRegistrar(object)) return undefined;
          if (type === "MODIFIED" && previous && isPodReady(previous) === isPodReady(object)) return undefined;
          return object.spec.nodeName;
        }),
        on<CSINode>(RESOURCE, ({ type, object }) => (type === "ADDED" ? object.metadata.name : undefined)),
        on<CSIDriver>(DRIVERS, ({ type }) =>
          type === "MODIFIED" ? undefined : api.list<Node>("nodes").map(({ metadata }) => metadata.name),
        ),
      ],
    };
  });
