import { describe, expect, it } from 'vitest';

import { CommSource, WidgetModel } from '../src/view/comm';
import { News, Refused } from '../src/view/source';
import { RunStore } from '../src/view/store';

/** The front end's side of a widget, as anywidget gives it to a view. */
function model(): WidgetModel & { sent: Record<string, unknown>[]; tell: (content: unknown) => void } {
  const listeners = new Set<(content: unknown) => void>();
  const sent: Record<string, unknown>[] = [];
  return {
    sent,
    tell: (content) => listeners.forEach((listener) => listener(content)),
    get: () => '',
    send: (content) => sent.push(content as Record<string, unknown>),
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
  };
}

describe('a kernel that answers', () => {
  it('is asked by number, and its refusals are raised', async () => {
    const kernel = model();
    const source = new CommSource(kernel);
    const good = source.get('runs/r', { brief: true });
    const bad = source.send('POST', 'runs/r/cancel');
    expect(kernel.sent.map((each) => [each.method, each.path])).toEqual([
      ['GET', 'runs/r'],
      ['POST', 'runs/r/cancel'],
    ]);
    kernel.tell({
      type: 'answer',
      id: kernel.sent[1].id,
      status: 409,
      body: { message: 'it has ended', field: 'run' },
    });
    kernel.tell({ type: 'answer', id: kernel.sent[0].id, status: 200, body: { run: 1 } });
    expect(await good).toEqual({ run: 1 });
    await expect(bad).rejects.toThrow(Refused);
  });

  it('answers unasked while it is busy: what waits for that is served, and what is asked next', async () => {
    const kernel = model();
    const source = new CommSource(kernel);
    const heard: News[] = [];
    source.listen((news) => heard.push(news));
    const waits = source.get('runs/r/logs', { offset: 5, limit: 9 });
    kernel.tell({ type: 'answer', key: 'runs/r/logs?limit=9&offset=5', status: 200, body: { text: 'more' } });
    expect(await waits).toEqual({ text: 'more' });
    kernel.tell({ type: 'answer', key: 'runs/r?brief=true', status: 200, body: { run: 2 } });
    expect(await source.get('runs/r', { brief: true })).toEqual({ run: 2 });
    expect(kernel.sent).toHaveLength(1);
    kernel.tell({ type: 'events', events: [] });
    void source.get('runs/r', { brief: true });
    expect(kernel.sent).toHaveLength(2);
    expect(heard.at(-1)).toEqual([]);
  });

  it('is not asked for what it has told already, however the news of it are mixed', async () => {
    const kernel = model();
    const store = new RunStore(new CommSource(kernel), 'r');
    store.start();
    const states: string[] = [];
    store.on('run', () => states.push(store.run!.status));
    const told = (status: string): unknown => ({
      type: 'answer',
      key: 'runs/r?brief=true',
      status: 200,
      body: { run: { status } },
    });
    const event = { seq: 1, time: 0, kind: 'run.state', subject: 'r', data: {} };
    kernel.tell({ type: 'events', events: [event] });
    kernel.tell(told('CancelRequested')); // computed before the run ended, told after the question was sent
    await expect.poll(() => states).toEqual(['CancelRequested']);
    kernel.tell(told('Canceled')); // without an event: that came before
    kernel.tell({ type: 'events', events: [{ ...event, kind: 'run.artifact' }] });
    await expect.poll(() => states.at(-1)).toBe('Canceled');
    expect(kernel.sent.filter((each) => each.path === 'runs/r')).toHaveLength(0);
    store.close();
  });

  it('keeps the answers of two views of one widget apart', async () => {
    const kernel = model();
    const views = [new CommSource(kernel), new CommSource(kernel)];
    const asked = [views[0].get('runs/r'), views[1].get('runs/r/metrics')];
    kernel.tell({ type: 'answer', id: kernel.sent[1].id, status: 200, body: { metrics: [] } });
    kernel.tell({ type: 'answer', id: kernel.sent[0].id, status: 200, body: { run: 1 } });
    expect(await Promise.all(asked)).toEqual([{ run: 1 }, { metrics: [] }]);
  });
});
