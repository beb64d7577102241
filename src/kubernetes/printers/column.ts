/** What a printer is made of: columns, each knowing its heading and how to get its cell out of an object. */
import type { ObjectMeta } from "../schema/object-meta.js";
import { ageOf } from "./human-duration.js";

export type Cell = string | number | boolean | null;

/** Every kind that has a table has metadata. */
export interface Printable {
  metadata: ObjectMeta;
}

export interface Column<T> {
  name: string;
  /** OpenAPI type of the cells: string, integer, number, boolean or date. */
  type: string;
  format?: string;
  /** 0 = always shown, 1 = with `-o wide` only. */
  priority: number;
  description: string;
  cell(object: T, nowMs: number): Cell;
}

/** A condition of a row: the object is done, so that clients may leave it out. */
export interface RowCondition {
  type: "Completed";
  status: "True";
  reason: string;
  message: string;
}

/** Columns of one kind in order. Cells always cover the wide columns too: leaving them out is the client's choice. */
export interface Printer<T = Printable> {
  columns: readonly Column<T>[];
  conditions?(object: T): readonly RowCondition[] | undefined;
  /** Order of rows where it is not that of the list. */
  compare?(a: T, b: T): number;
}

type CellOf<T> = (object: T, nowMs: number) => Cell | undefined;

const column =
  (type: string, priority: number) =>
  <T extends Printable>(name: string, cell: CellOf<T>, description = ""): Column<T> => ({
    name,
    type,
    priority,
    description,
    cell: (object, nowMs) => cell(object, nowMs) ?? (type === "integer" ? 0 : ""),
  });

/** A column of text. An absent value is an empty cell. */
export const text = column("string", 0);
/** Text that only `-o wide` shows. */
export const wideText = column("string", 1);
/** A column of whole numbers; an absent one is 0, as in Go. */
export const integer = column("integer", 0);
export const boolean = column("boolean", 0);

/** A column of whole numbers that upstream takes for text, though its cells are numbers all the same. */
export const count = <T extends Printable>(columnName: string, cell: CellOf<T>, description = ""): Column<T> => ({
  ...integer(columnName, cell, description),
  type: "string",
});

const NAME = "Name must be unique within a namespace; it is how the object is addressed.";
const CREATED = "Time since the object was created.";

export const name: Column<Printable> = {
  name: "Name",
  type: "string",
  format: "name",
  priority: 0,
  description: NAME,
  cell: ({ metadata }) => metadata.name,
};

/** A name column whose cells say more than the name. */
export const nameWith = <T extends Printable>(cell: (object: T) => string): Column<T> => ({ ...name, cell });

export const age: Column<Printable> = {
  name: "Age",
  type: "string",
  priority: 0,
  description: CREATED,
  cell: ({ metadata }, nowMs) => ageOf(metadata.creationTimestamp, nowMs),
};

/** What kinds without a printer of their own show instead of an age. */
export const createdAt: Column<Printable> = {
  name: "Created At",
  type: "date",
  priority: 0,
  description: "Time at which the object was created.",
  cell: ({ metadata }) => metadata.creationTimestamp,
};

/** A printer of one kind, to be looked up by its type's name. */
export const printer = <T extends Printable>(...columns: Column<T>[]): Printer => ({
  columns: columns as unknown as Column<Printable>[],
});

export const orNone = (value: string | undefined): string => value || "<none>";
export const orUnset = (value: string | undefined): string => value ?? "<unset>";
export const joined = (values: readonly string[] | undefined): string => (values ?? []).join(",");

/** `a,b,c + 2 more...`: at most `limit` of them. */
export function listed(values: readonly string[], limit: number, separator = ","): string {
  const shown = values.slice(0, limit).join(separator);
  return values.length > limit ? `${shown} + ${values.length - limit} more...` : shown;
}

/** Status of a condition, undefined when there is none of that type. */
export const conditionStatus = (
  conditions: readonly { type?: string; status?: string }[] | undefined,
  type: string,
): string | undefined => conditions?.find((condition) => condition.type === type)?.status;
