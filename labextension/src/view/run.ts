/** The run view: header with state and buttons, then metrics, log, outputs, details and children of one run. */

import { WholeRun } from './api';
import { ChildrenView } from './children';
import { DetailsView } from './details';
import { button, copy, fill, h, say, sureButton } from './dom';
import { clockText, durationText, nameOf, progressText, seconds, stateKind, WAITING } from './format';
import { LogView } from './logs';
import { MetricsView } from './metrics';
import { OutputsView } from './outputs';
import { Source } from './source';
import { RunStore } from './store';
import { addStyle } from './style';
import { SweepView } from './sweep';
import { Tabs } from './tabs';
import { t } from './text';

const TICK = 1000;

/** What the host of a view does for it. */
export interface Host {
  /** Show another run; in place of this one where the host has no other place. */
  openRun?: (id: string) => void;
  /** True where the view has a page of its own, not an output among others. */
  isWhole?: boolean;
  /** Called with the run's state whenever it is read. */
  onRun?: (run: WholeRun) => void;
}

interface Tab {
  key: string;
  label: string;
  make: () => { element: HTMLElement; close?: () => void };
}

export class RunView {
  readonly element: HTMLElement;
  private store: RunStore;
  private readonly header = h('div', { class: 'aml-header' });
  private readonly title = h('b', { class: 'aml-title' });
  private readonly state = h('span', { class: 'aml-state', role: 'status' });
  private readonly reason = h('span', { class: 'aml-reason' });
  private readonly facts = h('div', { class: 'aml-faint' });
  private readonly progress = h('progress', { class: 'aml-progress', hidden: true });
  private readonly buttons = this.makeButtons();
  private readonly buttonBar = h(
    'span',
    { class: 'aml-buttons', hidden: true },
    ...Object.values(this.buttons),
  );
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly link = h('div', { class: 'aml-faint aml-link-state' });
  private readonly error = h('div', { class: 'aml-error' });
  private readonly panel = h('div', { class: 'aml-panel' });
  private readonly tabList = new Tabs(t('parts of the run'), this.panel, (key) => this.choose(key));
  private open: { key: string; close?: () => void } | null = null;
  private isChosen = false;
  private timer: ReturnType<typeof setInterval>;
  private unwatch: () => void;
  private readonly back: string[] = [];
  private readonly scrolled = new Map<Element, number>();

  constructor(
    private readonly source: Source,
    id: string,
    private readonly host: Host = {},
  ) {
    addStyle();
    this.header.append(
      h('div', { class: 'aml-head' }, this.title, this.state, this.reason, this.buttonBar),
      this.facts,
      this.progress,
      this.problem,
      this.link,
    );
    this.element = h(
      'div',
      { class: `aml-run${host.isWhole ? ' aml-whole' : ''}` },
      this.header,
      this.error,
      this.tabList.element,
      this.panel,
    );
    this.element.addEventListener(
      'scroll',
      ({ target }) => target instanceof Element && this.scrolled.set(target, target.scrollTop),
      true,
    );
    this.store = this.follow(id);
    this.timer = setInterval(() => this.drawTimes(), TICK);
    this.unwatch = source.watch((connected) => this.drawLink(connected));
  }

  /** Scroll to where one was: a page forgets it of what is taken out of it and put back. */
  comeBack(): void {
    this.scrolled.forEach((top, element) => (element.scrollTop = top));
  }

  /** End what the view does; its element can be thrown away then. */
  close(): void {
    clearInterval(this.timer);
    this.unwatch();
    this.open?.close?.();
    this.store.close();
  }

  private follow(id: string): RunStore {
    const store = new RunStore(this.source, id);
    this.store = store;
    say(this.title, id);
    this.drawTabs();
    store.on('run', () => this.draw());
    store.on('metrics', () => this.drawTabs());
    store.on('problem', () => say(this.problem, store.problem));
    store.start();
    return store;
  }

  /** Show another run in this place. */
  private goTo(id: string): void {
    if (this.host.openRun) {
      this.host.openRun(id);
      return;
    }
    this.back.push(this.store.id);
    this.replace(id);
  }

  private replace(id: string): void {
    this.open?.close?.();
    this.open = null;
    this.isChosen = false;
    this.store.close();
    fill(this.panel);
    fill(this.error);
    this.follow(id);
  }

  private draw(): void {
    const run = this.store.run;
    if (run === null) {
      return;
    }
    this.element.dataset.state = run.status;
    this.element.dataset.run = run.id;
    this.element.className = `aml-run${this.host.isWhole ? ' aml-whole' : ''} aml-edge-${stateKind(run.status)}`;
    say(this.title, nameOf(run));
    this.title.title = run.id;
    say(this.state, run.status);
    this.state.className = `aml-state aml-${stateKind(run.status)}`;
    say(this.reason, reasonOf(run));
    this.drawTimes();
    this.drawProgress(run);
    this.drawButtons(run);
    this.drawError(run);
    this.drawTabs();
    this.host.onRun?.(run);
  }

  private drawTimes(): void {
    const run = this.store.run;
    if (run !== null) {
      say(this.facts, factsOf(run, this.store.final).join(' · '));
    }
  }

  private drawProgress(run: WholeRun): void {
    const total = Number(run.progress?.total ?? 0);
    this.progress.hidden = this.store.final || !(total > 0);
    if (total > 0) {
      this.progress.max = total;
      this.progress.value = Number(run.progress?.done ?? 0);
      this.progress.setAttribute('aria-label', progressText(run.progress, run.status));
    }
  }

  private makeButtons(): Record<string, HTMLButtonElement> {
    return {
      back: button(t('back'), () => this.replace(this.back.pop()!)),
      parent: button(t('parent run'), () => this.goTo(this.store.run!.parent!)),
      cancel: sureButton(
        t('cancel'),
        () => t('really cancel?'),
        () => this.act(() => this.store.cancel()),
      ),
      resubmit: button(t('resubmit'), () => this.act(async () => this.goTo(await this.store.resubmit()))),
      copy: button(t('copy id'), (event) =>
        copy(this.store.id, event.currentTarget as HTMLElement, t('copied')),
      ),
      outputs: button(t('outputs'), () => this.choose('outputs')),
      open: button(t('open'), () => this.host.openRun!(this.store.id)),
    };
  }

  /** Show the buttons that mean something now; they stay the same, so that a press meets what it was meant for. */
  private drawButtons(run: WholeRun): void {
    const { back, parent, cancel, open } = this.buttons;
    back.hidden = this.back.length === 0;
    parent.hidden = run.parent === null || this.back.length > 0;
    cancel.hidden = this.store.final || run.status === 'CancelRequested';
    open.hidden = Boolean(this.host.isWhole) || this.host.openRun === undefined;
    this.buttonBar.hidden = false;
  }

  private async act(what: () => Promise<unknown>): Promise<void> {
    try {
      await what();
      say(this.problem, '');
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }

  private drawError(run: WholeRun): void {
    const message = run.error ? String(run.error.message ?? run.error.type ?? '') : '';
    const path = run.error?.log_path ? String(run.error.log_path) : '';
    if (this.error.dataset.key !== message + path) {
      this.error.dataset.key = message + path;
      fill(
        this.error,
        message && h('div', { class: 'aml-message' }, message),
        path && h('div', { class: 'aml-faint' }, t('log: {0}', path)),
      );
    }
  }

  private drawLink(connected: boolean): void {
    say(this.link, connected ? '' : t('not connected to the Jupyter server; trying again'));
  }

  private tabs(): Tab[] {
    const isParent = this.store.run?.kind === 'hyperdrive' || this.hasChildren;
    const children = {
      key: 'children',
      label: t('child runs'),
      make: () => new ChildrenView(this.store, (id) => this.goTo(id)),
    };
    const sweep = {
      key: 'sweep',
      label: t('sweep'),
      make: () => new SweepView(this.store, (id) => this.goTo(id)),
    };
    return [
      ...(this.store.run?.kind === 'hyperdrive' ? [sweep, children] : []),
      { key: 'overview', label: t('overview'), make: () => new Overview(this.store) },
      {
        key: 'metrics',
        label: t('metrics'),
        make: () => new MetricsView([{ store: this.store }]),
      },
      { key: 'logs', label: t('logs'), make: () => new LogView(this.store) },
      { key: 'outputs', label: t('outputs'), make: () => new OutputsView(this.store) },
      { key: 'details', label: t('details'), make: () => new DetailsView(this.store) },
      ...(isParent && this.store.run?.kind !== 'hyperdrive' ? [children] : []),
    ];
  }

  private get hasChildren(): boolean {
    return (this.store.run?.child_count ?? 0) > 0;
  }

  private drawTabs(): void {
    const tabs = this.tabs();
    if (this.store.run !== null && !this.isChosen && this.open?.key !== tabs[0].key) {
      this.show(tabs[0]);
    }
    this.tabList.show(
      tabs.map((tab) => [tab.key, tab.label]),
      this.open?.key ?? null,
    );
  }

  private choose(key: string): void {
    const tab = this.tabs().find((each) => each.key === key);
    if (tab) {
      this.isChosen = true;
      if (this.open?.key !== key) {
        this.show(tab);
      }
      this.drawTabs();
    }
  }

  private show(tab: Tab): void {
    this.open?.close?.();
    const made = tab.make();
    this.open = { key: tab.key, close: () => made.close?.() };
    this.scrolled.clear();
    fill(this.panel, made.element);
  }
}

/** What an output among others shows first: the metrics small, and the end of the log. */
class Overview {
  readonly element: HTMLElement;
  private readonly metrics: MetricsView;
  private readonly log: LogView;

  constructor(store: RunStore) {
    this.metrics = new MetricsView([{ store }], true);
    this.log = new LogView(store, true);
    this.element = h('div', { class: 'aml-overview' }, this.metrics.element, this.log.element);
  }

  close(): void {
    this.metrics.close();
    this.log.close();
  }
}

function reasonOf(run: WholeRun): string {
  const parts: string[] = [];
  if (run.place_in_line !== null) {
    parts.push(t('no. {0} in line on {1}', run.place_in_line, run.target));
  }
  if (run.reason && !(run.status === 'Failed' && run.error)) {
    parts.push(run.reason);
  }
  return parts.join(', ');
}

function factsOf(run: WholeRun, isFinal: boolean): string[] {
  const started = seconds(run.start_time);
  const queued = seconds(run.queued_time) ?? seconds(run.created_time);
  const now = Date.now() / 1000;
  const facts = [t('{0} no. {1}', run.experiment, run.number), t('on {0}', run.target)];
  if (run.node) {
    facts.push(t('node {0}', run.node));
  }
  if (run.attempt > 1) {
    facts.push(t('attempt {0}', run.attempt));
  }
  if (started !== null) {
    const span = durationText((seconds(run.end_time) ?? now) - started);
    facts.push(isFinal ? t('ran {0}', span) : span);
  } else if (!isFinal && queued !== null && WAITING.has(run.status)) {
    facts.push(t('waiting {0}', durationText(now - queued)));
  }
  if (isFinal && run.end_time) {
    facts.push(t('ended {0}', clockText(seconds(run.end_time))));
  }
  const progress = progressText(run.progress, run.status);
  if (progress) {
    facts.push(progress);
  }
  if (run.exit_code !== null) {
    facts.push(t('exit code {0}', run.exit_code));
  }
  return facts;
}
