/** Follow a workspace's events: one WebSocket while somebody listens, resumed where it broke off. */

import { AmlEvent, News } from './source';

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

interface Message {
  type: 'hello' | 'events' | 'reset';
  seq?: number;
  generation?: string;
  events?: AmlEvent[];
}

export class EventStream {
  private socket: WebSocket | null = null;
  private readonly listeners = new Set<(news: News) => void>();
  private readonly watchers = new Set<(connected: boolean) => void>();
  private position: { seq: number; generation: string } | null = null;
  private connected = false;
  private pause = FIRST_PAUSE;
  private retry: ReturnType<typeof setTimeout> | null = null;

  /** `address` returns the WebSocket's URL without `since` and `generation`. */
  constructor(private readonly address: () => string) {}

  listen(listener: (news: News) => void): () => void {
    this.listeners.add(listener);
    if (this.socket === null && this.retry === null) {
      this.open();
    }
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) {
        this.close();
      }
    };
  }

  watch(listener: (connected: boolean) => void): () => void {
    this.watchers.add(listener);
    listener(this.connected || (this.socket !== null && this.position === null));
    return () => this.watchers.delete(listener);
  }

  private open(): void {
    const url = new URL(this.address());
    if (this.position !== null) {
      url.searchParams.set('since', String(this.position.seq));
      url.searchParams.set('generation', this.position.generation);
    }
    const socket = new WebSocket(url.toString());
    this.socket = socket;
    socket.onmessage = (event) => {
      if (this.socket === socket) {
        this.take(JSON.parse(String(event.data)) as Message);
      }
    };
    socket.onclose = () => {
      if (this.socket === socket) {
        this.lost();
      }
    };
  }

  private take(message: Message): void {
    if (message.type === 'hello') {
      this.pause = FIRST_PAUSE;
      this.position ??= { seq: message.seq ?? 0, generation: message.generation ?? '' };
      this.tell(true);
    } else if (message.type === 'reset') {
      this.position = { seq: message.seq ?? 0, generation: message.generation ?? '' };
      this.announce('reset');
    } else if (message.events?.length && this.position !== null) {
      this.position.seq = message.events[message.events.length - 1].seq;
      this.announce(message.events);
    }
  }

  private lost(): void {
    this.socket = null;
    this.tell(false);
    if (this.listeners.size > 0) {
      this.retry = setTimeout(() => {
        this.retry = null;
        if (this.listeners.size > 0) {
          this.open();
        }
      }, this.pause);
      this.pause = Math.min(LONGEST_PAUSE, this.pause * 2);
    }
  }

  private close(): void {
    const socket = this.socket;
    this.socket = null;
    this.position = null;
    if (this.retry !== null) {
      clearTimeout(this.retry);
      this.retry = null;
    }
    this.connected = false;
    socket?.close();
  }

  private announce(news: News): void {
    for (const listener of [...this.listeners]) {
      listener(news);
    }
  }

  private tell(connected: boolean): void {
    if (connected !== this.connected) {
      this.connected = connected;
    }
    for (const watcher of [...this.watchers]) {
      watcher(connected);
    }
  }
}
