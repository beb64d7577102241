import { type Element, readAll, readOid } from "./der-reader.js";

/** Names of subjects and issuers: what Kubernetes reads a user and its groups from. */
export interface DistinguishedName {
  commonName: string;
  /** In the order of the certificate. */
  organizations: readonly string[];
}

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";
const BMP_STRING = 0x1e;

const textOf = ({ tag, body }: Element): string =>
  tag === BMP_STRING ? Buffer.from(body).swap16().toString("utf16le") : body.toString("utf8");

/** Reads an X.501 Name. @throws DerError */
export function readName(name: Element): DistinguishedName {
  let commonName = "";
  const organizations: string[] = [];
  for (const relative of readAll(name.body)) {
    for (const attribute of readAll(relative.body)) {
      const [type, value] = readAll(attribute.body);
      if (!type || !value) continue;
      const id = readOid(type.body);
      if (id === COMMON_NAME) commonName = textOf(value);
      else if (id === ORGANIZATION) organizations.push(textOf(value));
    }
  }
  return { commonName, organizations };
}
