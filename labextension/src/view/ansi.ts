/** Turn a stretch of a log into elements: ANSI colours as classes, progress bars' carriage returns as the last state. */

import { h } from './dom';

const ESCAPE = /\x1b(?:\[([0-9;:?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g; // eslint-disable-line no-control-regex

/** What a line looks like at its end: classes that go on in the next one. */
export interface Style {
  colour: number | null;
  bold: boolean;
  faint: boolean;
  underline: boolean;
}

export const PLAIN: Style = { colour: null, bold: false, faint: false, underline: false };

/** Return what is left of a line when each carriage return has gone back to its beginning. */
export function lastState(line: string): string {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  const parts = text.split('\r');
  if (parts.length === 1) {
    return text;
  }
  let shown = '';
  for (const part of parts) {
    const plain = part.replace(ESCAPE, '');
    shown = plain.length >= shown.replace(ESCAPE, '').length ? part : part + shown.slice(part.length);
  }
  return shown;
}

/** Return a line as text nodes and spans, and the style in which the next one begins. */
export function lineNodes(line: string, style: Style): [Node[], Style] {
  const text = lastState(line);
  if (!text.includes('\x1b')) {
    return [text ? [spanOf(text, style)] : [], style];
  }
  const nodes: Node[] = [];
  let now = style;
  let from = 0;
  ESCAPE.lastIndex = 0;
  for (let found = ESCAPE.exec(text); found; found = ESCAPE.exec(text)) {
    if (found.index > from) {
      nodes.push(spanOf(text.slice(from, found.index), now));
    }
    if (found[2] === 'm') {
      now = changed(now, found[1]);
    }
    from = found.index + found[0].length;
  }
  if (from < text.length) {
    nodes.push(spanOf(text.slice(from), now));
  }
  return [nodes, now];
}

function spanOf(text: string, style: Style): Node {
  const classes = [
    style.colour !== null && `aml-ansi-${style.colour}`,
    style.bold && 'aml-ansi-bold',
    style.faint && 'aml-faint',
    style.underline && 'aml-ansi-underline',
  ].filter(Boolean);
  return classes.length ? h('span', { class: classes.join(' ') }, text) : document.createTextNode(text);
}

function changed(style: Style, codes: string): Style {
  const now = { ...style };
  const numbers = codes.split(/[;:]/).map((code) => Number(code || 0));
  for (let place = 0; place < numbers.length; place++) {
    const code = numbers[place];
    if (code === 0) {
      Object.assign(now, PLAIN);
    } else if (code === 1) {
      now.bold = true;
    } else if (code === 2) {
      now.faint = true;
    } else if (code === 4) {
      now.underline = true;
    } else if (code === 22) {
      now.bold = now.faint = false;
    } else if (code === 24) {
      now.underline = false;
    } else if (code >= 30 && code <= 37) {
      now.colour = code - 30;
    } else if (code >= 90 && code <= 97) {
      now.colour = code - 90;
    } else if (code === 39) {
      now.colour = null;
    } else if (code === 38 || code === 48) {
      place += numbers[place + 1] === 5 ? 2 : 4;
    }
  }
  return now;
}
