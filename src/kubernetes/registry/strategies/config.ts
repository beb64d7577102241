/** ConfigMaps, Secrets and ServiceAccounts. */
import type { StatusCause } from "../../errors.js";
import type { ConfigMap, Secret } from "../../schema/generated/types.js";
import { sameValue } from "./equality.js";
import { forbiddenField, invalidValue, named, required, tooLong } from "./field.js";
import { configKey } from "./names.js";
import { immutableFields, strategyOf } from "./rules.js";

const MAX_BYTES = 1_048_576;
const SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name";
const UNCHANGEABLE_TEXT = "field is immutable when `immutable` is set";
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Keys that a Secret of a well-known type must have; for `anyOf` one of them is enough. */
const TYPED_SECRETS: Readonly<Record<string, { allOf?: readonly string[]; anyOf?: readonly string[]; json?: string }>> =
  {
    "kubernetes.io/dockercfg": { allOf: [".dockercfg"], json: ".dockercfg" },
    "kubernetes.io/dockerconfigjson": { allOf: [".dockerconfigjson"], json: ".dockerconfigjson" },
    "kubernetes.io/basic-auth": { anyOf: ["username", "password"] },
    "kubernetes.io/ssh-auth": { allOf: ["ssh-privatekey"] },
    "kubernetes.io/tls": { allOf: ["tls.crt", "tls.key"] },
  };

const validateKeys = (field: string, data: Record<string, string> | undefined): StatusCause[] =>
  Object.keys(data ?? {}).flatMap((key) => named(`${field}[${key}]`, key, configKey(key)));

const validateBase64 = (field: string, data: Record<string, string> | undefined): StatusCause[] =>
  Object.entries(data ?? {}).flatMap(([key, value]) =>
    BASE64.test(value) ? [] : [invalidValue(`${field}[${key}]`, value, "illegal base64 data")],
  );

const decodedBytes = (data: Record<string, string> | undefined): number =>
  Object.values(data ?? {}).reduce((sum, value) => sum + Math.floor((value.length * 3) / 4), 0);
const textBytes = (data: Record<string, string> | undefined): number =>
  Object.values(data ?? {}).reduce((sum, value) => sum + Buffer.byteLength(value), 0);

/** Once `immutable` is set neither it nor the contents change again. */
function validateFrozen(now: ConfigMap | Secret, before: ConfigMap | Secret): StatusCause[] {
  if (!before.immutable) return [];
  const causes = now.immutable ? [] : [forbiddenField("immutable", UNCHANGEABLE_TEXT)];
  for (const field of ["data", "binaryData"] as const) {
    const values = [now, before].map((side) => (side as ConfigMap)[field]);
    if (!sameValue(values[0], values[1])) causes.push(forbiddenField(field, UNCHANGEABLE_TEXT));
  }
  return causes;
}

export const configMaps = strategyOf<ConfigMap>({
  validate({ data, binaryData }) {
    const causes = [
      ...validateKeys("data", data),
      ...validateKeys("binaryData", binaryData),
      ...validateBase64("binaryData", binaryData),
    ];
    for (const key in binaryData) {
      if (data && key in data) causes.push(invalidValue(`data[${key}]`, key, "duplicate of key present in binaryData"));
    }
    if (textBytes(data) + decodedBytes(binaryData) > MAX_BYTES) causes.push(tooLong("[]", MAX_BYTES));
    return causes;
  },
  validateUpdate: validateFrozen,
});

export const secrets = strategyOf<Secret>({
  setDefaults(secret) {
    secret.type ||= "Opaque";
    // stringData is for writing only: it goes into data and is never stored.
    if (!secret.stringData) return;
    const written = Object.entries(secret.stringData).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
    secret.data = { ...secret.data, ...Object.fromEntries(written) };
    delete secret.stringData;
  },
  validate({ metadata, data, type = "Opaque" }) {
    const causes = [...validateKeys("data", data), ...validateBase64("data", data)];
    if (decodedBytes(data) > MAX_BYTES) causes.push(tooLong("data", MAX_BYTES));
    if (type === "kubernetes.io/service-account-token" && !metadata.annotations?.[SERVICE_ACCOUNT_NAME]) {
      causes.push(required(`metadata.annotations[${SERVICE_ACCOUNT_NAME}]`));
    }
    const { allOf = [], anyOf = [], json } = TYPED_SECRETS[type] ?? {};
    for (const key of allOf) if (data?.[key] === undefined) causes.push(required(`data[${key}]`));
    if (anyOf.length > 0 && !anyOf.some((key) => data?.[key] !== undefined))
      causes.push(...anyOf.map((key) => required(`data[${key}]`)));
    const document = json ? data?.[json] : undefined;
    if (document !== undefined && !isJson(document))
      causes.push(invalidValue(`data[${json}]`, "<secret contents redacted>", "invalid character in JSON"));
    return causes;
  },
  validateUpdate: (now, before) => [...immutableFields(now, before, ["type"]), ...validateFrozen(now, before)],
});

function isJson(base64: string): boolean {
  try {
    JSON.parse(Buffer.from(base64, "base64").toString());
    return true;
  } catch {
    return false;
  }
}
