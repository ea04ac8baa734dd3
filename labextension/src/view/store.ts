/** Own what a view knows of one run, and bring it up to date when something happens; a part at a time, never everything. */

import {
  Children,
  ChildrenAnswer,
  FilesAnswer,
  LogAnswer,
  Metric,
  MetricsAnswer,
  RunAnswer,
  RunFile,
  WholeRun,
} from './api';
import { FINAL, WAITING } from './format';
import { AmlEvent, Coalescer, News, pathOf, Refused, Source } from './source';

/** What may have changed. */
export type Part = 'run' | 'metrics' | 'files' | 'children' | 'selected' | 'problem';

const OF_THE_RUN = new Set(['run.state', 'run.progress', 'run.tags', 'run.name', 'run.note']);
const WAITING_PAUSE = 1000;
const AGAIN = 3000;

export class RunStore {
  run: WholeRun | null = null;
  metrics: Metric[] = [];
  files: RunFile[] = [];
  children: Children | null = null;
  /** Stretches of the axes by which children were chosen in a chart, by number of the axis. */
  readonly stretches = new Map<number, [number, number]>();
  /** The children that were chosen so; null for all. */
  selected: ReadonlySet<string> | null = null;
  /** Why the last question had no answer; empty when all is well. */
  problem = '';

  private readonly listeners = new Map<Part, Set<() => void>>();
  private readonly rows = new Map<string, number>();
  private readonly stale = new Set<string>();
  private readonly asked = new Set<Part>();
  private stop: (() => void) | null = null;
  private readonly soon = new Coalescer(() => void this.refresh());
  private readonly inLine = new Coalescer(() => this.ask('run'), WAITING_PAUSE);
  private again: ReturnType<typeof setTimeout> | undefined;
  private wantsChildren = false;

  constructor(
    readonly source: Source,
    readonly id: string,
  ) {}

  /** Begin to follow the run. */
  start(): void {
    this.stop = this.source.listen((news) => this.take(news));
    this.ask('run', 'metrics', 'files');
  }

  /** Stop following it. */
  close(): void {
    this.stop?.();
    this.soon.stop();
    this.inLine.stop();
    clearTimeout(this.again);
    this.listeners.clear();
  }

  /** Call `listener` when `part` has changed. */
  on(part: Part, listener: () => void): void {
    const known = this.listeners.get(part) ?? new Set();
    known.add(listener);
    this.listeners.set(part, known);
  }

  /** Tell whether the run has ended. */
  get final(): boolean {
    return this.run !== null && FINAL.has(this.run.status);
  }

  /** Read the children, and keep them up to date from now on. */
  followChildren(): void {
    if (!this.wantsChildren) {
      this.wantsChildren = true;
      this.ask('children');
    }
  }

  /** Read parts again, soon. */
  ask(...parts: Part[]): void {
    parts.forEach((part) => this.asked.add(part));
    this.soon.ask();
  }

  /** Choose among the children. */
  select(ids: ReadonlySet<string> | null): void {
    if (ids !== this.selected) {
      this.selected = ids;
      this.tell('selected');
    }
  }

  async cancel(): Promise<void> {
    const answer = await this.source.send<RunAnswer>('POST', `${pathOf('runs', this.id)}/cancel`, {
      reason: 'canceled from its view',
    });
    this.run = answer.run;
    this.tell('run');
  }

  async resubmit(): Promise<string> {
    const answer = await this.source.send<RunAnswer>('POST', `${pathOf('runs', this.id)}/resubmit`);
    return answer.run.id;
  }

  /** Return the beginning of a file of the run as text. */
  read(file: string, limit: number): Promise<LogAnswer> {
    return this.source.get<LogAnswer>(`${pathOf('runs', this.id)}/logs`, { file, limit });
  }

  private take(news: News): void {
    if (news === 'reset') {
      this.ask('run', 'metrics', 'files', ...(this.wantsChildren ? (['children'] as const) : []));
      return;
    }
    for (const event of news) {
      if (event.subject === this.id) {
        this.takeOwn(event);
      } else if (this.rows.has(event.subject)) {
        this.takeChild(event);
      } else if (this.wantsChildren && event.kind === 'run.state' && event.data.before === null) {
        this.stale.add(event.subject); // a new run: the server tells whether it is a child of this one
        this.ask('children');
      }
      if (event.kind === 'run.state' && this.run !== null && WAITING.has(this.run.status)) {
        this.inLine.ask();
      }
    }
  }

  private takeOwn(event: AmlEvent): void {
    if (OF_THE_RUN.has(event.kind)) {
      this.ask('run');
      if (event.kind === 'run.state') {
        this.ask('files');
      }
    } else if (event.kind === 'run.metric') {
      this.ask('metrics');
    } else if (event.kind === 'run.artifact') {
      this.ask('files');
    } else if (event.kind === 'run.child' && this.wantsChildren) {
      this.stale.add(String(event.data.child));
      this.ask('children');
    } else if (event.kind === 'run.child') {
      this.ask('run');
    }
  }

  private takeChild(event: AmlEvent): void {
    const row = this.rows.get(event.subject)!;
    if (event.kind === 'run.state' && this.children !== null && !FINAL.has(String(event.data.status))) {
      this.children.status[row] = String(event.data.status);
      this.children.reason[row] = String(event.data.reason ?? '');
      this.tell('children');
    }
    this.stale.add(event.subject);
    this.ask('children');
  }

  private async refresh(): Promise<void> {
    const parts = [...this.asked];
    this.asked.clear();
    const path = pathOf('runs', this.id);
    try {
      await Promise.all(
        parts.map(async (part) => {
          if (part === 'run') {
            this.run = (await this.source.get<RunAnswer>(path, { brief: true })).run;
          } else if (part === 'metrics') {
            this.metrics = (await this.source.get<MetricsAnswer>(`${path}/metrics`)).metrics;
          } else if (part === 'files') {
            this.files = (await this.source.get<FilesAnswer>(`${path}/files`)).files;
          } else if (part === 'children') {
            await this.readChildren(path);
          }
          this.tell(part);
        }),
      );
      this.setProblem('');
    } catch (error) {
      parts.forEach((part) => this.asked.add(part));
      this.setProblem(error instanceof Error ? error.message : String(error));
      if (!(error instanceof Refused && error.status === 404)) {
        this.again = setTimeout(() => this.soon.ask(), AGAIN);
      }
    }
  }

  private async readChildren(path: string): Promise<void> {
    const only = [...this.stale].slice(0, 200);
    const whole = this.children === null || only.length === 0;
    const query = whole ? {} : { run: only.join(',') };
    const { children } = await this.source.get<ChildrenAnswer>(`${path}/children`, query);
    if (whole || this.children === null) {
      this.children = children;
      this.stale.clear();
    } else {
      merge(this.children, children, this.rows);
      only.forEach((id) => this.stale.delete(id));
      if (this.stale.size > 0) {
        this.ask('children');
      }
    }
    this.children.id.forEach((id, row) => this.rows.set(id, row));
  }

  private setProblem(problem: string): void {
    if (problem !== this.problem) {
      this.problem = problem;
      this.tell('problem');
    }
  }

  private tell(part: Part): void {
    this.listeners.get(part)?.forEach((listener) => listener());
  }
}

const COLUMNS = ['id', 'name', 'status', 'reason', 'target', 'created', 'started', 'ended'] as const;

/** Write the rows of `fresh` over those of `table`; new ones come last. */
export function merge(table: Children, fresh: Children, rows: ReadonlyMap<string, number>): void {
  let end = table.id.length;
  const places = fresh.id.map((id) => rows.get(id) ?? end++);
  for (const name of COLUMNS) {
    const column = table[name] as unknown[];
    fresh[name].forEach((value, row) => (column[places[row]] = value));
  }
  for (const kind of ['parameters', 'metrics', 'positions'] as const) {
    for (const [name, values] of Object.entries(fresh[kind])) {
      const column = (table[kind][name] ??= new Array<null>(end).fill(null)) as unknown[];
      values.forEach((value, row) => (column[places[row]] = value));
    }
    for (const column of Object.values(table[kind]) as unknown[][]) {
      while (column.length < end) {
        column.push(null);
      }
    }
  }
}
