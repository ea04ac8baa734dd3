import { beforeAll, describe, expect, it, vi } from 'vitest';

import { factsOf } from '../src/panel/compute_facts';
import { nameProblem } from '../src/panel/form';
import { WholeTarget } from '../src/view/api';
import { AmlEvent, News } from '../src/view/source';
import { EventStream } from '../src/view/stream';

describe('a name of a target', () => {
  it('is judged as the server does', () => {
    expect(nameProblem('gpu-box', [])).toBe('');
    expect(nameProblem('a', [])).toContain('3 to 24');
    expect(nameProblem('1box', [])).toContain('letter first');
    expect(nameProblem('box-', [])).toContain('each -');
    expect(nameProblem('bo--x', [])).toContain('each -');
    expect(nameProblem('Local', [])).toContain('reserved');
    expect(nameProblem('GPU-box', ['gpu-BOX'])).toContain('there is');
  });
});

describe('the facts of a target', () => {
  const said = (settings: Record<string, unknown>, machine: unknown = null): string =>
    factsOf(
      { name: 'box', type: 'x', settings, machine, slots: null, problems: [] } as unknown as WholeTarget,
      undefined,
    ).textContent;

  it('say how one gets to a machine', () => {
    const far = said({ address: 'box.example.org:2222', username: 'ml' });
    expect(far).toContain('ssh -p 2222 ml@box.example.org');
    expect(far).toContain('scp -P 2222 FILE ml@box.example.org:');
    const host = { host: 'here', cores: 2, memory: 1, gpus: 0 };
    expect(said({ ssh_public_access: true }, host)).toContain('scp FILE here:');
    expect(said({}, host)).not.toContain('ssh');
  });
});

describe('charts', () => {
  beforeAll(() => {
    vi.stubGlobal('matchMedia', () => ({
      matches: false,
      addEventListener: () => undefined,
      addListener: () => undefined,
    }));
  });

  it('want points by ascending x, the last of several with one x', async () => {
    const { inOrder, numbers, smoothed } = await import('../src/view/chart');
    expect(inOrder([2, 1, 2, null], [[20, 10, 21, 99]])).toEqual([
      [1, 2],
      [10, 21],
    ]);
    expect(numbers([1, 'NaN', null])).toEqual([1, null, null]);
    expect(smoothed([4, null, 4], 0.5)).toEqual([4, null, 4]);
  });
});

class Socket {
  static all: Socket[] = [];
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly url: string) {
    Socket.all.push(this);
  }
  close(): void {
    this.onclose?.();
  }
  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

describe('the event stream', () => {
  it('goes on where it broke off, and passes a reset on', () => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', Socket);
    const heard: News[] = [];
    const stream = new EventStream(() => 'ws://host/events');
    const stop = stream.listen((news) => heard.push(news));
    const event = (seq: number): AmlEvent => ({ seq, time: 0, kind: 'run.state', subject: 'r', data: {} });
    Socket.all[0].say({ type: 'hello', seq: 5, generation: 'g' });
    Socket.all[0].say({ type: 'events', events: [event(6), event(7)] });
    Socket.all[0].close();
    vi.advanceTimersByTime(600);
    expect(Socket.all[1].url).toBe('ws://host/events?since=7&generation=g');
    Socket.all[1].say({ type: 'hello', seq: 9, generation: 'g' });
    Socket.all[1].say({ type: 'events', events: [event(8), event(9)] });
    Socket.all[1].say({ type: 'reset', seq: 2, generation: 'h' });
    expect(heard.flat()).toEqual([event(6), event(7), event(8), event(9), 'reset']);
    stop();
    vi.advanceTimersByTime(60_000);
    expect(Socket.all).toHaveLength(2);
    vi.useRealTimers();
  });
});
