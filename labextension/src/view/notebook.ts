/** Show an executed notebook: sources, printed text and pictures. HTML, SVG and scripts of its outputs are left out. */

import { PLAIN, lineNodes } from './ansi';
import { Child, h } from './dom';
import { t } from './text';

interface Output {
  output_type: string;
  text?: string | string[];
  data?: Record<string, string | string[]>;
  traceback?: string[];
}

interface Cell {
  cell_type: string;
  source: string | string[];
  execution_count?: number | null;
  outputs?: Output[];
}

const LINES = 400;

/** Return an element for the text of an `.ipynb`; what is no notebook is shown as text. */
export function notebookPreview(text: string): HTMLElement {
  let cells: Cell[];
  try {
    cells = (JSON.parse(text) as { cells: Cell[] }).cells;
    return h('div', { class: 'aml-notebook', tabindex: '0' }, ...cells.map(cellOf));
  } catch {
    return h('pre', { class: 'aml-text', tabindex: '0' }, text);
  }
}

function cellOf(cell: Cell): HTMLElement {
  const source = joined(cell.source);
  if (cell.cell_type !== 'code') {
    return h('div', { class: 'aml-markdown' }, source);
  }
  const count = cell.execution_count ?? ' ';
  return h(
    'div',
    { class: 'aml-code' },
    h('pre', { class: 'aml-source', 'aria-label': t('cell {0}', String(count)) }, source),
    ...(cell.outputs ?? []).map(outputOf),
  );
}

function outputOf(output: Output): Child {
  const data = output.data ?? {};
  for (const kind of ['image/png', 'image/jpeg', 'image/gif']) {
    const picture = data[kind] && joined(data[kind]).replace(/\s/g, '');
    if (picture && /^[A-Za-z0-9+/=]+$/.test(picture)) {
      return h('img', { class: 'aml-image', src: `data:${kind};base64,${picture}`, alt: '' });
    }
  }
  const text = output.traceback?.join('\n') ?? joined(output.text ?? data['text/plain'] ?? '');
  if (!text) {
    return null;
  }
  let style = PLAIN;
  const lines = text
    .split('\n')
    .slice(0, LINES)
    .map((line) => {
      const [nodes, next] = lineNodes(line, style);
      style = next;
      return h('div', { class: 'aml-line' }, ...nodes);
    });
  return h('div', { class: 'aml-log aml-output' }, ...lines);
}

function joined(text: string | string[]): string {
  return Array.isArray(text) ? text.join('') : text;
}
