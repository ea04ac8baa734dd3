/** Several runs side by side: their metrics in the same charts, and what they were given and what came out in one table. */

import { Comparison, ComparisonAnswer } from '../view/api';
import { fill, h, say, tick } from '../view/dom';
import { numberText } from '../view/format';
import { labelOf, MetricsView, Shown } from '../view/metrics';
import { Source } from '../view/source';
import { RunStore } from '../view/store';
import { addStyle } from '../view/style';
import { t } from '../view/text';
import { addPanelStyle } from './style';

const SECTIONS = [
  'run',
  'arguments',
  'parameters',
  'metrics',
  'environment',
  'tags',
  'properties',
  'files',
] as const;

interface Field {
  values: unknown[];
  differs: boolean;
}

export class CompareView {
  readonly element: HTMLElement;
  private readonly stores: RunStore[];
  private readonly shown: Shown[];
  private readonly metrics: MetricsView;
  private readonly table = h('div', { class: 'aml-compare', tabindex: '0' });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private onlyDifferences = true;
  private comparison: Comparison | null = null;

  constructor(
    private readonly source: Source,
    private readonly ids: string[],
  ) {
    addStyle();
    addPanelStyle();
    this.stores = ids.map((id) => new RunStore(source, id));
    this.shown = this.stores.map((store, place) => ({ store, place: place + 1 }));
    this.metrics = new MetricsView(this.shown);
    this.stores.forEach((store) => {
      store.on('run', () => this.draw());
      store.start();
    });
    const only = tick(t('only what differs'), true, (on) => {
      this.onlyDifferences = on;
      this.draw();
    });
    this.element = h(
      'div',
      { class: 'aml-manager aml-wide-manager aml-comparison' },
      this.problem,
      h('div', { class: 'aml-bar' }, only),
      this.table,
      this.metrics.element,
    );
    void this.read();
  }

  close(): void {
    this.metrics.close();
    this.stores.forEach((store) => store.close());
  }

  private async read(): Promise<void> {
    try {
      const answer = await this.source.get<ComparisonAnswer>('compare', { runs: this.ids.join(',') });
      this.comparison = answer.comparison;
      this.draw();
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }

  private draw(): void {
    const found = this.comparison;
    if (found === null) {
      return;
    }
    const head = h(
      'tr',
      {},
      h('td', {}),
      ...this.shown.map((run) =>
        h('th', { scope: 'col' }, labelOf(run), h('div', { class: 'aml-faint' }, run.store.id)),
      ),
    );
    const rows = SECTIONS.flatMap((section) =>
      this.sectionRows(section, found[section] as Record<string, Field>),
    );
    const files = found.snapshot.map((difference, place) =>
      h('td', {}, place === 0 ? '' : differenceText(difference)),
    );
    const sources = h('tr', {}, h('th', { scope: 'row' }, t('source files')), ...files);
    fill(
      this.table,
      h('table', { class: 'aml-facts aml-compared' }, h('thead', {}, head), h('tbody', {}, ...rows, sources)),
    );
  }

  private sectionRows(section: string, fields: Record<string, Field>): HTMLElement[] {
    const shown = Object.entries(fields).filter(([, field]) => field.differs || !this.onlyDifferences);
    return shown.map(([name, field], place) => {
      const cells = field.values.map((value) =>
        h('td', { class: field.differs ? 'aml-differs' : null }, textOf(value)),
      );
      const title = place === 0 ? `${section}: ${name}` : name;
      return h('tr', { class: place === 0 ? 'aml-first' : null }, h('th', { scope: 'row' }, title), ...cells);
    });
  }
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) {
    return '–';
  }
  if (Array.isArray(value)) {
    return value.length ? `${numberText(value[value.length - 1])} (${value.length})` : '';
  }
  return numberText(value);
}

function differenceText(difference: Record<string, unknown> | null): string {
  if (difference === null) {
    return '–';
  }
  const parts = (['added', 'removed', 'changed'] as const).flatMap((kind) => {
    const names = difference[kind] as string[];
    return names.length
      ? [
          `${{ added: '+', removed: '−', changed: '~' }[kind]} ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' ...' : ''}`,
        ]
      : [];
  });
  return parts.join('; ') || t('the same');
}
