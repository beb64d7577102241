/** Objects as `kubectl get` shows them: the server-side tables of meta.k8s.io/v1. */
import type { KubeObject } from "../object.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import { accessPrinters } from "./access.js";
import { autoscalingPrinters } from "./autoscaling.js";
import { clusterPrinters } from "./cluster.js";
import { type Cell, type Column, createdAt, name, type Printable, type Printer, type RowCondition } from "./column.js";
import { customPrinter } from "./custom-resources.js";
import { devicePrinters } from "./devices.js";
import { networkingPrinters } from "./networking.js";
import { podPrinters } from "./pods.js";
import { storagePrinters } from "./storage.js";
import { workloadPrinters } from "./workloads.js";

export interface ColumnDefinition {
  name: string;
  type: string;
  format: string;
  description: string;
  /** 0 = always shown, 1 = with `-o wide` only. */
  priority: number;
}

export interface Table {
  kind: "Table";
  apiVersion: "meta.k8s.io/v1";
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  columnDefinitions: readonly ColumnDefinition[];
  rows: TableRow[];
}

export interface TableRow {
  cells: Cell[];
  conditions?: readonly RowCondition[];
  object?: object;
}

export interface TableOptions {
  /** What stands in every row's `object`: nothing, the metadata alone, or all of it. */
  includeObject: "None" | "Metadata" | "Object";
  /** resourceVersion of the list, or of the one object. */
  revision: number | string;
  nowMs: number;
  continue?: string;
  remainingItemCount?: number;
}

/** Built-in kinds without a printer show name and time of creation. */
const FALLBACK: Printer = { columns: [name, createdAt] };

/** By name of the type in the schema tables, so that versions of a kind can differ. */
const PRINTERS: Readonly<Record<string, Printer>> = {
  ...podPrinters,
  ...workloadPrinters,
  ...autoscalingPrinters,
  ...networkingPrinters,
  ...storagePrinters,
  ...clusterPrinters,
  ...accessPrinters,
  ...devicePrinters,
};

/** Groups of the API server itself; a kind of another group may have the name of a built-in type. */
const isBuiltin = (group: string): boolean => !group.includes(".") || group.endsWith(".k8s.io");

function printerOf({ type, group, printerColumns }: ResourceInfo): Printer {
  if (printerColumns || !isBuiltin(group)) return customPrinter(printerColumns);
  return (Object.hasOwn(PRINTERS, type) ? PRINTERS[type] : undefined) ?? FALLBACK;
}

const definitions = new WeakMap<Printer, readonly ColumnDefinition[]>();

/** Headings of a resource's table, wide ones included. */
export function columnsFor(info: ResourceInfo): readonly ColumnDefinition[] {
  const printer = printerOf(info);
  let columns = definitions.get(printer);
  if (!columns) {
    columns = printer.columns.map(definitionOf);
    definitions.set(printer, columns);
  }
  return columns;
}

const definitionOf = ({ name, type, format = "", description, priority }: Column<Printable>): ColumnDefinition => ({
  name,
  type,
  format,
  description,
  priority,
});

/** The table of some objects of one resource. Ages are as of `nowMs`. */
export function toTable({
  info,
  objects,
  includeObject,
  revision,
  nowMs,
  continue: token,
  remainingItemCount,
}: TableOptions & { info: ResourceInfo; objects: readonly KubeObject[] }): Table {
  const printer = printerOf(info);
  const sorted = printer.compare ? [...objects].sort(printer.compare) : objects;
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: {
      resourceVersion: String(revision),
      ...(token ? { continue: token } : {}),
      ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
    },
    columnDefinitions: columnsFor(info),
    rows: sorted.map((object) => rowOf(printer, object, includeObject, nowMs)),
  };
}

function rowOf(printer: Printer, object: KubeObject, include: TableOptions["includeObject"], nowMs: number): TableRow {
  const conditions = printer.conditions?.(object);
  return {
    cells: printer.columns.map((column) => column.cell(object, nowMs)),
    ...(conditions ? { conditions } : {}),
    ...(include === "None" ? {} : { object: include === "Object" ? object : metadataOf(object) }),
  };
}

const metadataOf = ({ metadata }: KubeObject): object => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata,
});
