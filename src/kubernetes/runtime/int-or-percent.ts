/**
 * `intstr.GetScaledValueFromIntOrPercent`: a plain number, or a percentage of `total` rounded up or down. Text that is neither counts as 0, as
 * validation keeps it out.
 */
export function scaledValue(value: number | string | undefined, total: number, rounding: "up" | "down"): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value ?? "")?.[1];
  if (percent === undefined) return 0;
  const exact = (Number(percent) * total) / 100;
  return rounding === "up" ? Math.ceil(exact) : Math.floor(exact);
}
