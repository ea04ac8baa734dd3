import { describe, expect, it, vi } from 'vitest';

import { RunStore } from '../src/view/store';
import { Answers } from './answers';

function children(ids: string[], status = 'Running'): unknown {
  const each = <T>(value: T): T[] => ids.map(() => value);
  return {
    children: {
      id: ids,
      name: ids,
      status: each(status),
      reason: each(''),
      target: each('local'),
      created: each(1),
      started: each(1),
      ended: each(null),
      parameters: {},
      positions: {},
      metrics: {},
      metric: null,
      goal: null,
    },
  };
}

describe('what is known of a run', () => {
  it('takes up children that a sweep starts, one by one, and asks for nothing else', async () => {
    vi.useFakeTimers();
    const source = new Answers((path, query) => {
      if (path.endsWith('/children')) {
        return children(
          String(query.run ?? '')
            .split(',')
            .filter((id) => id.startsWith('hd_')),
          query.run ? 'Queued' : 'Running',
        );
      }
      return path.endsWith('/metrics')
        ? { metrics: [] }
        : path.endsWith('/files')
          ? { files: [] }
          : { run: { status: 'Running' } };
    });
    const store = new RunStore(source, 'hd');
    store.start();
    store.followChildren();
    await vi.advanceTimersByTimeAsync(300);
    source.asked = [];
    const event = (subject: string, before: string | null, status: string): News => [
      { seq: 1, time: 0, kind: 'run.state', subject, data: { before, status } },
    ];
    source.tell(event('hd_0', null, 'Queued'));
    source.tell(event('other', null, 'Queued'));
    await vi.advanceTimersByTimeAsync(300);
    expect(source.asked).toEqual(['runs/hd/children?run=hd_0,other']);
    expect(store.children!.id).toEqual(['hd_0']);
    source.asked = [];
    source.tell(event('hd_0', 'Queued', 'Running'));
    expect(store.children!.status).toEqual(['Running']);
    source.tell(event('unknown', 'Queued', 'Running'));
    await vi.advanceTimersByTimeAsync(300);
    expect(source.asked).toEqual(['runs/hd/children?run=hd_0']);
    store.close();
    vi.useRealTimers();
  });
});
