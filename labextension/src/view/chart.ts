/** Draw series with uPlot: zoom by dragging, values under the pointer, band between least and greatest, log axis. */

import uPlot from 'uplot';

import { h } from './dom';
import { clockText, numberText } from './format';

/** One line: `low` and `high` bound what a point of a thinned series stands for. */
export interface Series {
  label: string;
  x: (number | null)[];
  y: (number | null)[];
  low?: (number | null)[];
  high?: (number | null)[];
}

export interface ChartOptions {
  height: number;
  width: number;
  isLog: boolean;
  isTime: boolean;
  isLegendShown: boolean;
  /** Points without a line between them. */
  isScatter?: boolean;
  xLabel?: string;
  label: string;
}

/** Colours that are told apart on light and on dark, and by those who do not see red or green. */
export const COLOURS = [
  '#2f7fd6',
  '#d97a1e',
  '#2a9d6f',
  '#b455a8',
  '#c4423f',
  '#6f6fd8',
  '#8a7a2f',
  '#3aa6b9',
];

const shown = new Set<LineChart>();
let isWatchingTheme = false;

/** Draw every chart anew when the page becomes light or dark: their colours are painted, not styled. */
function watchTheme(): void {
  if (!isWatchingTheme && typeof MutationObserver !== 'undefined') {
    isWatchingTheme = true;
    const observer = new MutationObserver(() => shown.forEach((chart) => chart.redraw()));
    observer.observe(document.body, { attributes: true, attributeFilter: ['data-jp-theme-light', 'class'] });
  }
}

export class LineChart {
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private key = '';
  private readonly size: ResizeObserver | null = null;

  constructor() {
    this.element = h('div', { class: 'aml-chart' });
    shown.add(this);
    watchTheme();
    if (typeof ResizeObserver !== 'undefined') {
      this.size = new ResizeObserver(() => this.fit());
      this.size.observe(this.element);
    }
  }

  /** Draw `series`; a zoom is kept while options and lines stay the same. */
  draw(series: Series[], options: ChartOptions): void {
    const data = joined(series, options.isLog);
    const key = JSON.stringify([series.map((each) => each.label), { ...options, width: 0 }]);
    if (this.plot !== null && key === this.key) {
      this.plot.setData(data, !isZoomed(this.plot));
    } else {
      this.key = key;
      this.plot?.destroy();
      this.plot = new uPlot(this.settings(series, options), data, this.element);
      this.fit();
      this.element.querySelectorAll<HTMLElement>('.u-legend th').forEach(pressable);
    }
    const drawing = this.plot.over.parentElement!;
    drawing.setAttribute('role', 'img');
    drawing.setAttribute('aria-label', `${options.label}: ${series.map(spoken).join('; ')}`);
  }

  redraw(): void {
    this.plot?.redraw();
  }

  close(): void {
    shown.delete(this);
    this.size?.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  private fit(): void {
    const width = this.element.clientWidth;
    if (this.plot !== null && width > 40 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.plot.height });
    }
  }

  private settings(series: Series[], options: ChartOptions): uPlot.Options {
    const ink = (): string => getComputedStyle(this.element).color;
    const grid = { stroke: '#80808033', width: 1 };
    const axis = { stroke: ink, grid, ticks: grid, font: '11px sans-serif' };
    return {
      width: options.width,
      height: options.height,
      legend: { show: options.isLegendShown, live: true },
      cursor: { focus: { prox: 24 }, drag: { x: true, y: false } },
      scales: { x: { time: options.isTime }, y: { distr: options.isLog ? 3 : 1 } },
      axes: [
        { ...axis, size: 28, label: options.xLabel, labelSize: 16, labelFont: '11px sans-serif' },
        {
          ...axis,
          size: axisSize,
          space: 24,
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : numberText(tick, 4))),
        },
      ],
      series: [
        {
          label: options.isTime ? 'time' : (options.xLabel ?? 'step'),
          value: (_, x) => xText(x, options.isTime),
        },
        ...series.flatMap((each, place) => lineSettings(each, place, options)),
      ],
      bands: series.flatMap((each, place) => bandSettings(series, each, place)),
    };
  }
}

/** Let the name of a line in the legend, which shows and hides that line, be pressed by keyboard, too. */
function pressable(name: HTMLElement): void {
  name.tabIndex = 0;
  name.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      name.click();
    }
  });
}

function lineSettings(series: Series, place: number, options: ChartOptions): uPlot.Series[] {
  const stroke = COLOURS[place % COLOURS.length];
  const line: uPlot.Series = {
    label: series.label,
    stroke,
    width: 1.5,
    spanGaps: true,
    points: {
      show: options.isScatter || ((plot) => plot.data[0].length < 40),
      size: options.isScatter ? 5 : 4,
    },
    value: (_, value) => (value === null ? '' : numberText(value)),
  };
  if (options.isScatter) {
    line.paths = () => null;
  }
  const edge: uPlot.Series = {
    show: true,
    stroke: 'transparent',
    width: 0,
    points: { show: false },
    spanGaps: true,
    class: 'aml-edge',
  };
  return series.low ? [line, { ...edge, label: 'least' }, { ...edge, label: 'greatest' }] : [line];
}

function bandSettings(all: Series[], series: Series, place: number): uPlot.Band[] {
  if (!series.low) {
    return [];
  }
  const before = all.slice(0, place).reduce((sum, each) => sum + (each.low ? 3 : 1), 1);
  return [{ series: [before + 2, before + 1], fill: `${COLOURS[place % COLOURS.length]}33` }];
}

/** Bring all series to one axis of x, as uPlot wants them. */
function joined(series: Series[], isLog: boolean): uPlot.AlignedData {
  const tables = series.map((each): uPlot.AlignedData => {
    const columns = each.low && each.high ? [each.y, each.low, each.high] : [each.y];
    const sorted = inOrder(each.x, columns);
    return (
      isLog ? sorted.map((column, place) => (place ? column.map(positive) : column)) : sorted
    ) as uPlot.AlignedData;
  });
  if (tables.length === 0) {
    return [[]];
  }
  return tables.length === 1 ? tables[0] : uPlot.join(tables);
}

/** Return x and its columns by ascending x; of several points with one x the last stands, and points without are left out. */
export function inOrder(x: (number | null)[], columns: (number | null)[][]): (number | null)[][] {
  const isRising = x.every((value, place) => value !== null && (place === 0 || value > x[place - 1]!));
  if (isRising) {
    return [x, ...columns];
  }
  const places = new Map<number, number>();
  x.forEach((value, place) => value !== null && places.set(value, place));
  const order = [...places.entries()].sort((a, b) => a[0] - b[0]);
  return [order.map(([value]) => value), ...columns.map((column) => order.map(([, place]) => column[place]))];
}

function positive(value: number | null | undefined): number | null {
  return value !== null && value !== undefined && value > 0 ? value : null;
}

function xText(x: number | null, isTime: boolean): string {
  return x === null ? '' : isTime ? clockText(x, true) : numberText(x);
}

/** Make room for the widest label: uPlot's own width cuts off what has more than five digits. */
function axisSize(plot: uPlot, labels: string[] | null, _axis: number, turn: number): number {
  const axis = plot.axes[1] as uPlot.Axis & { _size: number };
  if (turn > 1) {
    return axis._size;
  }
  const longest = (labels ?? []).reduce((most, label) => Math.max(most, label.length), 0);
  return 16 + Math.ceil(longest * 7.2);
}

function isZoomed(plot: uPlot): boolean {
  const x = plot.data[0];
  const { min, max } = plot.scales.x;
  return x.length > 1 && min !== undefined && max !== undefined && (min > x[0] || max < x[x.length - 1]);
}

function spoken(series: Series): string {
  const last = series.y[series.y.length - 1];
  return `${series.label} ${numberText(last ?? null)}`;
}

/** Return `values` smoothed by an exponential moving average that is free of the first value's weight; gaps stay. */
export function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) {
    return values;
  }
  let sum = 0;
  let power = 1;
  return values.map((value) => {
    if (value === null) {
      return null;
    }
    sum = sum * weight + (1 - weight) * value;
    power *= weight;
    return sum / (1 - power);
  });
}

/** Return numbers as they are, and what JSON has no number for (the words NaN, Infinity) as gaps. */
export function numbers(values: ArrayLike<number | string | null>): (number | null)[] {
  return Array.from(values, (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null));
}
