/** Devices and the claims on them. */
import type {
  DeviceClass,
  ResourceClaimTemplate,
  ResourceResourceClaim,
  ResourceSlice,
} from "../schema/generated/types.js";
import { age, joined, name, type Printer, printer, text } from "./column.js";

function claimState({ metadata, status }: ResourceResourceClaim): string {
  const deleted = metadata.deletionTimestamp !== undefined;
  if (!status?.allocation) return deleted ? "deleted" : "pending";
  return joined([...(deleted ? ["deleted"] : []), "allocated", ...(status.reservedFor?.length ? ["reserved"] : [])]);
}

export const devicePrinters: Readonly<Record<string, Printer>> = {
  DeviceClass: printer<DeviceClass>(name, age),
  ResourceResourceClaim: printer<ResourceResourceClaim>(
    name,
    text("State", claimState, "Whether the claim has its devices."),
    age,
  ),
  ResourceClaimTemplate: printer<ResourceClaimTemplate>(name, age),
  ResourceSlice: printer<ResourceSlice>(
    name,
    text("Node", ({ spec }) => spec?.nodeName, "Node that has the devices."),
    text("Driver", ({ spec }) => spec?.driver, "Driver that offers them."),
    text("Pool", ({ spec }) => spec?.pool.name, "Pool that they belong to."),
    age,
  ),
};
