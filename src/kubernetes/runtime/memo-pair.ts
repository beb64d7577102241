/**
 * Remembers what `make` gives for two immutable objects, for as long as both live. Objects of the store are such: a pod or a node that has not changed is
 * the same object as at the last reconcile.
 */
export function memoPair<A extends object, B extends object, T>(make: (a: A, b: B) => T): (a: A, b: B) => T {
  const known = new WeakMap<A, WeakMap<B, { value: T }>>();
  return (a, b) => {
    let ofA = known.get(a);
    if (!ofA) {
      ofA = new WeakMap();
      known.set(a, ofA);
    }
    let entry = ofA.get(b);
    if (!entry) {
      entry = { value: make(a, b) };
      ofA.set(b, entry);
    }
    return entry.value;
  };
}
