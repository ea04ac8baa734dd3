/** Own the columns of a table and the order of its rows. */

import { Child } from './dom';

export interface Column {
  key: string;
  label: string;
  /** Value to sort and filter by. */
  value: (row: number) => unknown;
  /** What is shown; the value's text if left out. */
  show?: (row: number) => Child;
  /** Width in pixels. */
  width?: number;
  right?: boolean;
  hidden?: boolean;
}

/** Return what tells the head of a table from another one. */
export function headOf(columns: Column[]): string {
  return columns.map((column) => `${column.key} ${column.label}`).join('\n');
}

/** Order numbers by size and the rest as text; what is not there comes last, whatever the direction. */
export function compare(a: unknown, b: unknown, sign: number): number {
  const aNone = a === null || a === undefined || a === '';
  const bNone = b === null || b === undefined || b === '';
  if (aNone || bNone) {
    return Number(aNone) - Number(bNone);
  }
  if (typeof a === 'number' && typeof b === 'number') {
    return sign * (a - b);
  }
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}
