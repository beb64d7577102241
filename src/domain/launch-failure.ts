/** What EC2 and the Auto Scaling group say when an instance cannot be launched, and how long the group then waits before it asks again. */

export interface LaunchFailure {
  capacityType: string;
  instanceType: string;
  /** The zone that was asked for. */
  zone: string;
  /** Zones of the region in which EC2 could launch that type. */
  otherZones: readonly string[];
}

/** EC2's words for a zone that has no room for an instance type, as the Auto Scaling group passes them on. */
export function launchFailureText({ capacityType, instanceType, zone, otherZones }: LaunchFailure): string {
  if (capacityType === "SPOT") {
    return "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration. Please adjust your request and try again. Launching EC2 instance failed.";
  }
  const hint =
    otherZones.length > 0
      ? [
          `You can currently get ${instanceType} capacity by not specifying an Availability Zone in your request or choosing ${otherZones.join(", ")}.`,
        ]
      : [];
  return [
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient",
    `${instanceType} capacity in the Availability Zone you requested (${zone}). Our system will be working on provisioning additional capacity.`,
    ...hint,
    "Launching EC2 instance failed.",
  ].join(" ");
}

/** For a group all of whose zones are shifted away from. EC2 Auto Scaling publishes no text of its own for it. */
export const noZoneText = (capacityType: string): string =>
  `Could not launch ${capacityType === "SPOT" ? "Spot" : "On-Demand"} Instances. A zonal shift is active for every Availability Zone of the group. Launching EC2 instance failed.`;

/** Wait after so many failures in a row, in milliseconds: twice as long each time, up to the longest. */
export const launchBackoffMs = (
  failures: number,
  { firstMs, longestMs }: { firstMs: number; longestMs: number },
): number => Math.min(longestMs, firstMs * 2 ** Math.max(0, failures - 1));
