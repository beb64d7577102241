/** All functions there are, by name. */
import { authorizerFunctions } from "./functions/authorizer.js";
import { collectionFunctions } from "./functions/collections.js";
import type { Overload } from "./functions/declare.js";
import { kubernetesFunctions } from "./functions/kubernetes.js";
import { networkFunctions } from "./functions/network.js";
import { optionalFunctions } from "./functions/optionals.js";
import { standardFunctions } from "./functions/standard.js";
import { stringFunctions } from "./functions/strings.js";

function index(overloads: readonly Overload[]): ReadonlyMap<string, readonly Overload[]> {
  const found = new Map<string, Overload[]>();
  for (const overload of overloads) {
    const present = found.get(overload.name);
    if (present) present.push(overload);
    else found.set(overload.name, [overload]);
  }
  return found;
}

export const LIBRARY: ReadonlyMap<string, readonly Overload[]> = index([
  ...standardFunctions,
  ...optionalFunctions,
  ...stringFunctions,
  ...collectionFunctions,
  ...kubernetesFunctions,
  ...networkFunctions,
  ...authorizerFunctions,
]);
