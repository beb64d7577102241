/** The list, or undefined when it is empty: empty lists are absent in Kubernetes objects. */
export const orAbsent = <T>(list: readonly T[] | undefined): T[] | undefined => (list?.length ? [...list] : undefined);
