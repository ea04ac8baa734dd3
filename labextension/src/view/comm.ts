/** Ask the kernel where there is no Jupyter server of ours: VS Code, Colab. A busy kernel answers late, but pushes in time. */

import { AmlEvent, News, Query, Refused, Source } from './source';

/** The part of an anywidget model that is used. */
export interface WidgetModel {
  get(name: string): string;
  send(content: unknown): void;
  on(event: 'msg:custom', listener: (content: unknown) => void): void;
  off(event: 'msg:custom', listener: (content: unknown) => void): void;
}

interface Waiting {
  key: string;
  resolve: (body: unknown) => void;
  reject: (error: Error) => void;
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

export class CommSource implements Source {
  /** Several views of one widget hear the same answers: each knows its own by this. */
  private readonly name = Math.random().toString(36).slice(2);
  private next = 0;
  private readonly waiting = new Map<string, Waiting>();
  /** Answers that came unasked since the last news. */
  private readonly fresh = new Map<string, Record<string, unknown>>();
  private readonly listeners = new Set<(news: News) => void>();
  private readonly take = (content: unknown): void => this.onMessage(content as Answer);

  constructor(private readonly model: WidgetModel) {
    model.on('msg:custom', this.take);
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
      return Promise.resolve(known as T);
    }
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { key, resolve: resolve as (body: unknown) => void, reject });
      setTimeout(() => this.settle(id, 503, { message: 'the kernel does not answer' }), PATIENCE);
      this.model.send({ type: 'ask', id, method, path, query, body });
    });
  }

  private onMessage(answer: Answer): void {
    if (answer.type === 'events') {
      this.fresh.clear();
      this.listeners.forEach((listener) => listener(answer.events ?? []));
    } else if (answer.type === 'answer' && answer.id !== undefined) {
      this.settle(answer.id, answer.status ?? 500, answer.body ?? {});
    } else if (answer.key !== undefined) {
      const asked = [...this.waiting].find(([, waiting]) => waiting.key === answer.key);
      if (asked) {
        this.settle(asked[0], answer.status ?? 500, answer.body ?? {});
      } else {
        this.fresh.set(answer.key, answer.body ?? {});
      }
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
