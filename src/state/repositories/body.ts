/** Rows that carry a whole record as JSON in `body`. */
export interface BodyRow {
  body: string;
}

export const recordOf = <T>(row: BodyRow): T => JSON.parse(row.body) as T;

export const optionalRecord = <T>(row: BodyRow | undefined): T | undefined => (row ? recordOf<T>(row) : undefined);
