import { describe, expect, it } from 'vitest';

import { lastState, lineNodes, PLAIN } from '../src/view/ansi';
import { h } from '../src/view/dom';
import { durationText, numberText, progressText, sizeText } from '../src/view/format';
import { notebookPreview } from '../src/view/notebook';
import { Children } from '../src/view/api';
import { merge } from '../src/view/store';
import { compare } from '../src/view/order';
import { VirtualTable } from '../src/view/table';

function shown(line: string): string {
  return h('div', {}, ...lineNodes(line, PLAIN)[0]).outerHTML;
}

describe('texts', () => {
  it('says times and sizes as the text views do', () => {
    expect([0.44, 12, 185, 7800, 270000].map(durationText)).toEqual([
      '0.4 s',
      '12 s',
      '3 min 05 s',
      '2 h 10 min',
      '3 d 3 h',
    ]);
    expect([999, 1000, 118_000_000].map(sizeText)).toEqual(['999 B', '1.0 kB', '118 MB']);
    expect([0.123456789, 1e15, 3, null, 'NaN'].map((value) => numberText(value))).toEqual([
      '0.123457',
      '1000000000000000',
      '3',
      '',
      'NaN',
    ]);
  });

  it('counts progress once', () => {
    expect(progressText({ done: 7, total: 12, unit: 'cell' }, 'Running')).toBe('cell 7 of 12');
    expect(progressText({ done: 7, total: 12, unit: 'cell', message: 'cell 7: fit' }, 'Running')).toBe(
      'cell 7: fit',
    );
    expect(progressText({ done: 12, total: 12 }, 'Completed')).toBe('');
  });
});

describe('a log line', () => {
  it('is coloured by classes, and its text stays text', () => {
    expect(shown('\x1b[1;31mred\x1b[0m <img src=x>')).toBe(
      '<div><span class="aml-ansi-1 aml-ansi-bold">red</span> &lt;img src=x&gt;</div>',
    );
    expect(shown('\x1b[38;5;196mx\x1b[2K\x1b]8;;http://a\x07y')).toBe('<div>xy</div>');
  });

  it('shows the last state of a progress bar', () => {
    expect(lastState('10%\r50%\r100% done')).toBe('100% done');
    expect(lastState('abcdef\rxy')).toBe('xycdef');
    expect(lastState('line\r')).toBe('line');
  });
});

describe('a notebook of a run', () => {
  it('shows text and pictures, and nothing that could act', () => {
    const cells = [
      {
        cell_type: 'code',
        source: 'a = 1',
        outputs: [
          {
            output_type: 'display_data',
            data: { 'text/html': '<script>hacked()</script>', 'text/plain': 'plain' },
          },
        ],
      },
      {
        cell_type: 'code',
        source: '',
        outputs: [
          {
            output_type: 'display_data',
            data: {
              'image/svg+xml': '<svg onload="hacked()"/>',
              'image/png': '"><img src=x onerror=hacked()>',
            },
          },
        ],
      },
      { cell_type: 'markdown', source: '<img src=x onerror=hacked()>' },
    ];
    const element = notebookPreview(JSON.stringify({ cells }));
    expect(element.textContent).toContain('plain');
    expect(element.querySelectorAll('script, svg, img')).toHaveLength(0);
    expect(notebookPreview('no json').textContent).toBe('no json');
  });
});

describe('tables', () => {
  it('sort numbers by size and put what is missing last', () => {
    const values = [3, null, 10, 'b', 2];
    expect([...values].sort((a, b) => compare(a, b, 1)).at(-1)).toBe(null);
    expect([...values].sort((a, b) => compare(a, b, -1)).at(-1)).toBe(null);
    expect([10, 9].sort((a, b) => compare(a, b, 1))).toEqual([9, 10]);
  });

  it('hold only the rows in sight', async () => {
    const table = new VirtualTable({ label: 'rows' });
    document.body.append(table.element);
    table.update(5000, [{ key: 'n', label: 'n', value: (row) => row }]);
    await new Promise((resolve) => requestAnimationFrame(resolve));
    expect(table.element.querySelectorAll('.aml-row').length).toBeLessThan(40);
    table.setFilter('4999');
    expect(table.shown).toBe(1);
  });
});

describe('children', () => {
  const empty = (): Children => ({
    id: [],
    name: [],
    status: [],
    reason: [],
    target: [],
    created: [],
    started: [],
    ended: [],
    parameters: {},
    positions: {},
    metrics: {},
    metric: null,
    goal: null,
  });
  const row = (id: string, status: string, loss: number): Children => ({
    ...empty(),
    id: [id],
    name: [id],
    status: [status],
    reason: [''],
    target: ['local'],
    created: [1],
    started: [1],
    ended: [null],
    parameters: { lr: [0.1] },
    metrics: { loss: [loss] },
  });

  it('are changed in their place, and new ones come last with gaps where they have nothing', () => {
    const table = row('a', 'Running', 3);
    merge(table, row('b', 'Queued', 2), new Map([['a', 0]]));
    merge(
      table,
      { ...row('a', 'Completed', 1), metrics: { score: [9] } },
      new Map([
        ['a', 0],
        ['b', 1],
      ]),
    );
    expect(table.id).toEqual(['a', 'b']);
    expect(table.status).toEqual(['Completed', 'Queued']);
    expect(table.metrics).toEqual({ loss: [3, 2], score: [9, null] });
  });
});
