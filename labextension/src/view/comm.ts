/** Ask the kernel where there is no Jupyter server of ours: VS Code, Colab. A busy kernel answers late, but pushes in time. */

import { AmlEvent, ChartHead, News, pathOf, Points, pointsOf, Query, Refused, Source } from './source';

type Listener = (content: unknown, buffers?: DataView[]) => void;

/** The part of an anywidget model that is used. */
export interface WidgetModel {
  get(name: string): string;
  send(content: unknown): void;
  on(event: 'msg:custom', listener: Listener): void;
  off(event: 'msg:custom', listener: Listener): void;
}

interface Waiting {
  key: string;
  question: { method: string };
  resolve: (body: unknown) => void;
  reject: (error: Error) => void;
}

interface Fresh {
  body: Record<string, unknown>;
  at: number;
}

interface Answer {
  type: 'answer' | 'events';
  id?: string;
  key?: string;
  status?: number;
  body?: Record<string, unknown>;
  events?: AmlEvent[];
}

const PATIENCE = 60_000;
/** Milliseconds after which nobody wants to know any more what was told unasked. */
const KEPT = 30_000;
/** What has happened, if the answer at such a path of a run is another one. */
const NEWS: Record<string, string> = { '': 'run.progress', metrics: 'run.metric', files: 'run.artifact' };

export class CommSource implements Source {
  /** Several views of one widget hear the same answers: each knows its own by this. */
  private readonly name = Math.random().toString(36).slice(2);
  private next = 0;
  private readonly waiting = new Map<string, Waiting>();
  /** Answers that came unasked, and are the newest there are: the kernel tells another one as soon as there is one. */
  private readonly fresh = new Map<string, Fresh>();
  private readonly listeners = new Set<(news: News) => void>();
  private readonly take: Listener = (content, buffers) => this.onMessage(content as Answer, buffers?.[0]);

  constructor(private model: WidgetModel) {
    model.on('msg:custom', this.take);
  }

  /** Go on with another hold on the same widget: the front end gives one to each output, and takes it back with that. */
  attach(model: WidgetModel): void {
    this.model.off('msg:custom', this.take);
    this.model = model;
    model.on('msg:custom', this.take);
    for (const { question } of this.waiting.values()) {
      if (question.method === 'GET') {
        model.send(question); // the answer may have come in between
      }
    }
    this.listeners.forEach((listener) => listener('reset'));
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    const given = Object.entries(query).filter(
      ([, value]) => value !== null && value !== undefined && value !== '',
    );
    return this.ask(
      'GET',
      path,
      Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
      null,
    );
  }

  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
    return this.ask(method, path, {}, body ?? {});
  }

  async chart(path: string, query: Query): Promise<Points> {
    const answer = await this.get<ChartHead & { binary: ArrayBuffer }>(path, { ...query, binary: true });
    return pointsOf(answer, answer.binary);
  }

  async imageUrl(run: string, name: string): Promise<string> {
    const path = `${pathOf('runs', run, 'files')}/${name.split('/').map(encodeURIComponent).join('/')}`;
    const { binary, type } = await this.get<{ binary: ArrayBuffer; type: string }>(path);
    return URL.createObjectURL(new Blob([binary], { type }));
  }

  fileUrl(): null {
    return null;
  }

  listen(listener: (news: News) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) {
        this.model.off('msg:custom', this.take);
      }
    };
  }

  watch(listener: (connected: boolean) => void): () => void {
    listener(true);
    return () => undefined;
  }

  private ask<T>(method: string, path: string, query: Record<string, string>, body: unknown): Promise<T> {
    const id = `${this.name} ${this.next++}`;
    const key = keyOf(path, query);
    const known = method === 'GET' ? this.fresh.get(key) : undefined;
    if (known !== undefined) {
      this.fresh.delete(key);
      return Promise.resolve(known.body as T);
    }
    return new Promise<T>((resolve, reject) => {
      const question = { type: 'ask', id, method, path, query, body };
      this.waiting.set(id, { key, question, resolve: resolve as (body: unknown) => void, reject });
      setTimeout(() => this.settle(id, 503, { message: 'the kernel does not answer' }), PATIENCE);
      this.model.send(question);
    });
  }

  private onMessage(answer: Answer, data?: DataView): void {
    if (data && answer.body) {
      answer.body.binary = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    }
    if (answer.type === 'events') {
      const old = [...this.fresh].filter(([, { at }]) => Date.now() - at > KEPT);
      old.forEach(([key]) => this.fresh.delete(key));
      this.listeners.forEach((listener) => listener(answer.events ?? []));
    } else if (answer.type === 'answer' && answer.id !== undefined) {
      this.settle(answer.id, answer.status ?? 500, answer.body ?? {});
    } else if (answer.key !== undefined) {
      const asked = [...this.waiting].find(([, waiting]) => waiting.key === answer.key);
      if (asked) {
        this.settle(asked[0], answer.status ?? 500, answer.body ?? {});
      } else {
        this.fresh.set(answer.key, { body: answer.body ?? {}, at: Date.now() });
        this.announce(answer.key);
      }
    }
  }

  /** Let the views ask for what was told unasked: what they have seen is older. */
  private announce(key: string): void {
    const [, run, part] = /^runs\/([^/?]+)\/?([a-z]*)\?/.exec(key) ?? [];
    if (run && part in NEWS) {
      const event = { seq: 0, time: 0, kind: NEWS[part], subject: decodeURIComponent(run), data: {} };
      this.listeners.forEach((listener) => listener([event]));
    }
  }

  private settle(id: string, status: number, body: Record<string, unknown>): void {
    const asked = this.waiting.get(id);
    this.waiting.delete(id);
    if (status < 400) {
      asked?.resolve(body);
    } else {
      asked?.reject(new Refused(String(body.message), status, (body.field as string | null) ?? null));
    }
  }
}

/** Return the text by which both sides know a question. */
function keyOf(path: string, query: Record<string, string>): string {
  const given = Object.keys(query).sort();
  return `${path}?${given.map((name) => `${name}=${query[name]}`).join('&')}`;
}
