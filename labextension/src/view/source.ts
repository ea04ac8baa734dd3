/** The one small interface between a view and whoever answers it: the Jupyter server, or a kernel where there is none. */

import { Metric } from './api';

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

/** The points of a metric, as they are drawn. */
export interface Points {
  metric: Metric;
  x: Float64Array;
  y: Float64Array;
  low: Float64Array;
  high: Float64Array;
  time: Float64Array;
  /** How many points the series has; a chart may have fewer. */
  count: number;
}

/** What the head of a chart's numbers says (`jupyter/server/series.py`). */
export interface ChartHead {
  metric: Metric;
  chart: { count: number; length: number; columns: ('x' | 'y' | 'low' | 'high' | 'time')[] };
}

/** Return the points whose numbers are `data`. */
export function pointsOf({ metric, chart }: ChartHead, data: ArrayBuffer): Points {
  const none = new Float64Array();
  const points: Points = { metric, count: chart.count, x: none, y: none, low: none, high: none, time: none };
  chart.columns.forEach((name, place) => {
    points[name] = new Float64Array(data, 8 * place * chart.length, chart.length);
  });
  return points;
}

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
  /** Return a chart's points; they come as numbers, not as text. */
  chart(path: string, query: Query): Promise<Points>;
  /** Return an address for an image element that shows a picture of a run. */
  imageUrl(run: string, name: string): Promise<string>;
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
