import { News, Points, Query, Source } from '../src/view/source';

/** A source that answers from a table, and notes what it is asked. */
export class Answers implements Source {
  asked: string[] = [];
  sent: string[] = [];
  tell: (news: News) => void = () => undefined;
  constructor(readonly answer: (path: string, query: Query) => unknown) {}
  get<T>(path: string, query: Query = {}): Promise<T> {
    this.asked.push(path + (query.run ? `?run=${String(query.run)}` : ''));
    return Promise.resolve(this.answer(path, query) as T);
  }
  send<T>(method: string, path: string): Promise<T> {
    this.sent.push(`${method} ${path}`);
    return Promise.resolve(this.answer(path, {}) as T);
  }
  chart(path: string): Promise<Points> {
    return this.get(path);
  }
  imageUrl(): Promise<string> {
    return Promise.reject(new Error('not here'));
  }
  fileUrl(): null {
    return null;
  }
  listen(listener: (news: News) => void): () => void {
    this.tell = listener;
    return () => undefined;
  }
  watch(): () => void {
    return () => undefined;
  }
}
