/** Draw SDK v1's typed charts: confusion matrix, accuracy table as ROC and precision-recall, residuals, predictions. */

import { Metric } from './api';
import { ChartOptions, LineChart, Series } from './chart';
import { fill, h } from './dom';
import { numberText } from './format';
import { filesOf } from './metrics';
import { RunStore } from './store';
import { t } from './text';

const SIZE: Pick<ChartOptions, 'height' | 'width' | 'isLog' | 'isTime'> = {
  height: 240,
  width: 340,
  isLog: false,
  isTime: false,
};
const CLASSES = 40;
const CHART_BYTES = 4_000_000;

/** Return an element that draws the newest chart of `metric` when its file has come. */
export function typedChart(store: RunStore, metric: Metric): HTMLElement {
  const element = h('div', { class: 'aml-typed' }, h('span', { class: 'aml-faint' }, t('reading ...')));
  const name = filesOf(store, metric).pop();
  void store
    .read(name ?? '', CHART_BYTES)
    .then((file) => fill(element, ...drawn(JSON.parse(file.text))))
    .catch(() => fill(element, h('span', { class: 'aml-faint' }, t('{0} cannot be drawn', name ?? ''))));
  return element;
}

function drawn(body: unknown): HTMLElement[] {
  const { schema_type: kind, data } = body as { schema_type: string; data: Record<string, unknown> };
  if (kind === 'confusion_matrix') {
    return [matrix(data)];
  }
  if (kind === 'accuracy_table') {
    return accuracy(data);
  }
  if (kind === 'residuals') {
    return [bars(list(data.bin_edges), list(data.bin_counts))];
  }
  if (kind === 'predictions') {
    return [predictions(data)];
  }
  throw new Error(`no chart is of the kind ${kind}`);
}

function matrix(data: Record<string, unknown>): HTMLElement {
  const labels = (data.class_labels as unknown[]).map(String);
  const rows = (data.matrix as unknown[]).map(list);
  if (labels.length > CLASSES) {
    return h('div', {}, t('{0} classes', labels.length));
  }
  const head = h(
    'tr',
    {},
    h('th', {}, t('true \\ predicted')),
    ...labels.map((label) => h('th', { scope: 'col' }, label)),
  );
  const lines = rows.map((row, place) => {
    const sum = row.reduce((all, value) => all + Math.max(0, value), 0) || 1;
    const cells = row.map((value) => {
      const cell = h('td', { title: `${((100 * value) / sum).toFixed(1)} %` }, numberText(value));
      cell.style.background = `rgba(47, 127, 214, ${Math.min(1, Math.max(0, value / sum)) * 0.55})`;
      return cell;
    });
    return h('tr', {}, h('th', { scope: 'row' }, labels[place]), ...cells);
  });
  return h('table', { class: 'aml-matrix' }, head, ...lines);
}

/** Each class's table holds, for each threshold, true positives, false positives, true negatives, false negatives. */
function accuracy(data: Record<string, unknown>): HTMLElement[] {
  const labels = (data.class_labels as unknown[]).map(String);
  const tables = (data.probability_tables as unknown[][]).map((table) => table.map(list));
  const shown = tables.slice(0, 8).map((table, place) => ({ label: labels[place] ?? String(place), table }));
  const roc = shown.map(({ label, table }): Series => {
    return {
      label,
      x: table.map(([, fp, tn]) => share(fp, fp + tn)),
      y: table.map(([tp, , , fn]) => share(tp, tp + fn)),
    };
  });
  const precision = shown.map(({ label, table }): Series => {
    return {
      label,
      x: table.map(([tp, , , fn]) => share(tp, tp + fn)),
      y: table.map(([tp, fp]) => (tp + fp > 0 ? tp / (tp + fp) : null)),
    };
  });
  return [
    plotted(roc, t('ROC'), t('false positive rate')),
    plotted(precision, t('precision and recall'), t('recall')),
  ];
}

function bars(edges: number[], counts: number[]): HTMLElement {
  const most = Math.max(1, ...counts);
  const columns = counts.map((count, place) => {
    const bar = h('div', {
      class: 'aml-bin',
      title: `${numberText(edges[place], 4)} – ${numberText(edges[place + 1], 4)}: ${count}`,
    });
    bar.style.height = `${(100 * Math.max(0, count)) / most}%`;
    return bar;
  });
  const ends = h(
    'div',
    { class: 'aml-ends aml-faint' },
    h('span', {}, numberText(edges[0], 4)),
    h('span', {}, numberText(edges[edges.length - 1], 4)),
  );
  return h(
    'div',
    { class: 'aml-bins', role: 'img', 'aria-label': t('residuals') },
    h('div', { class: 'aml-bin-row' }, ...columns),
    ends,
  );
}

function predictions(data: Record<string, unknown>): HTMLElement {
  const x = list(data.bin_averages);
  const errors = Array.isArray(data.bin_errors) ? list(data.bin_errors) : x.map(() => 0);
  const edges = list(data.bin_edges);
  const middles = x.map((_, place) =>
    edges.length > place + 1 ? (edges[place] + edges[place + 1]) / 2 : place,
  );
  const line: Series = {
    label: t('predicted'),
    x: middles,
    y: x,
    low: x.map((value, place) => value - errors[place]),
    high: x.map((value, place) => value + errors[place]),
  };
  return plotted([line, { label: t('ideal'), x: middles, y: middles }], t('predictions'), t('true value'));
}

function plotted(series: Series[], label: string, xLabel: string): HTMLElement {
  const chart = new LineChart();
  const element = h(
    'div',
    { class: 'aml-chart-box' },
    h('div', { class: 'aml-caption' }, label),
    chart.element,
  );
  requestAnimationFrame(() => chart.draw(series, { ...SIZE, label, xLabel, isLegendShown: true }));
  return element;
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

function list(value: unknown): number[] {
  if (!Array.isArray(value)) {
    throw new Error('a list is missing');
  }
  return value.map(Number);
}
