/** Show the runs that a run has started: thousands of rows, each brought up to date by itself. */

import { Children } from './api';
import { button, fill, h, renew, say, sureButton, tick } from './dom';
import { clockText, durationText, FINAL, numberText, stateKind } from './format';
import { Column } from './order';
import { pathOf } from './source';
import { RunStore } from './store';
import { VirtualTable } from './table';
import { t } from './text';

const ENDED_EARLY = new Set(['Canceled', 'CancelRequested', 'Failed']);

export class ChildrenView {
  readonly element: HTMLElement;
  private readonly table: VirtualTable;
  private readonly stop: HTMLButtonElement;
  private readonly all = button(t('all children'), () => {
    this.store.stretches.clear();
    this.store.select(null);
  });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly summary: HTMLElement;
  private readonly columnList: HTMLElement;
  private readonly hidden = new Set<string>();
  private readonly ticks = new Map<string, HTMLElement>();
  private known = '';
  private state = '';

  constructor(
    private readonly store: RunStore,
    open: (id: string) => void,
  ) {
    this.table = new VirtualTable({
      label: t('child runs'),
      open: (row) => open(this.store.children!.id[row]),
      empty: t('no child runs yet'),
      id: (row) => this.store.children!.id[row],
      onmark: () => this.drawStop(),
      isLast: (row, key) => key.startsWith('m ') && this.isUnfinished(row),
    });
    const filter = h('input', {
      type: 'search',
      class: 'aml-input',
      placeholder: t('filter'),
      'aria-label': t('filter child runs'),
    });
    filter.addEventListener('input', () => this.setFilter(filter.value));
    filter.addEventListener('keydown', (event) => event.stopPropagation());
    this.summary = h('div', { class: 'aml-states' });
    this.columnList = h('div', { class: 'aml-bar' });
    const choice = h(
      'details',
      { class: 'aml-section' },
      h('summary', {}, t('columns ...')),
      this.columnList,
    );
    this.stop = sureButton(
      t('stop the marked runs'),
      () => t('really stop {0} runs?', this.stoppable().length),
      () => this.stopMarked(),
    );
    this.drawStop();
    this.all.hidden = true;
    this.element = h(
      'div',
      { class: 'aml-children' },
      this.summary,
      h('div', { class: 'aml-bar' }, filter, choice, this.stop, this.all),
      this.problem,
      this.table.element,
    );
    store.on('children', () => this.draw());
    store.on('selected', () => this.draw());
    store.followChildren();
    this.draw();
  }

  /** Tell of a sweep's child that what it has reached is not its last word. */
  private isUnfinished(row: number): boolean {
    const { metric, status } = this.store.children!;
    return metric !== null && !FINAL.has(status[row]);
  }

  private stoppable(): string[] {
    const { id, status } = this.store.children!;
    return id.filter((each, row) => this.table.marked.has(each) && !FINAL.has(status[row]));
  }

  private drawStop(): void {
    this.stop.hidden = this.table.marked.size === 0;
  }

  private async stopMarked(): Promise<void> {
    say(this.problem, '');
    const reason = { reason: 'stopped in its sweep' };
    const asked = this.stoppable().map((id) =>
      this.store.source.send('POST', `${pathOf('runs', id)}/cancel`, reason),
    );
    this.table.marked.clear();
    this.drawStop();
    await Promise.all(asked).catch((error: Error) => say(this.problem, error.message));
    this.draw();
  }

  private setFilter(text: string): void {
    this.state = text;
    this.table.setFilter(text);
  }

  private draw(): void {
    const children = this.store.children;
    if (children === null) {
      return;
    }
    const columns = columnsOf(children);
    const names = columns.map((column) => column.key).join('\n');
    if (names !== this.known) {
      this.known = names;
      this.drawChoice(columns);
    }
    columns.forEach((column) => (column.hidden = this.hidden.has(column.key)));
    this.table.only = this.store.selected;
    this.all.hidden = this.store.selected === null;
    this.table.update(children.id.length, columns);
    if (this.state) {
      this.table.setFilter(this.state);
    }
    this.drawSummary(children);
  }

  private drawChoice(columns: Column[]): void {
    const ticks = columns.map((column) => {
      const known = this.ticks.get(column.key);
      const made =
        known ??
        tick(column.label, !this.hidden.has(column.key), (on) => {
          if (on) {
            this.hidden.delete(column.key);
          } else {
            this.hidden.add(column.key);
          }
          this.draw();
        });
      this.ticks.set(column.key, made);
      return made;
    });
    fill(this.columnList, ...ticks);
  }

  private drawSummary(children: Children): void {
    const counts = new Map<string, number>();
    children.status.forEach((status) => counts.set(status, (counts.get(status) ?? 0) + 1));
    const bar = h('div', { class: 'aml-state-bar', 'aria-hidden': 'true' });
    for (const [status, count] of counts) {
      const part = h('span', { class: `aml-fill-${stateKind(status)}`, title: `${status} ${count}` });
      part.style.flexGrow = String(count);
      bar.append(part);
    }
    const said = [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
    renew(this.summary, bar, h('span', { class: 'aml-faint' }, said));
  }
}

function columnsOf(children: Children): Column[] {
  const now = Date.now() / 1000;
  const took = (row: number): number | null => {
    const started = children.started[row];
    const end = children.ended[row] ?? (FINAL.has(children.status[row]) ? null : now);
    return started !== null && end !== null ? end - started : null;
  };
  const numbered = (kind: 'parameters' | 'metrics', mark: string): Column[] =>
    Object.entries(children[kind]).map(([name, values]): Column => {
      const isPrimary = kind === 'metrics' && name === children.metric;
      return {
        key: `${mark}${name}`,
        label: isPrimary ? `★ ${name}` : name,
        value: (row) => values[row],
        show: (row) => numberText(values[row], 5),
        right: true,
        width: 92,
      };
    });
  const why = (row: number): string => (ENDED_EARLY.has(children.status[row]) ? children.reason[row] : '');
  const hasWhy = children.status.some((_, row) => why(row) !== '');
  return [
    { key: 'number', label: '#', value: (row) => row + 1, right: true, width: 44 },
    { key: 'name', label: t('name'), value: (row) => children.name[row] || children.id[row], width: 150 },
    {
      key: 'status',
      label: t('status'),
      value: (row) => children.status[row],
      show: (row) =>
        h(
          'span',
          { class: `aml-${stateKind(children.status[row])}`, title: children.reason[row] },
          children.status[row],
        ),
      width: 92,
    },
    ...numbered('metrics', 'm '),
    ...numbered('parameters', 'p '),
    {
      key: 'took',
      label: t('took'),
      value: took,
      show: (row) => (took(row) === null ? '' : durationText(took(row)!)),
      right: true,
      width: 80,
    },
    ...(hasWhy ? [{ key: 'why', label: t('why it ended'), value: why, width: 220 }] : []),
    {
      key: 'started',
      label: t('started'),
      value: (row) => children.started[row],
      show: (row) => clockText(children.started[row]),
      width: 70,
    },
    { key: 'target', label: t('target'), value: (row) => children.target[row], width: 80 },
    { key: 'id', label: t('run id'), value: (row) => children.id[row], width: 150 },
  ];
}
