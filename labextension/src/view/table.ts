/** A table of thousands of rows: only those in sight are in the page. Sorted, filtered, grouped, and walked by keyboard. */

import { fill, h, say } from './dom';
import { Column, compare, headOf } from './order';
import { t } from './text';

export interface TableOptions {
  label: string;
  /** What a row is known by while others come and go; its number if left out. */
  id?: (row: number) => string;
  /** Called when a row is opened by click or Enter. */
  open?: (row: number) => void;
  /** Shown where there is no row. */
  empty?: string;
  height?: number;
  /** Tells of a row that it comes behind the others, whichever way they are sorted by that column. */
  isLast?: (row: number, key: string) => boolean;
  /** Rows can be marked; called when they are. */
  onmark?: () => void;
}

/** A line of the table: a row, or the head of a group of rows. */
interface Line {
  id: string;
  row: number;
  group: string | null;
  count: number;
}

const ROW = 26;
const SPARE = 6;
let count = 0;

export class VirtualTable {
  readonly element: HTMLElement;
  /** Ids of the rows that are shown at all; null for all. */
  only: ReadonlySet<string> | null = null;
  /** Ids of the rows that are marked. */
  readonly marked = new Set<string>();
  private count = 0;
  private lines: Line[] = [];
  private columns: Column[] = [];
  private sortKey: string | null = null;
  private descending = false;
  private filter = '';
  private groupOf: ((row: number) => string) | null = null;
  private readonly folded = new Set<string>();
  private cursor = 0;
  private isQueued = false;
  private rows = new Map<string, HTMLElement>();
  private readonly name = `aml-table-${count++}`;
  private readonly head = h('div', { class: 'aml-table-head', role: 'row' });
  private readonly top = h('div', { role: 'rowgroup', class: 'aml-table-top', hidden: true }, this.head);
  private readonly body = h('div', { class: 'aml-table-body', role: 'rowgroup' });
  private readonly note = h('div', { class: 'aml-table-note aml-faint', role: 'status' });
  private readonly scroller: HTMLElement;

  constructor(private readonly options: TableOptions) {
    this.scroller = h(
      'div',
      { class: 'aml-table-scroll', tabindex: '0', role: 'grid', 'aria-label': options.label },
      this.top,
      this.body,
    );
    this.scroller.style.maxHeight = `${options.height ?? 320}px`;
    this.scroller.addEventListener('scroll', () => this.paintSoon());
    this.scroller.addEventListener('keydown', (event) => this.onKey(event));
    this.body.addEventListener('click', (event) => this.onClick(event));
    this.body.addEventListener('change', (event) => this.onChange(event));
    this.element = h('div', { class: 'aml-table' }, this.scroller, this.note);
    if (typeof ResizeObserver !== 'undefined') {
      new ResizeObserver(() => this.paintSoon()).observe(this.scroller);
    }
  }

  /** Show `count` rows with `columns`, in groups if `groupOf` names them; the place of the reader is kept. */
  update(count: number, columns: Column[], groupOf: ((row: number) => string) | null = null): void {
    const shown = columns.filter((column) => !column.hidden);
    const isNewHead = headOf(shown) !== headOf(this.columns);
    this.columns = shown;
    this.count = count;
    this.groupOf = groupOf;
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
    const counts = this.lines.map(({ group, count }) =>
      group === null || this.folded.has(group) ? count : 0,
    );
    return counts.reduce((sum, each) => sum + each, 0);
  }

  private idOf(row: number): string {
    return this.options.id?.(row) ?? String(row);
  }

  private arrange(): void {
    const words = this.filter.split(/\s+/).filter(Boolean);
    const rows = Array.from({ length: this.count }, (_, row) => row);
    const order = rows.filter(
      (row) => (this.only?.has(this.idOf(row)) ?? true) && (!words.length || this.passes(row, words)),
    );
    const by = this.columns.find((column) => column.key === this.sortKey);
    if (by) {
      const values = new Map(order.map((row) => [row, by.value(row)]));
      const sign = this.descending ? -1 : 1;
      const place = (row: number): number => Number(this.options.isLast?.(row, by.key) ?? false);
      order.sort((a, b) => place(a) - place(b) || compare(values.get(a), values.get(b), sign) || a - b);
    }
    const at = this.lines[this.cursor]?.id;
    this.lines =
      this.groupOf === null ? order.map((row) => this.lineOf(row)) : this.grouped(order, this.groupOf);
    const place = at === undefined || this.cursor === 0 ? -1 : this.lines.findIndex((line) => line.id === at);
    this.cursor = Math.max(0, Math.min(place < 0 ? this.cursor : place, this.lines.length - 1));
  }

  private lineOf(row: number): Line {
    return { id: this.idOf(row), row, group: null, count: 1 };
  }

  private grouped(order: number[], groupOf: (row: number) => string): Line[] {
    const groups = new Map<string, number[]>();
    for (const row of order) {
      const name = groupOf(row);
      const known = groups.get(name);
      if (known) {
        known.push(row);
      } else {
        groups.set(name, [row]);
      }
    }
    return [...groups].flatMap(([group, rows]) => [
      { id: `group ${group}`, row: -1, group, count: rows.length },
      ...(this.folded.has(group) ? [] : rows.map((row) => this.lineOf(row))),
    ]);
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
      const sort = h(
        'button',
        { type: 'button', class: 'aml-sort', title: column.label },
        column.label + mark,
      );
      sort.addEventListener('click', () => this.sortBy(column.key));
      return h(
        'div',
        {
          class: `aml-cell${column.right ? ' aml-right' : ''}`,
          role: 'columnheader',
          'aria-sort': isSorted ? (this.descending ? 'descending' : 'ascending') : 'none',
        },
        sort,
      );
    });
    const isMarking = this.options.onmark !== undefined;
    const grid = this.columns
      .map((column) => `minmax(${column.width ?? 90}px, ${column.width ?? 90}fr)`)
      .join(' ');
    const total = this.columns.reduce((sum, column) => sum + (column.width ?? 90), isMarking ? 28 : 0);
    this.element.style.setProperty('--aml-columns', isMarking ? `28px ${grid}` : grid);
    this.element.style.setProperty('--aml-total', `${total}px`);
    this.top.hidden = cells.length === 0;
    const place = [...this.head.children].findIndex((cell) => cell.contains(document.activeElement));
    fill(
      this.head,
      isMarking &&
        h(
          'div',
          { class: 'aml-cell', role: 'columnheader' },
          h('span', { class: 'aml-hidden' }, t('marked')),
        ),
      ...cells,
    );
    this.head.children[place]?.querySelector('button')?.focus();
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
    const last = Math.min(this.lines.length, Math.ceil((top + height) / ROW) + SPARE);
    this.body.style.height = `${this.lines.length * ROW}px`;
    this.scroller.setAttribute('aria-rowcount', String(this.lines.length));
    const rows = new Map<string, HTMLElement>();
    for (let place = first; place < last; place++) {
      const line = this.lines[place];
      rows.set(line.id, this.rowAt(place, this.rows.get(line.id)));
    }
    this.rows = rows;
    fill(this.body, ...rows.values());
    const at = this.lines[this.cursor];
    if (at && rows.has(at.id)) {
      this.scroller.setAttribute('aria-activedescendant', rows.get(at.id)!.id);
    } else {
      this.scroller.removeAttribute('aria-activedescendant');
    }
    const isCut = (this.filter !== '' || this.only !== null) && this.count > 0;
    say(
      this.note,
      this.count === 0 ? (this.options.empty ?? '') : isCut ? `${this.shown} / ${this.count}` : '',
    );
  }

  /** Return the element of a line: the one that stands for it, with new cells where they differ. */
  private rowAt(place: number, known?: HTMLElement): HTMLElement {
    const line = this.lines[place];
    const isAt = place === this.cursor;
    const element = known ?? h('div', { role: 'row', id: `${this.name}-${count++}` });
    element.className = `aml-row${isAt ? ' aml-cursor' : ''}${line.group === null ? '' : ' aml-group'}`;
    element.setAttribute('aria-rowindex', String(place + 1));
    element.setAttribute('aria-selected', String(isAt));
    element.dataset.place = String(place);
    element.style.transform = `translateY(${place * ROW}px)`;
    const cells = line.group === null ? this.cellsOf(line) : this.headOfGroup(line);
    cells.forEach((cell, column) => {
      const there = element.children[column];
      if (!there) {
        element.append(cell);
      } else if (!there.isEqualNode(cell)) {
        there.replaceWith(cell);
      }
    });
    while (element.children.length > cells.length) {
      element.lastElementChild!.remove();
    }
    const box = this.options.onmark && element.querySelector('input');
    if (box) {
      box.checked = this.marked.has(line.id);
    }
    return element;
  }

  private cellsOf(line: Line): HTMLElement[] {
    const cells = this.columns.map((column) => {
      const shown = column.show ? column.show(line.row) : String(column.value(line.row) ?? '');
      const title = typeof shown === 'string' ? shown : null;
      return h(
        'div',
        { class: `aml-cell${column.right ? ' aml-right' : ''}`, role: 'gridcell', title },
        shown,
      );
    });
    if (this.options.onmark === undefined) {
      return cells;
    }
    const box = h('input', { type: 'checkbox', tabindex: '-1', 'aria-label': t('mark {0}', line.id) });
    return [h('div', { class: 'aml-cell', role: 'gridcell' }, box), ...cells];
  }

  private headOfGroup(line: Line): HTMLElement[] {
    const isFolded = this.folded.has(line.group!);
    return [
      h(
        'div',
        { class: 'aml-cell', role: 'gridcell', 'aria-expanded': String(!isFolded) },
        `${isFolded ? '▸' : '▾'} ${line.group} `,
        h('span', { class: 'aml-faint' }, line.count),
      ),
    ];
  }

  private fold(group: string, isFolded = !this.folded.has(group)): void {
    if (isFolded) {
      this.folded.add(group);
    } else {
      this.folded.delete(group);
    }
    this.arrange();
    this.paintSoon();
  }

  private placeOf(event: Event): number {
    const element = (event.target as HTMLElement).closest<HTMLElement>('.aml-row');
    return element ? Number(element.dataset.place) : -1;
  }

  private onClick(event: Event): void {
    const line = this.lines[this.placeOf(event)];
    if (line === undefined) {
      return;
    }
    this.cursor = this.placeOf(event);
    if (line.group !== null) {
      this.fold(line.group);
    } else if ((event.target as HTMLElement).closest('a, button, input') === null) {
      this.options.open?.(line.row);
    }
    this.paintSoon();
  }

  private onChange(event: Event): void {
    const line = this.lines[this.placeOf(event)];
    if (line !== undefined && event.target instanceof HTMLInputElement) {
      this.mark(line.id, event.target.checked);
    }
  }

  private mark(id: string, on: boolean): void {
    if (on) {
      this.marked.add(id);
    } else {
      this.marked.delete(id);
    }
    this.options.onmark?.();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.target !== this.scroller || this.lines.length === 0) {
      return;
    }
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -this.lines.length,
      End: this.lines.length,
    };
    const line = this.lines[this.cursor];
    if (event.key in steps) {
      this.moveTo(this.cursor + steps[event.key]);
    } else if (line.group !== null && ['Enter', ' ', 'ArrowLeft', 'ArrowRight'].includes(event.key)) {
      this.fold(line.group, event.key.startsWith('Arrow') ? event.key === 'ArrowLeft' : undefined);
    } else if (event.key === 'Enter') {
      this.options.open?.(line.row);
    } else if (event.key === ' ' && this.options.onmark) {
      this.mark(line.id, !this.marked.has(line.id));
      this.paintSoon();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private moveTo(place: number): void {
    this.cursor = Math.max(0, Math.min(this.lines.length - 1, place));
    const top = this.cursor * ROW;
    const height = this.scroller.clientHeight - 2 * ROW;
    if (top < this.scroller.scrollTop) {
      this.scroller.scrollTop = top;
    } else if (top > this.scroller.scrollTop + height) {
      this.scroller.scrollTop = top - height;
    }
    this.paintSoon();
  }
}
