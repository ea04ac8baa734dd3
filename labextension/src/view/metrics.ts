/** Show what runs logged: lines that one can lay over each other, tables, images and SDK v1's typed charts. */

import { Metric } from './api';
import { LineChart, numbers, Series, smoothed } from './chart';
import { fill, h, renew, say, select, tick } from './dom';
import { nameOf, numberText } from './format';
import { Column } from './order';
import { Coalescer, pathOf, Points } from './source';
import { RunStore } from './store';
import { VirtualTable } from './table';
import { t } from './text';
import { typedChart } from './typed';

const POINTS = 1500;
const SMALL_POINTS = 400;
const SMALL_CHARTS = 12;

type Axis = 'step' | 'time' | 'elapsed';

interface Settings {
  axis: Axis;
  isLog: boolean;
  smoothing: number;
  isTogether: boolean;
}

/** A run whose metrics are shown, and its number where there are several. */
export interface Shown {
  store: RunStore;
  place?: number;
}

/** Return what a run is called among several. */
export function labelOf({ store, place }: Shown): string {
  return `${place}: ${store.run ? nameOf(store.run) : store.id}`;
}

/** A metric that is no line: what shows it, and how many values that has. */
interface Other {
  count: number;
  box: HTMLElement;
  table: VirtualTable | null;
}

export class MetricsView {
  readonly element: HTMLElement;
  private readonly charts: HTMLElement;
  private readonly others: HTMLElement;
  private readonly drawn = new Map<string, { box: HTMLElement; said: HTMLElement; chart: LineChart }>();
  private readonly held = new Map<string, Points>();
  private readonly settings: Settings = { axis: 'step', isLog: false, smoothing: 0, isTogether: false };
  private readonly soon = new Coalescer(() => void this.refresh(), 150);
  private readonly typed = new Map<string, Other>();
  private readonly single = h('table', { class: 'aml-facts' });
  private isClosed = false;
  private isRunning = false;

  constructor(
    private readonly runs: Shown[],
    private readonly isSmall = false,
  ) {
    this.charts = h('div', { class: `aml-charts${isSmall ? ' aml-charts-small' : ''}` });
    this.others = h('div', { class: 'aml-others' });
    this.element = h('div', { class: 'aml-metrics' }, !isSmall && this.bar(), this.charts, this.others);
    runs.forEach(({ store, place }) => {
      store.on('metrics', () => this.soon.ask());
      if (place) {
        store.on('run', () => this.soon.ask());
      }
    });
    this.soon.ask();
  }

  close(): void {
    this.isClosed = true;
    this.soon.stop();
    this.drawn.forEach(({ chart }) => chart.close());
  }

  private bar(): HTMLElement {
    const smooth = h('input', {
      type: 'range',
      min: 0,
      max: 0.99,
      step: 0.01,
      value: 0,
      'aria-label': t('smoothing'),
      title: t('smoothing'),
    });
    smooth.addEventListener('input', () => this.change({ smoothing: Number(smooth.value) }));
    const axes = [
      ['step', t('by step')],
      ['time', t('by time of day')],
      ['elapsed', t('by seconds since the first')],
    ] as const;
    return h(
      'div',
      { class: 'aml-bar' },
      select(t('horizontal axis'), axes, 'step', (axis) => this.change({ axis: axis as Axis })),
      tick(t('log axis'), false, (isLog) => this.change({ isLog })),
      tick(t('in one chart'), false, (isTogether) => this.change({ isTogether })),
      h('label', { class: 'aml-tick' }, t('smoothing'), smooth),
    );
  }

  private change(settings: Partial<Settings>): void {
    const isOther = settings.axis !== undefined && settings.axis !== this.settings.axis;
    Object.assign(this.settings, settings);
    if (isOther) {
      this.held.clear();
    }
    this.soon.ask();
  }

  private async refresh(): Promise<void> {
    if (this.isClosed || this.isRunning) {
      return;
    }
    this.isRunning = true;
    try {
      await this.fetch();
      if (!this.isClosed) {
        this.draw();
      }
    } catch {
      this.runs[0].store.ask('metrics'); // the store says what is wrong, and asks again
    } finally {
      this.isRunning = false;
    }
    if (
      !this.isClosed &&
      this.runs.some(({ store }) => store.metrics.some((metric) => this.isStale(store, metric)))
    ) {
      this.soon.ask();
    }
  }

  private isStale(store: RunStore, metric: Metric): boolean {
    const isShown = !this.isSmall || this.names().slice(0, SMALL_CHARTS).includes(metric.name);
    return isShown && isSeries(metric) && this.held.get(keyOf(store, metric))?.count !== metric.count;
  }

  private async fetch(): Promise<void> {
    const wanted = this.runs.flatMap(({ store }) =>
      store.metrics.filter((metric) => this.isStale(store, metric)).map((metric) => ({ store, metric })),
    );
    await Promise.all(
      wanted.map(async ({ store, metric }) => {
        const path = `${pathOf('runs', store.id)}/metrics/${encodeURIComponent(metric.name)}`;
        const points = this.isSmall ? SMALL_POINTS : POINTS;
        const times = this.settings.axis !== 'step';
        const answer = await store.source.chart(path, { points, times: times || null });
        const count = Math.min(metric.count, answer.metric.count); // an older answer is asked for again
        this.held.set(keyOf(store, metric), { ...answer, count });
      }),
    );
  }

  private names(): string[] {
    const all = this.runs.flatMap(({ store }) => store.metrics.filter(isSeries).map((metric) => metric.name));
    return [...new Set(all)];
  }

  private draw(): void {
    const all = this.names();
    const names = this.isSmall ? all.slice(0, SMALL_CHARTS) : all;
    const groups = this.settings.isTogether
      ? names.length
        ? [{ title: t('metrics'), names }]
        : []
      : names.map((name) => ({ title: name, names: [name] }));
    const keep = new Set(groups.map((group) => group.title));
    for (const [title, { box, chart }] of this.drawn) {
      if (!keep.has(title)) {
        chart.close();
        box.remove();
        this.drawn.delete(title);
      }
    }
    groups.forEach((group) => this.drawGroup(group.title, group.names));
    const more = all.length - names.length;
    const rest = more > 0 && h('div', { class: 'aml-faint' }, t('and {0} more', more));
    fill(this.others, rest, ...this.otherParts());
  }

  private drawGroup(title: string, names: string[]): void {
    const known = this.drawn.get(title) ?? this.newBox(title);
    const series = names.flatMap((name) => this.seriesOf(name));
    const height = this.isSmall ? 120 : this.settings.isTogether ? 320 : 190;
    const width = known.chart.element.clientWidth || (this.isSmall ? 240 : 340);
    say(known.said, names.length === 1 && this.runs.length === 1 ? this.lastOf(names[0]) : '');
    known.chart.draw(series, {
      label: title,
      height,
      width,
      isLog: this.settings.isLog,
      isTime: this.settings.axis === 'time',
      isLegendShown: !this.isSmall,
      xLabel: this.isSmall ? undefined : this.settings.axis === 'elapsed' ? t('seconds') : undefined,
    });
  }

  private newBox(title: string): { box: HTMLElement; said: HTMLElement; chart: LineChart } {
    const said = h('span', { class: 'aml-faint' });
    const chart = new LineChart();
    const caption = h('div', { class: 'aml-caption' }, h('b', {}, title), ' ', said);
    const box = h(
      'div',
      { class: `aml-chart-box${this.settings.isTogether ? ' aml-wide' : ''}` },
      caption,
      chart.element,
    );
    const made = { box, said, chart };
    this.drawn.set(title, made);
    this.charts.append(box);
    return made;
  }

  private seriesOf(name: string): Series[] {
    return this.runs.flatMap((run) => {
      const { store } = run;
      const metric = store.metrics.find((each) => each.name === name);
      const chart = metric && this.held.get(keyOf(store, metric));
      if (!chart) {
        return [];
      }
      const x = numbers(this.settings.axis === 'step' ? chart.x : chart.time);
      const first = x.find((value) => value !== null) ?? 0;
      const isThinned = chart.count > chart.x.length && this.settings.smoothing === 0;
      return [
        {
          label: run.place ? `${labelOf(run)}${this.settings.isTogether ? ` ${name}` : ''}` : name,
          x: this.settings.axis === 'elapsed' ? x.map((value) => (value === null ? null : value - first)) : x,
          y: smoothed(numbers(chart.y), this.settings.smoothing),
          low: isThinned ? numbers(chart.low) : undefined,
          high: isThinned ? numbers(chart.high) : undefined,
        },
      ];
    });
  }

  private lastOf(name: string): string {
    const metric = this.runs[0].store.metrics.find((each) => each.name === name);
    if (!metric) {
      return '';
    }
    const bounds = `${numberText(metric.minimum, 4)} – ${numberText(metric.maximum, 4)}`;
    return `${numberText(metric.last)} (${metric.count.toLocaleString()}, ${bounds})`;
  }

  /** Return what is no line: single values in one table, then a part for each table, image and chart; known ones stay. */
  private otherParts(): HTMLElement[] {
    const all = this.runs.flatMap((run) =>
      run.store.metrics.map((metric) => ({
        store: run.store,
        metric,
        title: run.place ? `${labelOf(run)} ${metric.name}` : metric.name,
      })),
    );
    const single = all.filter(({ metric }) => !isSeries(metric) && ['scalar', 'list'].includes(metric.kind));
    const row = (title: string, metric: Metric): HTMLElement =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, title),
        h('td', {}, numberText(metric.count && metric.value === null ? metric.last : metric.value)),
      );
    renew(this.single, ...single.map(({ title, metric }) => row(title, metric)));
    const others = all.filter(({ metric }) => ['row', 'table', 'image', 'chart'].includes(metric.kind));
    return [
      ...(single.length ? [this.single] : []),
      ...others.map(({ store, metric, title }) => this.otherPart(store, metric, title)),
    ];
  }

  private otherPart(store: RunStore, metric: Metric, title: string): HTMLElement {
    const key = keyOf(store, metric);
    const part = this.typed.get(key) ?? {
      count: -1,
      box: h('div', { class: 'aml-part' }, h('div', { class: 'aml-caption' }, h('b'))),
      table: ['row', 'table'].includes(metric.kind)
        ? new VirtualTable({ label: metric.name, height: 240 })
        : null,
    };
    this.typed.set(key, part);
    say(part.box.querySelector('b')!, title);
    if (part.count !== metric.count) {
      part.count = metric.count;
      if (part.table !== null) {
        fillTable(part.table, metric);
      }
      const shown =
        part.table?.element ?? (metric.kind === 'image' ? imageOf(store, metric) : typedChart(store, metric));
      fill(part.box, part.box.firstElementChild, shown);
    }
    return part.box;
  }
}

function keyOf(store: RunStore, metric: Metric): string {
  return `${store.id}\n${metric.name}`;
}

/** Tell whether a metric is a line: several numbers. */
export function isSeries(metric: Metric): boolean {
  return ['scalar', 'list'].includes(metric.kind) && metric.count > 1 && metric.minimum !== null;
}

/** Return the names of the files that an image or a chart stands for. */
export function filesOf(store: RunStore, metric: Metric): string[] {
  const values = Array.isArray(metric.value) ? metric.value : [metric.value];
  return values
    .filter((value) => typeof value === 'string')
    .map((value) => value.split(`/dcid.${store.id}/`)[1] ?? value);
}

function imageOf(store: RunStore, metric: Metric): HTMLElement {
  const shown = filesOf(store, metric)
    .slice(-4)
    .map((name) =>
      h(
        'figure',
        { class: 'aml-figure' },
        picture(store, name),
        h('figcaption', { class: 'aml-faint' }, name),
      ),
    );
  return h('div', { class: 'aml-bar' }, ...shown);
}

/** Return an image element that shows a picture of a run as soon as it has come. */
export function picture(store: RunStore, name: string): HTMLElement {
  const image = h('img', { class: 'aml-image', alt: name, loading: 'lazy' });
  image.addEventListener('load', () => URL.revokeObjectURL(image.src));
  store.source.imageUrl(store.id, name).then(
    (url) => (image.src = url),
    () => image.replaceWith(t('{0} cannot be shown', name)),
  );
  return image;
}

function fillTable(table: VirtualTable, metric: Metric): void {
  const columns =
    metric.value && typeof metric.value === 'object' ? (metric.value as Record<string, unknown>) : {};
  const lists = Object.entries(columns).map(([name, value]): [string, unknown[]] => [
    name,
    Array.isArray(value) ? value : [value],
  ]);
  const count = lists.reduce((most, [, values]) => Math.max(most, values.length), 0);
  table.update(
    count,
    lists.map(([name, values]): Column => ({
      key: name,
      label: name,
      value: (row) => values[row],
      show: (row) => numberText(values[row]),
      right: typeof values[0] === 'number',
      width: 110,
    })),
  );
}
