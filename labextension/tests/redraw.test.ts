import { beforeAll, describe, expect, it, vi } from 'vitest';

import { Kind, Target, WholeRun } from '../src/view/api';
import { WidgetModel } from '../src/view/comm';
import { AmlEvent } from '../src/view/source';
import { VirtualTable } from '../src/view/table';
import { Answers } from './answers';

const KIND: Kind = {
  type: 'computeinstance',
  title: 'compute instance',
  class: 'ComputeInstance',
  built: true,
  plain_runs: true,
  pipelines: 'yes',
  sweeps: true,
  gpu: true,
  several_nodes: false,
  frameworks: [],
  verbs: ['create', 'start', 'stop', 'restart', 'test', 'update', 'delete'],
  lifted: [],
  aliases: [],
  settings: { max_parallel: null },
  note: '',
};

function target(name: string, given: Partial<Target> = {}): Target {
  return {
    name,
    type: 'computeinstance',
    provisioning_state: 'Running',
    provisioning_errors: [],
    default: false,
    running: 0,
    queued: 0,
    settings: {},
    attached: false,
    tags: {},
    description: '',
    created_time: null,
    modified_time: null,
    ...given,
  };
}

function news(kind: string, subject: string, data: Record<string, unknown> = {}): AmlEvent[] {
  return [{ seq: 1, time: 0, kind, subject, data }];
}

function press(from: Element, text: string): HTMLButtonElement {
  const found = [...from.querySelectorAll('button')].find(
    (each) => !each.hidden && each.textContent!.includes(text),
  );
  if (!found) {
    throw new Error(`no button says ${text}: ${from.textContent}`);
  }
  found.click();
  return found;
}

beforeAll(() => {
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => undefined,
    addListener: () => undefined,
  }));
});

describe('the compute list', () => {
  it('keeps its question, and every element that says the same, when it is drawn anew', async () => {
    const { ComputePanel } = await import('../src/panel/compute');
    let targets = [target('box-1'), target('box-2', { queued: 1 })];
    const source = new Answers((path) =>
      path === 'kinds' ? { kinds: [KIND] } : path === 'compute' ? { compute: targets } : {},
    );
    const panel = new ComputePanel(source);
    document.body.append(panel.element);
    const card = (name: string): HTMLElement => panel.element.querySelector(`[data-target=${name}]`)!;
    await expect.poll(() => card('box-2')).toBeTruthy();
    const before = [...panel.element.querySelectorAll('*')];

    const asked = press(card('box-2'), 'delete');
    asked.focus();
    expect(asked.textContent).toBe('delete? cancels 1 waiting, asks 0 running runs to end');
    const reads = source.asked.length;
    targets = [target('box-1'), target('box-2', { queued: 1, running: 1 })];
    source.tell(news('target.state', 'box-1'));
    await expect.poll(() => card('box-2').textContent).toContain('1 running, 1 queued');
    expect(source.asked.length).toBeGreaterThan(reads);
    expect([...panel.element.querySelectorAll('*')]).toEqual(before);
    expect(document.activeElement).toBe(asked);
    press(card('box-2'), 'delete?');
    await expect.poll(() => source.sent).toEqual(['DELETE compute/box-2']);

    press(card('box-1'), 'delete');
    press(panel.element, 'New');
    expect(card('box-1').textContent, 'a press elsewhere takes the question back').not.toContain('delete?');
    press(card('box-1'), 'delete');
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    press(card('box-1'), 'delete');
    expect(source.sent).toHaveLength(1);
    panel.close();
    panel.element.remove();
  });
});

describe('the run view', () => {
  it('keeps its question, its tab and its focus when the run changes', async () => {
    const { RunView } = await import('../src/view/run');
    let status = 'Queued';
    const source = new Answers((path) => {
      if (path.endsWith('/metrics')) {
        return { metrics: [] };
      }
      if (path.endsWith('/files')) {
        return { files: [] };
      }
      if (path.endsWith('/logs')) {
        return { text: '', offset: 0, next_offset: 0, size: 0, complete: false };
      }
      const run = {
        id: 'r',
        status,
        experiment: 'e',
        number: 1,
        target: 'local',
        display_name: '',
        reason: '',
      };
      const rest = { parent: null, place_in_line: null, progress: null, start_time: null, end_time: null };
      return {
        run: {
          ...run,
          ...rest,
          attempt: 1,
          exit_code: null,
          error: null,
          kind: 'script',
        } as unknown as WholeRun,
      };
    });
    const view = new RunView(source, 'r');
    document.body.append(view.element);
    await expect.poll(() => view.element.dataset.state).toBe('Queued');
    press(view.element, 'logs');
    const panel = view.element.querySelector('[role=tabpanel]')!.firstElementChild;
    const asked = press(view.element, 'cancel');
    asked.focus();
    for (status of ['Preparing', 'Running']) {
      source.tell(news('run.state', 'r', { status }));
      await expect.poll(() => view.element.dataset.state).toBe(status);
    }
    expect(asked.textContent).toBe('really cancel?');
    expect(document.activeElement).toBe(asked);
    expect(view.element.querySelector('[role=tabpanel]')!.firstElementChild).toBe(panel);
    press(view.element, 'really cancel?');
    await expect.poll(() => source.sent).toEqual(['POST runs/r/cancel']);
    view.close();
    view.element.remove();
  });
});

describe('a widget', () => {
  it('goes on with its view where its output is drawn anew', async () => {
    const { default: module } = await import('../src/view/index');
    /** Each output has a hold of its own on the widget, as anywidget gives it. */
    const hold = (): WidgetModel & { heard: unknown[]; tell: (content: unknown) => void } => {
      const listeners = new Set<(content: unknown) => void>();
      const heard: unknown[] = [];
      return {
        heard,
        tell: (content) => listeners.forEach((listener) => listener(content)),
        get: () => 'x',
        send: (content) => heard.push(content),
        on: (_, listener) => listeners.add(listener),
        off: (_, listener) => listeners.delete(listener),
      };
    };
    const places = ['div', 'div', 'div'].map((tag) => document.createElement(tag));
    document.body.append(places[0], places[1]);
    const [first, second] = [hold(), hold()];
    const leave = await module.render({ model: first, el: places[0] });
    await expect.poll(() => first.heard.length).toBe(3);
    const view = places[0].firstElementChild!;
    places[0].remove();
    leave();
    await module.render({ model: second, el: places[1] });
    expect(places[1].firstElementChild).toBe(view);
    expect(second.heard, 'what was not answered is asked again').toEqual(first.heard);
    const run = { id: 'x', status: 'Canceled', experiment: 'e', number: 1, target: 'local', attempt: 1 };
    const { id } = second.heard[0] as { id: string };
    second.tell({ type: 'answer', id, status: 200, body: { run: { ...run, exit_code: null } } });
    await expect.poll(() => (view as HTMLElement).dataset.state).toBe('Canceled');
    await module.render({ model: hold(), el: places[2] });
    expect(places[2].firstElementChild, 'a second view beside the first').not.toBe(view);
    expect(places[1].firstElementChild).toBe(view);
    places[1].remove();
  });
});

describe('a table', () => {
  const drawn = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));

  it('keeps rows, marks and the place of its reader while others come, and folds groups', async () => {
    let ids = ['b', 'a'];
    const opened: string[] = [];
    let marks = 0;
    const table = new VirtualTable({
      label: 'rows',
      id: (row) => ids[row],
      open: (row) => opened.push(ids[row]),
      onmark: () => marks++,
    });
    document.body.append(table.element);
    const draw = async (groupOf: ((row: number) => string) | null = null): Promise<void> => {
      table.update(ids.length, [{ key: 'id', label: 'id', value: (row) => ids[row] }], groupOf);
      await drawn();
    };
    const texts = (): string[] =>
      [...table.element.querySelectorAll('.aml-row')].map((row) => row.textContent!);
    const key = (name: string): void =>
      void table.element
        .querySelector('[role=grid]')!
        .dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
    await draw();
    const row = table.element.querySelectorAll('.aml-row')[1];
    row.querySelector('input')!.click();
    ids = ['c', 'b', 'a'];
    await draw();
    expect(texts()).toEqual(['c', 'b', 'a']);
    expect(table.element.querySelectorAll('.aml-row')[2]).toBe(row);
    expect([...table.marked]).toEqual(['a']);
    expect(row.querySelector('input')!.checked).toBe(true);
    key('Enter');
    expect(opened, 'the cursor stays on the row that was pressed').toEqual(['a']);
    expect(marks).toBe(1);

    const groupOf = (place: number): string => (ids[place] === 'a' ? 'old' : 'new');
    await draw(groupOf);
    expect(texts()).toEqual(['▾ new 2', 'c', 'b', '▾ old 1', 'a']);
    table.element.querySelector<HTMLElement>('.aml-group')!.click();
    await drawn();
    expect(texts()).toEqual(['▸ new 2', '▾ old 1', 'a']);
    ids = ['d', 'c', 'b', 'a'];
    await draw(groupOf);
    expect(texts(), 'what is folded stays folded').toEqual(['▸ new 3', '▾ old 1', 'a']);
    key('ArrowRight');
    await drawn();
    expect(texts()).toEqual(['▾ new 3', 'd', 'c', 'b', '▾ old 1', 'a']);
    table.element.remove();
  });
});
