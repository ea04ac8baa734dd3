/** The one small interface between a view and whoever answers it: the Jupyter server, or a kernel where there is none. */

/** A change in a workspace, as the event stream tells it. */
export interface AmlEvent {
  seq: number;
  time: number;
  kind: string;
  subject: string;
  data: Record<string, unknown>;
}

/** What happened: events in order, or `reset` when everything has to be read again. */
export type News = readonly AmlEvent[] | 'reset';

export type Query = Record<string, string | number | boolean | null | undefined>;

/** A refusal, with the server's own words. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly field: string | null = null,
  ) {
    super(message);
  }
}

/** Answers for one workspace; paths are relative to it, their parts encoded. */
export interface Source {
  get<T>(path: string, query?: Query): Promise<T>;
  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** Where a file of a run can be had; null where the host has no address for it. */
  fileUrl(run: string, name: string, download?: boolean): string | null;
  /** Call `listener` with what happens from now on; returns how to stop. */
  listen(listener: (news: News) => void): () => void;
  /** Call `listener` when the connection is lost or back; at once with what it is now. */
  watch(listener: (connected: boolean) => void): () => void;
}

/** Return a path of `parts`, each encoded; null characters and dots are no way out of it. */
export function pathOf(...parts: string[]): string {
  return parts.map(encodeURIComponent).join('/');
}

/** Call `act` soon, but not more often than every `pause` milliseconds. */
export class Coalescer {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last = 0;

  constructor(
    private readonly act: () => void,
    private readonly pause = 120,
  ) {}

  ask(): void {
    if (this.timer === null) {
      const wait = Math.max(0, this.last + this.pause - Date.now());
      this.timer = setTimeout(() => {
        this.timer = null;
        this.last = Date.now();
        this.act();
      }, wait);
    }
  }

  stop(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
    }
    this.timer = null;
  }
}
