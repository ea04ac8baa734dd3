/** Draw a sweep's children as lines through their parameters, and choose among them by stretches of the axes. */

import { SweepAxis } from './api';
import { COLOURS } from './chart';
import { button, fill, h, say } from './dom';
import { numberText } from './format';
import { RunStore } from './store';
import { t } from './text';

const TOP = 26;
const BOTTOM = 200;
const HEIGHT = 222;
const SIDE = 52;
const STEP = 0.05;
const MOST = 500;
/** Of the best child, as in the charts beside. */
const BEST = '#d9822b';

type Stretch = [number, number];

/** A child that has reached something: its places on the axes, the last one is the metric's. */
export interface Line {
  row: number;
  places: (number | null)[];
}

/** Return the lines of the children that have a value, the best first. */
export function linesOf(store: RunStore, names: readonly string[]): Line[] {
  const { children } = store;
  const values = children?.metric ? (children.metrics[children.metric] ?? []) : [];
  const finite = values.flatMap((value, row) => (typeof value === 'number' ? [{ row, value }] : []));
  const all = finite.map(({ value }) => value);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const sign = children?.goal === 'maximize' ? -1 : 1;
  finite.sort((a, b) => sign * (a.value - b.value));
  return finite.map(({ row, value }) => ({
    row,
    places: [
      ...names.map((name) => children!.positions[name]?.[row] ?? null),
      most > least ? (value - least) / (most - least) : 0.5,
    ],
  }));
}

/** Tell whether a line runs through all stretches that were chosen. */
export function passes(line: Line, stretches: ReadonlyMap<number, Stretch>): boolean {
  return [...stretches].every(([axis, [low, high]]) => {
    const place = line.places[axis];
    return place !== null && place >= low && place <= high;
  });
}

export class ParallelView {
  readonly element: HTMLElement;
  private readonly lines = s('g', {});
  private readonly marks: SVGElement[];
  private readonly said = h('span', { class: 'aml-faint', role: 'status' });
  private readonly clear = button(t('all children'), () => this.choose());
  private readonly stretches: Map<number, Stretch>;
  private readonly names: string[];
  private readonly across: number[];

  constructor(
    private readonly store: RunStore,
    private readonly axes: SweepAxis[],
    metric: string,
  ) {
    this.stretches = store.stretches; // another tab of the view shows what was chosen here
    this.names = [...axes.map((axis) => axis.name), metric];
    const width = Math.max(380, 110 * axes.length + 2 * SIDE);
    this.across = this.names.map((_, place) => SIDE + (place * (width - 2 * SIDE)) / axes.length);
    this.marks = this.names.map((_, axis) =>
      s('rect', { class: 'aml-brush', x: this.across[axis] - 8, width: 16 }),
    );
    const drawing = s(
      'svg',
      { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, class: 'aml-parallel' },
      this.lines,
      ...this.names.map((name, axis) => this.axis(name, axis)),
    );
    const hint = t('drag along an axis, or use the arrow keys, to choose children');
    this.element = h(
      'div',
      { role: 'group', 'aria-label': t('parallel coordinates') },
      h(
        'div',
        { class: 'aml-caption' },
        h('b', {}, t('parallel coordinates')),
        ' ',
        h('span', { class: 'aml-faint' }, hint),
      ),
      h('div', { class: 'aml-scroll-x' }, drawing),
      h('div', { class: 'aml-bar' }, this.said, this.clear),
    );
    this.draw();
  }

  /** Draw the children as they are now; what was chosen stays. */
  draw(): void {
    const lines = linesOf(this.store, this.names.slice(0, -1));
    const { id } = this.store.children!;
    const chosen = lines.filter((line) => passes(line, this.stretches));
    const isChosen = new Set(chosen);
    const shown = lines.slice(0, MOST).map((line, place) => {
      const strength = 0.15 + 0.85 * (1 - place / Math.max(1, lines.length - 1)) ** 2;
      const points = line.places.flatMap((u, axis) =>
        u === null ? [] : [`${this.across[axis]},${heightOf(u)}`],
      );
      return s(
        'polyline',
        {
          points: points.join(' '),
          stroke: place === 0 ? BEST : COLOURS[0],
          'stroke-width': place === 0 ? 2 : 1,
          opacity: isChosen.has(line) ? strength : 0.05,
        },
        s('title', {}, `${id[line.row]}: ${this.valueOf(line.row)}`),
      );
    });
    fill(this.lines, ...shown.reverse());
    this.marks.forEach((mark, axis) => this.drawMark(mark, axis));
    const isAny = this.stretches.size > 0;
    const best = chosen[0] ? t('the best: {0}', this.valueOf(chosen[0].row)) : '';
    say(this.said, isAny ? `${chosen.length} / ${lines.length} ${best}` : '');
    this.clear.hidden = !isAny;
    this.store.select(isAny ? new Set(chosen.map((line) => id[line.row])) : null);
  }

  private valueOf(row: number): string {
    const name = this.names[this.names.length - 1];
    return `${name} ${numberText(this.store.children!.metrics[name]?.[row], 5)}`;
  }

  private axis(name: string, axis: number): SVGElement {
    const x = this.across[axis];
    const { low = '', high = '', options = [], centres = [] } = this.axes[axis] ?? {};
    const text = (y: number, said: string, at = x, anchor = 'middle'): SVGElement =>
      s('text', { x: at, y, 'text-anchor': anchor }, said.length > 16 ? `${said.slice(0, 15)}…` : said);
    const labels = options.length
      ? options.map((option, place) => text(heightOf(centres[place]) + 4, String(option), x + 6, 'start'))
      : [text(TOP - 3, high), text(BOTTOM + 11, low)];
    const made = s(
      'g',
      {
        class: 'aml-axis',
        tabindex: 0,
        role: 'slider',
        'aria-label': name,
        'aria-orientation': 'vertical',
        'aria-valuemin': 0,
        'aria-valuemax': 1,
      },
      s('line', { x1: x, y1: TOP, x2: x, y2: BOTTOM, stroke: 'currentColor', opacity: 0.4 }),
      s('rect', { class: 'aml-grip', x: x - 18, y: TOP, width: 36, height: BOTTOM - TOP }),
      this.marks[axis],
      ...labels,
      s(
        'text',
        {
          x,
          y: axis === this.axes.length || options.length ? TOP - 3 : TOP - 15,
          'text-anchor': 'middle',
          class: 'aml-axis-name',
        },
        name,
      ),
    );
    made.addEventListener('pointerdown', (event) => this.drag(event, axis));
    made.addEventListener('keydown', (event) => this.onKey(event, axis));
    return made;
  }

  private drawMark(mark: SVGElement, axis: number): void {
    const stretch = this.stretches.get(axis);
    const [low, high] = stretch ?? [0, 0];
    mark.setAttribute('y', String(heightOf(high)));
    mark.setAttribute('height', String(heightOf(low) - heightOf(high)));
    const percent = (u: number): number => Math.round(100 * u);
    mark.parentElement?.setAttribute('aria-valuenow', String(stretch ? (low + high) / 2 : 0));
    mark.parentElement?.setAttribute(
      'aria-valuetext',
      stretch ? t('{0} to {1} percent', percent(low), percent(high)) : t('all'),
    );
  }

  private drag(start: PointerEvent, axis: number): void {
    const made = start.currentTarget as SVGGElement;
    const box = made.ownerSVGElement!.getBoundingClientRect();
    const at = (event: PointerEvent): number => placeOf(((event.clientY - box.top) * HEIGHT) / box.height);
    const from = at(start);
    made.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent): void => {
      const to = at(event);
      this.choose(axis, Math.abs(to - from) < 0.02 ? undefined : [Math.min(from, to), Math.max(from, to)]);
    };
    const end = (): void => {
      ['pointermove', 'pointerup'].forEach((kind) => made.removeEventListener(kind, move as EventListener));
      made.removeEventListener('lostpointercapture', end);
    };
    made.addEventListener('pointermove', move);
    made.addEventListener('pointerup', move);
    made.addEventListener('lostpointercapture', end);
  }

  private onKey(event: KeyboardEvent, axis: number): void {
    const step = { ArrowUp: STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowLeft: -STEP }[event.key];
    const [low, high] = this.stretches.get(axis) ?? [0, 1];
    if (event.key === 'Escape' || event.key === 'Delete') {
      this.choose(axis);
    } else if (step && event.shiftKey) {
      this.choose(axis, [low, Math.min(1, Math.max(low + STEP, high + step))]);
    } else if (step) {
      this.choose(axis, [Math.max(0, Math.min(high - STEP, low + step)), high]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Choose a stretch of an axis, all of it, or without an axis all children. */
  private choose(axis?: number, stretch?: Stretch): void {
    if (axis === undefined) {
      this.stretches.clear();
    } else if (stretch && (stretch[0] > 0 || stretch[1] < 1)) {
      this.stretches.set(axis, stretch);
    } else {
      this.stretches.delete(axis);
    }
    this.draw();
  }
}

function heightOf(u: number): number {
  return Math.round(10 * (BOTTOM - u * (BOTTOM - TOP))) / 10;
}

function placeOf(y: number): number {
  return Math.max(0, Math.min(1, (BOTTOM - y) / (BOTTOM - TOP)));
}

/** Return an element of a drawing. */
function s(
  tag: string,
  attributes: Record<string, string | number>,
  ...children: (Node | string)[]
): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, String(value)));
  made.append(...children);
  return made as SVGElement;
}
