/** The run history, live: a page at a time, each row brought up to date by itself. */

import { Experiment, ExperimentsAnswer, Run, RunAnswer, RunsAnswer } from '../view/api';
import { button, h, offer, say, select, tick } from '../view/dom';
import {
  clockText,
  durationText,
  FINAL,
  nameOf,
  numberText,
  progressText,
  seconds,
  stateKind,
} from '../view/format';
import { Column } from '../view/order';
import { AmlEvent, Coalescer, News, pathOf, Source } from '../view/source';
import { VirtualTable } from '../view/table';
import { t } from '../view/text';

const PAGE = 100;
const METRICS = 6;
const NEWS = new Set(['run.state', 'run.progress', 'run.tags', 'run.name', 'run.metric']);

export interface RunsHost {
  open: (id: string) => void;
  compare: (ids: string[]) => void;
}

export class RunsPanel {
  readonly element: HTMLElement;
  private runs: Run[] = [];
  private next: number | null = null;
  private readonly table: VirtualTable;
  private readonly experiments = select(t('experiment'), [['', t('every experiment')]], '', (experiment) =>
    this.choose({ experiment }),
  );
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly more: HTMLButtonElement;
  private readonly compare: HTMLButtonElement;
  private readonly filter = { experiment: '', status: '', children: false };
  private readonly stale = new Set<string>();
  private isListStale = false;
  private readonly soon = new Coalescer(() => void this.refresh(), 300);
  private readonly stop: () => void;
  private readonly timer: ReturnType<typeof setInterval>;
  private isGrouped = false;
  private turn = 0;

  constructor(
    private readonly source: Source,
    host: RunsHost,
  ) {
    this.table = new VirtualTable({
      label: t('runs'),
      open: (row) => host.open(this.runs[row].id),
      empty: t('no runs; submit one from a notebook: %%aml_submit'),
      height: 560,
      id: (row) => this.runs[row].id,
      onmark: () => this.drawButtons(),
    });
    this.more = button(t('older runs'), () => this.readMore());
    this.compare = button(t('compare'), () => host.compare(this.marked()));
    this.element = h(
      'div',
      { class: 'aml-runs' },
      this.bar(),
      this.problem,
      this.table.element,
      h('div', { class: 'aml-bar' }, this.more, this.compare),
    );
    this.stop = source.listen((news) => this.take(news));
    this.timer = setInterval(() => this.runs.some((run) => !FINAL.has(run.status)) && this.draw(), 5000);
    void this.read();
    void this.readExperiments();
  }

  close(): void {
    this.stop();
    this.soon.stop();
    clearInterval(this.timer);
    this.turn++;
  }

  private bar(): HTMLElement {
    const search = h('input', {
      type: 'search',
      class: 'aml-input',
      placeholder: t('search'),
      'aria-label': t('search runs'),
    });
    search.addEventListener('input', () => this.table.setFilter(search.value));
    const states: [string, string][] = [
      ['', t('every state')],
      [
        'NotStarted,Queued,Preparing,Provisioning,Starting,Running,Finalizing,CancelRequested,NotResponding,Paused',
        t('open'),
      ],
      ...['Queued', 'Running', 'Completed', 'Failed', 'Canceled'].map((state): [string, string] => [
        state,
        state,
      ]),
    ];
    return h(
      'div',
      { class: 'aml-bar' },
      this.experiments,
      select(t('state'), states, '', (status) => this.choose({ status })),
      search,
      tick(t('by experiment'), false, (on) => {
        this.isGrouped = on;
        this.draw();
      }),
      tick(t('child runs, too'), false, (children) => this.choose({ children })),
    );
  }

  private choose(filter: Partial<typeof this.filter>): void {
    Object.assign(this.filter, filter);
    void this.read();
  }

  private async readExperiments(): Promise<void> {
    const answer = await this.source.get<ExperimentsAnswer>('experiments').catch(() => null);
    const known: Experiment[] = answer?.experiments ?? [];
    const choices = known.map((each) => [each.name, `${each.name} (${each.run_count})`] as const);
    offer(this.experiments, [['', t('every experiment')], ...choices], this.filter.experiment);
  }

  private query(): Record<string, string | number | boolean | null> {
    const { experiment, status, children } = this.filter;
    return { limit: PAGE, experiment, status, children: children || null };
  }

  private async read(): Promise<void> {
    const turn = ++this.turn;
    try {
      const answer = await this.source.get<RunsAnswer>('runs', this.query());
      if (turn === this.turn) {
        this.runs = answer.runs;
        this.next = answer.next;
        this.draw();
        say(this.problem, '');
      }
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }

  private async readMore(): Promise<void> {
    if (this.next !== null) {
      const answer = await this.source.get<RunsAnswer>('runs', { ...this.query(), before: this.next });
      this.next = answer.next;
      this.runs.push(...answer.runs);
      this.draw();
    }
  }

  private take(news: News): void {
    if (news === 'reset') {
      void this.read();
      return;
    }
    news.filter((event) => NEWS.has(event.kind)).forEach((event) => this.takeOne(event));
    this.soon.ask();
  }

  private takeOne(event: AmlEvent): void {
    const run = this.runs.find((each) => each.id === event.subject);
    if (run === undefined) {
      this.isListStale ||= event.kind === 'run.state';
      return;
    }
    if (event.kind === 'run.state') {
      run.status = String(event.data.status);
      run.reason = String(event.data.reason ?? '');
    }
    this.stale.add(run.id);
  }

  /** Read the newest runs where there may be new ones, and those that have changed. */
  private async refresh(): Promise<void> {
    const changed = [...this.stale].slice(0, 20);
    changed.forEach((id) => this.stale.delete(id));
    const turn = this.turn;
    try {
      const fresh = await Promise.all(
        changed.map((id) =>
          this.source.get<RunAnswer>(pathOf('runs', id), { brief: true }).then(({ run }): Run => run),
        ),
      );
      if (this.isListStale) {
        this.isListStale = false;
        const { runs } = await this.source.get<RunsAnswer>('runs', { ...this.query(), limit: 20 });
        fresh.push(...runs);
        void this.readExperiments();
      }
      if (turn === this.turn) {
        this.merge(fresh);
      }
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
    if (this.stale.size > 0) {
      this.soon.ask();
    }
  }

  private merge(fresh: Run[]): void {
    for (const run of fresh) {
      const place = this.runs.findIndex((each) => each.id === run.id);
      if (place < 0) {
        this.runs.push(run);
      } else {
        const metrics = Object.keys(run.metrics).length ? run.metrics : this.runs[place].metrics;
        this.runs[place] = { ...run, metrics };
      }
    }
    this.runs.sort((a, b) => b.seq - a.seq);
    this.draw();
  }

  private marked(): string[] {
    return this.runs.filter((run) => this.table.marked.has(run.id)).map((run) => run.id);
  }

  private draw(): void {
    const groupOf = this.isGrouped ? (row: number): string => this.runs[row].experiment : null;
    this.table.update(this.runs.length, this.columns(), groupOf);
    this.drawButtons();
  }

  private drawButtons(): void {
    this.more.hidden = this.next === null;
    const count = this.marked().length;
    this.compare.disabled = count < 2;
    say(this.compare, count < 2 ? t('compare: mark two runs or more') : t('compare {0} runs', count));
  }

  private columns(): Column[] {
    const at = (row: number): Run => this.runs[row];
    const isNarrow = this.element.clientWidth < 560;
    const experiment: Column = {
      key: 'experiment',
      label: t('experiment'),
      value: (row) => at(row).experiment,
      width: 90,
    };
    return [
      {
        key: 'status',
        label: t('state'),
        value: (row) => at(row).status,
        show: (row) =>
          h(
            'span',
            { class: `aml-${stateKind(at(row).status)}`, title: saidOf(at(row)) },
            stateText(at(row)),
          ),
        width: 86,
      },
      {
        key: 'name',
        label: t('name'),
        value: (row) => nameOf(at(row), `${at(row).experiment} ${at(row).number}`),
        width: 110,
      },
      ...(this.isGrouped ? [] : [experiment]),
      { key: 'target', label: t('target'), value: (row) => at(row).target, width: 74, hidden: isNarrow },
      {
        key: 'took',
        label: t('took'),
        value: (row) => tookOf(at(row)),
        show: (row) => (tookOf(at(row)) === null ? '' : durationText(tookOf(at(row))!)),
        right: true,
        width: 76,
      },
      ...(isNarrow ? [] : this.metricColumns()),
      {
        key: 'created',
        label: t('created'),
        value: (row) => at(row).created_time,
        show: (row) => clockText(seconds(at(row).created_time)),
        width: 70,
        hidden: isNarrow,
      },
      { key: 'id', label: t('run id'), value: (row) => at(row).id, width: 150, hidden: isNarrow },
    ];
  }

  private metricColumns(): Column[] {
    const counts = new Map<string, number>();
    this.runs.forEach((run) =>
      Object.entries(run.metrics).forEach(([name, value]) => {
        if (typeof lastOf(value) === 'number') {
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
      }),
    );
    const names = [...counts]
      .sort((a, b) => b[1] - a[1])
      .slice(0, METRICS)
      .map(([name]) => name);
    return names.map((name): Column => {
      const value = (row: number): unknown => lastOf(this.runs[row].metrics[name]);
      return {
        key: `m ${name}`,
        label: name,
        value,
        show: (row) => numberText(value(row), 5),
        right: true,
        width: 84,
      };
    });
  }
}

function stateText(run: Run): string {
  const progress = FINAL.has(run.status) ? '' : progressText(run.progress, run.status);
  return progress ? `${run.status}, ${progress}` : run.status;
}

function saidOf(run: Run): string {
  return String(run.error?.message ?? run.reason ?? '') || run.status;
}

function tookOf(run: Run): number | null {
  const started = seconds(run.start_time);
  if (started === null) {
    return null;
  }
  return (seconds(run.end_time) ?? Date.now() / 1000) - started;
}

/** Return the last value of a metric in SDK v1's shape; null for what is no number. */
function lastOf(value: unknown): unknown {
  const last = Array.isArray(value) ? value[value.length - 1] : value;
  if (last && typeof last === 'object') {
    return (last as Record<string, unknown>).last ?? null;
  }
  return typeof last === 'number' || typeof last === 'string' ? last : null;
}
