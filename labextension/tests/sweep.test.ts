import { beforeAll, describe, expect, it, vi } from 'vitest';

import { pointsOf } from '../src/view/source';
import { RunStore } from '../src/view/store';
import { Answers } from './answers';

const AXES = [
  { name: 'lr', expression: 'loguniform', low: '0.01', high: '1', options: [], centres: [] },
  { name: 'kind', expression: 'choice', low: 'a', high: 'b', options: ['a', 'b'], centres: [0.25, 0.75] },
];

function store(losses: (number | null)[]): RunStore {
  const made: RunStore = new RunStore(new Answers(() => ({ children: made.children })), 'hd');
  const each = <T>(value: T): T[] => losses.map(() => value);
  const ids = losses.map((_, row) => `hd_${row}`);
  made.children = {
    id: ids,
    name: ids,
    status: each('Completed'),
    reason: each(''),
    target: each('local'),
    created: each(1),
    started: each(1),
    ended: each(2),
    parameters: { lr: [0.01, 0.1, 1, 0.5], kind: ['a', 'a', 'b', 'b'] },
    metrics: { loss: losses },
    positions: { lr: [0, 0.5, 1, null], kind: [0.25, 0.25, 0.75, 0.75] },
    metric: 'loss',
    goal: 'minimize',
  };
  return made;
}

beforeAll(() => {
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => undefined,
    addListener: () => undefined,
  }));
});

describe('the numbers of a chart', () => {
  it('are read by the head that comes with them', () => {
    const metric = { name: 'loss' } as never;
    const data = Float64Array.of(1, 2, 0.5, NaN).buffer;
    const points = pointsOf({ metric, chart: { count: 9, length: 2, columns: ['x', 'y'] } }, data);
    expect([...points.x]).toEqual([1, 2]);
    expect([...points.y]).toEqual([0.5, NaN]);
    expect([points.low.length, points.count]).toEqual([0, 9]);
  });
});

describe('the table of children', () => {
  it('says why children were stopped, and sorts those that go on behind the others', async () => {
    const { ChildrenView } = await import('../src/view/children');
    const sweep = store([3, 0.5, 2, 1]);
    const children = sweep.children!;
    children.status[1] = 'Running';
    children.status[2] = 'Canceled';
    children.reason = ['', 'started', 'MedianStopping: 2 at interval 5', ''];
    const view = new ChildrenView(sweep, () => undefined);
    document.body.append(view.element);
    const painted = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));
    const rows = (): string[] =>
      [...view.element.querySelectorAll<HTMLElement>('.aml-row')].map(
        (row) => row.innerText || row.textContent!,
      );
    await painted();
    expect(rows().filter((text) => text.includes('MedianStopping: 2 at interval 5')).length).toBe(1);
    expect(rows().some((text) => text.includes('started'))).toBe(false);
    const numbers = (): string[] => rows().map((text) => text.match(/hd_\d/)![0]);
    const click = async (): Promise<void> => {
      const heads = [...view.element.querySelectorAll<HTMLElement>('.aml-sort')];
      heads.find((head) => head.textContent!.startsWith('★ loss'))!.click();
      await painted();
    };
    await click();
    expect(numbers()).toEqual(['hd_3', 'hd_2', 'hd_0', 'hd_1']);
    await click();
    expect(numbers()).toEqual(['hd_0', 'hd_2', 'hd_3', 'hd_1']);
    view.element.remove();
  });
});

describe('parallel coordinates', () => {
  it('put the best child first and leave out those without a value', async () => {
    const { linesOf, passes } = await import('../src/view/parallel');
    const lines = linesOf(store([3, 1, null, 2]), ['lr', 'kind']);
    expect(lines).toEqual([
      { row: 1, places: [0.5, 0.25, 0] },
      { row: 3, places: [null, 0.75, 0.5] },
      { row: 0, places: [0, 0.25, 1] },
    ]);
    expect(lines.filter((line) => passes(line, new Map([[0, [0.4, 1]]])))).toEqual([lines[0]]);
    expect(
      lines.filter((line) =>
        passes(
          line,
          new Map([
            [1, [0.2, 0.3]],
            [2, [0.5, 1]],
          ]),
        ),
      ),
    ).toEqual([lines[2]]);
  });

  it('choose among the children by keyboard, and keep the choice when children change', async () => {
    const { ParallelView } = await import('../src/view/parallel');
    const { ChildrenView } = await import('../src/view/children');
    const sweep = store([3, 1, null, 2]);
    const view = new ParallelView(sweep, AXES, 'loss');
    const table = new ChildrenView(sweep, () => undefined);
    document.body.append(view.element, table.element);
    const axis = view.element.querySelector('[aria-label=loss]')!;
    const key = (name: string, shiftKey = false): boolean =>
      axis.dispatchEvent(new KeyboardEvent('keydown', { key: name, shiftKey, bubbles: true }));
    for (let times = 0; times < 8; times++) {
      key('ArrowDown', true);
    }
    expect(axis.getAttribute('aria-valuetext')).toBe('0 to 60 percent');
    expect([...sweep.selected!]).toEqual(['hd_1', 'hd_3']);
    expect(view.element.textContent).toContain('2 / 3 the best: loss 1');
    const rows = (): string[] =>
      [...table.element.querySelectorAll('.aml-row')].map((row) => row.textContent!);
    await expect.poll(() => rows().length).toBe(2);
    sweep.children!.metrics.loss[2] = 1.5;
    view.draw();
    expect([...sweep.selected!]).toEqual(['hd_1', 'hd_2', 'hd_3']);
    await expect.poll(() => rows().length).toBe(3);
    key('Escape');
    expect(sweep.selected).toBe(null);
    await expect.poll(() => rows().length).toBe(4);
  });
});
