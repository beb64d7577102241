/** Models of the services that speak the aws-query protocol, read from their generated tables on first use. */
import { readFileSync } from "node:fs";
import type { Member } from "./model.js";

export type QueryServiceName = "sts" | "iam";

export interface QueryModel {
  /** Of the elements of answers. */
  namespace: string;
  /** What clients send as `Version`. */
  version: string;
  operations: Record<string, { input: string; output: string }>;
  /** Members by shape, in the order in which AWS serves them. */
  shapes: Record<string, Record<string, Member>>;
  enums: Record<string, string[]>;
  errors: Record<string, { status: number }>;
}

const SERVICES: Record<QueryServiceName, Pick<QueryModel, "namespace" | "version">> = {
  sts: { namespace: "https://sts.amazonaws.com/doc/2011-06-15/", version: "2011-06-15" },
  iam: { namespace: "https://iam.amazonaws.com/doc/2010-05-08/", version: "2010-05-08" },
};

const loaded = new Map<QueryServiceName, QueryModel>();

export function queryModel(service: QueryServiceName): QueryModel {
  const known = loaded.get(service);
  if (known) return known;
  const text = readFileSync(new URL(`./generated/${service}.json`, import.meta.url), "utf8");
  const model = { ...SERVICES[service], ...(JSON.parse(text) as Omit<QueryModel, "namespace" | "version">) };
  loaded.set(service, model);
  return model;
}
