/** Facts about fields that the generated schema lacks. */
const QUANTITIES: ReadonlySet<string> = new Set();

/** True when the field's value (or the values of its map or list) are resource quantities such as `100m` or `1Gi`. */
export const isQuantity = (type: string, field: string): boolean => QUANTITIES.has(`${type}.${field}`);
