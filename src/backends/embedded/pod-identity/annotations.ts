/** Annotations of pods and service accounts as the pod identity webhook reads them: what it cannot read it passes over. */
import { ANNOTATIONS, TOKEN_SECONDS } from "../../../domain/pod-identity.js";

type Annotations = Readonly<Record<string, string>>;

/** Seconds; never less than the API server grants. */
export function tokenExpiration(annotations: Annotations): number | undefined {
  const text = annotations[ANNOTATIONS.tokenExpiration];
  return text !== undefined && /^[+-]?\d{1,15}$/.test(text) ? Math.max(Number(text), TOKEN_SECONDS.least) : undefined;
}

const TRUE = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE = ["0", "f", "F", "FALSE", "false", "False"];

/** EKS asks for regional endpoints unless the annotation says otherwise. */
export function regionalEndpoints(annotations: Annotations): boolean {
  const text = annotations[ANNOTATIONS.regionalEndpoints] ?? "";
  return TRUE.includes(text) || !FALSE.includes(text);
}

/** Names in one line of CSV. None when it is no CSV. */
export function containersToSkip(annotations: Annotations): ReadonlySet<string> {
  const line = annotations[ANNOTATIONS.skipContainers]?.split("\n", 1)[0] ?? "";
  const fields = new Set<string>();
  let rest = line;
  while (rest !== "") {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)/.exec(rest);
    if (!match || match[0] === "") return new Set();
    fields.add(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
    rest = rest.slice(match[0].length);
  }
  return fields;
}
