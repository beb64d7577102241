/** Tables of custom resources: the name, then what their definition asks for by JSON path. */
import type { PrinterColumn } from "../schema/resource-info.js";
import { age, type Cell, type Column, name, type Printable, type Printer } from "./column.js";
import { ageOf } from "./human-duration.js";
import { parseJsonPath } from "./json-path.js";

const NAME_AND_AGE: Printer = { columns: [name, age] };
const printers = new WeakMap<readonly PrinterColumn[], Printer>();

/** Printer for a definition's columns; without any, name and age. */
export function customPrinter(columns: readonly PrinterColumn[] | undefined): Printer {
  if (!columns?.length) return NAME_AND_AGE;
  let printer = printers.get(columns);
  if (!printer) {
    printer = { columns: [name, ...columns.map(columnOf)] };
    printers.set(columns, printer);
  }
  return printer;
}

function columnOf({ name, type, format, description = "", priority = 0, jsonPath }: PrinterColumn): Column<Printable> {
  const path = parseJsonPath(jsonPath);
  const toCell = CELLS[type] ?? (() => null);
  return {
    name,
    type,
    ...(format ? { format } : {}),
    description,
    priority,
    cell: (object, nowMs) => {
      const [value] = path?.(object) ?? [];
      return value === undefined || value === null ? null : toCell(value, nowMs);
    },
  };
}

/** What a value becomes by the column's type; a value of another type is no cell. */
const CELLS: Readonly<Record<string, (value: unknown, nowMs: number) => Cell>> = {
  string: (value) => (typeof value === "string" ? value : JSON.stringify(value)),
  integer: (value) => (typeof value === "number" ? Math.trunc(value) : null),
  number: (value) => (typeof value === "number" ? value : null),
  boolean: (value) => (typeof value === "boolean" ? value : null),
  date: (value, nowMs) => (typeof value === "string" ? ageOf(value, nowMs) : null),
};
