/** A table of thousands of rows: only those in sight are in the page. Sorted, filtered, and walked by keyboard. */

import { Child, fill, h } from './dom';

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

export interface TableOptions {
  label: string;
  /** Called when a row is opened by click or Enter. */
  open?: (row: number) => void;
  /** Shown where there is no row. */
  empty?: string;
  sort?: string;
  descending?: boolean;
  height?: number;
}

const ROW = 26;
const SPARE = 6;

export class VirtualTable {
  readonly element: HTMLElement;
  private count = 0;
  private order: number[] = [];
  private columns: Column[] = [];
  private sortKey: string | null;
  private descending: boolean;
  private filter = '';
  private cursor = 0;
  private isQueued = false;
  private readonly head: HTMLElement;
  private readonly body: HTMLElement;
  private readonly scroller: HTMLElement;
  private readonly note: HTMLElement;
  /** Rows that are marked; null where rows cannot be. */
  marked: Set<number> | null = null;
  onmark: () => void = () => undefined;

  constructor(private readonly options: TableOptions) {
    this.sortKey = options.sort ?? null;
    this.descending = options.descending ?? false;
    this.head = h('div', { class: 'aml-table-head', role: 'row' });
    this.body = h('div', { class: 'aml-table-body', role: 'rowgroup' });
    this.note = h('div', { class: 'aml-table-note aml-faint' });
    this.scroller = h(
      'div',
      { class: 'aml-table-scroll', tabindex: '0', role: 'grid', 'aria-label': options.label },
      this.head,
      this.body,
    );
    this.scroller.style.maxHeight = `${options.height ?? 320}px`;
    this.scroller.addEventListener('scroll', () => this.paintSoon());
    this.scroller.addEventListener('keydown', (event) => this.onKey(event));
    this.element = h('div', { class: 'aml-table' }, this.scroller, this.note);
    if (typeof ResizeObserver !== 'undefined') {
      new ResizeObserver(() => this.paintSoon()).observe(this.scroller);
    }
  }

  /** Show `count` rows with `columns`; the place of the reader is kept. */
  update(count: number, columns: Column[]): void {
    const shown = columns.filter((column) => !column.hidden);
    const isNewHead = headOf(shown) !== headOf(this.columns);
    this.columns = shown;
    this.count = count;
    this.arrange();
    if (isNewHead) {
      this.paintHead();
    }
    this.paintSoon();
  }

  setFilter(text: string): void {
    this.filter = text.trim().toLowerCase();
    this.arrange();
    this.paintSoon();
  }

  /** How many rows pass the filter. */
  get shown(): number {
    return this.order.length;
  }

  private arrange(): void {
    const words = this.filter.split(/\s+/).filter(Boolean);
    const rows = Array.from({ length: this.count }, (_, row) => row);
    this.order = words.length ? rows.filter((row) => this.passes(row, words)) : rows;
    const by = this.columns.find((column) => column.key === this.sortKey);
    if (by) {
      const values = new Map(this.order.map((row) => [row, by.value(row)]));
      const sign = this.descending ? -1 : 1;
      this.order.sort((a, b) => compare(values.get(a), values.get(b), sign) || a - b);
    }
    this.cursor = Math.max(0, Math.min(this.cursor, this.order.length - 1));
  }

  private passes(row: number, words: string[]): boolean {
    const text = this.columns
      .map((column) => String(column.value(row) ?? ''))
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  }

  private paintHead(): void {
    const cells = this.columns.map((column) => {
      const isSorted = column.key === this.sortKey;
      const mark = isSorted ? (this.descending ? ' ▾' : ' ▴') : '';
      const cell = h(
        'button',
        {
          type: 'button',
          class: `aml-cell${column.right ? ' aml-right' : ''}`,
          role: 'columnheader',
          title: column.label,
          'aria-sort': isSorted ? (this.descending ? 'descending' : 'ascending') : 'none',
        },
        column.label + mark,
      );
      cell.addEventListener('click', () => this.sortBy(column.key));
      return cell;
    });
    const grid = this.columns
      .map((column) => `minmax(${column.width ?? 90}px, ${column.width ?? 90}fr)`)
      .join(' ');
    const total = this.columns.reduce((sum, column) => sum + (column.width ?? 90), this.marked ? 28 : 0);
    this.element.style.setProperty('--aml-columns', this.marked ? `28px ${grid}` : grid);
    this.element.style.setProperty('--aml-total', `${total}px`);
    fill(this.head, this.marked && h('span', { class: 'aml-cell', role: 'columnheader' }), ...cells);
  }

  private sortBy(key: string): void {
    this.descending = key === this.sortKey ? !this.descending : false;
    this.sortKey = key;
    this.arrange();
    this.paintHead();
    this.paintSoon();
  }

  private paintSoon(): void {
    if (!this.isQueued) {
      this.isQueued = true;
      requestAnimationFrame(() => {
        this.isQueued = false;
        this.paint();
      });
    }
  }

  private paint(): void {
    const top = this.scroller.scrollTop;
    const height = this.scroller.clientHeight || 300;
    const first = Math.max(0, Math.floor(top / ROW) - SPARE);
    const last = Math.min(this.order.length, Math.ceil((top + height) / ROW) + SPARE);
    this.body.style.height = `${this.order.length * ROW}px`;
    this.scroller.setAttribute('aria-rowcount', String(this.order.length));
    const rows: HTMLElement[] = [];
    for (let place = first; place < last; place++) {
      rows.push(this.rowAt(place));
    }
    fill(this.body, ...rows);
    const isCut = this.order.length !== this.count;
    fill(
      this.note,
      this.count === 0 ? (this.options.empty ?? '') : isCut ? `${this.order.length} / ${this.count}` : '',
    );
  }

  private rowAt(place: number): HTMLElement {
    const row = this.order[place];
    const element = h(
      'div',
      {
        class: `aml-row${place === this.cursor ? ' aml-cursor' : ''}`,
        role: 'row',
        'aria-rowindex': place + 1,
        'aria-selected': place === this.cursor ? 'true' : 'false',
      },
      this.marked && this.markOf(row),
      ...this.columns.map((column) => {
        const shown = column.show ? column.show(row) : String(column.value(row) ?? '');
        const title = typeof shown === 'string' ? shown : null;
        return h(
          'span',
          { class: `aml-cell${column.right ? ' aml-right' : ''}`, role: 'gridcell', title },
          shown,
        );
      }),
    );
    element.style.transform = `translateY(${place * ROW}px)`;
    element.addEventListener('click', (event) => {
      this.cursor = place;
      if ((event.target as HTMLElement).closest('a, button, input') === null) {
        this.options.open?.(row);
      }
      this.paintSoon();
    });
    return element;
  }

  private markOf(row: number): HTMLElement {
    const box = h('input', {
      type: 'checkbox',
      checked: this.marked!.has(row),
      tabindex: '-1',
      'aria-label': 'mark',
    });
    box.addEventListener('change', () => this.mark(row, box.checked));
    return h('span', { class: 'aml-cell' }, box);
  }

  private mark(row: number, on: boolean): void {
    if (on) {
      this.marked!.add(row);
    } else {
      this.marked!.delete(row);
    }
    this.onmark();
  }

  private onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -this.order.length,
      End: this.order.length,
    };
    if (event.key in steps && (event.target as HTMLElement) === this.scroller) {
      this.cursor = Math.max(0, Math.min(this.order.length - 1, this.cursor + steps[event.key]));
      const top = this.cursor * ROW;
      const height = this.scroller.clientHeight - 2 * ROW;
      if (top < this.scroller.scrollTop) {
        this.scroller.scrollTop = top;
      } else if (top > this.scroller.scrollTop + height) {
        this.scroller.scrollTop = top - height;
      }
      this.paintSoon();
    } else if (event.key === 'Enter' && event.target === this.scroller && this.order.length) {
      this.options.open?.(this.order[this.cursor]);
    } else if (event.key === ' ' && event.target === this.scroller && this.marked && this.order.length) {
      this.mark(this.order[this.cursor], !this.marked.has(this.order[this.cursor]));
      this.paintSoon();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

function headOf(columns: Column[]): string {
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
