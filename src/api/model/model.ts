/**
 * The EKS service model as data: operations with their HTTP binding, shapes with the rules of their members, enums and errors. Read from the
 * generated table on first use, so that importing this costs nothing.
 */
import { readFileSync } from "node:fs";
import type { OperationName } from "./generated/operations.js";

/** Length, range and pattern of a value. `min` and `max` mean the value of integers, else the number of characters, items or entries. */
export interface Constraints {
  min?: number;
  max?: number;
  /** A regular expression that the whole value matches. */
  pattern?: string;
  /** Name in `Model.enums`. */
  enum?: string;
}

export type Type = Constraints &
  (
    | { type: "string" | "integer" | "boolean" | "timestamp" | "document" }
    | { type: "list"; of: Type }
    | { type: "map"; key: Type; value: Type }
    | { type: "structure"; shape: string }
  );

export type Member = Type & {
  required?: true;
  /** Where an input member travels; absent = in the body. */
  in?: "path" | "query";
  /** Name of the query parameter. */
  as?: string;
  /** SDKs fill it in; equal tokens mean the same call. */
  idempotencyToken?: true;
  /** Never to be logged. */
  sensitive?: true;
};

export interface OperationModel {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path with `{label}`s. */
  uri: string;
  /** Shape names. */
  input: string;
  output: string;
}

export interface Model {
  operations: Record<OperationName, OperationModel>;
  /** Members by shape, in the order in which AWS serves them. */
  shapes: Record<string, Record<string, Member>>;
  enums: Record<string, string[]>;
  errors: Record<string, { status: number; members: string[] }>;
}

let loaded: Model | undefined;

export function model(): Model {
  loaded ??= JSON.parse(readFileSync(new URL("./generated/eks.json", import.meta.url), "utf8")) as Model;
  return loaded;
}

/** Members of a shape; throws when the model does not have it. */
export function shapeOf(source: Model, name: string): Record<string, Member> {
  const shape = source.shapes[name];
  if (!shape) throw new Error(`the model has no shape ${name}`);
  return shape;
}

/** Whether an operation leaves everything as it is. EKS names them so without exception; the method does not tell, as some are POSTs. */
export function isReadOnly(operation: OperationName): boolean {
  return /^(Describe|List)/.test(operation);
}
