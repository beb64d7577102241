/** Places in objects, kept as chains of steps while somebody walks and made into text only when there is something to say. */

export interface Place {
  readonly parent: Place | undefined;
  /** A member's name, an index of a list, or the key of a map. */
  readonly step: string | number;
  /** True for keys of maps: messages put them in brackets. */
  readonly key?: boolean;
}

export const at = (parent: Place | undefined, step: string | number): Place => ({ parent, step });

/** `spec.ports[0].name`; empty for the whole object. */
export function placeText(place: Place | undefined): string {
  if (!place) return "";
  const before = placeText(place.parent);
  if (typeof place.step === "number") return `${before}[${place.step}]`;
  if (place.key) return `${before}[${place.step}]`;
  return before ? `${before}.${place.step}` : place.step;
}
