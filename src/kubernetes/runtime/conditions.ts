/** Lists of conditions (`type`, `status`, `reason`, ...), which every kind with a status has in its own flavour. */
interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export function conditionOf<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export const isConditionTrue = (conditions: readonly ConditionLike[] | undefined, type: string): boolean =>
  conditionOf(conditions, type)?.status === "True";

/**
 * `conditions` with `next` in the place of the one of its type. lastTransitionTime is kept while the status stays the same. The same array comes back
 * when nothing changed.
 */
export function withCondition<C extends ConditionLike>(conditions: readonly C[] | undefined, next: C): C[] {
  const list = (conditions ?? []) as C[];
  const index = list.findIndex((condition) => condition.type === next.type);
  const present = list[index];
  if (!present) return [...list, next];
  const merged = present.status === next.status ? { ...next, lastTransitionTime: present.lastTransitionTime } : next;
  const same = (Object.keys({ ...present, ...merged }) as (keyof C)[]).every(
    (field) => present[field] === merged[field],
  );
  return same ? list : list.with(index, merged);
}

export function withoutCondition<C extends ConditionLike>(conditions: readonly C[] | undefined, type: string): C[] {
  const list = (conditions ?? []) as C[];
  return list.some((condition) => condition.type === type) ? list.filter((condition) => condition.type !== type) : list;
}
