/** The run view: header with state and buttons, then metrics, log, outputs, details and children of one run. */

import { WholeRun } from './api';
import { ChildrenView } from './children';
import { DetailsView } from './details';
import { button, copy, fill, h, say } from './dom';
import { clockText, durationText, progressText, seconds, stateKind, WAITING } from './format';
import { LogView } from './logs';
import { MetricsView } from './metrics';
import { OutputsView } from './outputs';
import { Source } from './source';
import { RunStore } from './store';
import { addStyle } from './style';
import { SweepView } from './sweep';
import { t } from './text';

const TICK = 1000;
const SURE = 4000;

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
  private readonly buttons = h('span', { class: 'aml-buttons' });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly link = h('div', { class: 'aml-faint aml-link-state' });
  private readonly error = h('div', { class: 'aml-error' });
  private readonly tabList = h('div', { class: 'aml-tabs', role: 'tablist' });
  private readonly panel = h('div', { class: 'aml-panel', role: 'tabpanel' });
  private open: { key: string; close?: () => void } | null = null;
  private isChosen = false;
  private timer: ReturnType<typeof setInterval>;
  private unwatch: () => void;
  private readonly back: string[] = [];

  constructor(
    private readonly source: Source,
    id: string,
    private readonly host: Host = {},
  ) {
    addStyle();
    this.header.append(
      h('div', { class: 'aml-head' }, this.title, this.state, this.reason, this.buttons),
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
      this.tabList,
      this.panel,
    );
    this.store = this.follow(id);
    this.timer = setInterval(() => this.drawTimes(), TICK);
    this.unwatch = source.watch((connected) => this.drawLink(connected));
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
    const isNamed = run.display_name && run.display_name !== `run_${run.id}`;
    say(this.title, isNamed ? run.display_name : run.id);
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

  private drawButtons(run: WholeRun): void {
    const key = `${run.status} ${this.back.length} ${run.parent ?? ''}`;
    if (this.buttons.dataset.key === key) {
      return;
    }
    this.buttons.dataset.key = key;
    const isOpen = !this.store.final && run.status !== 'CancelRequested';
    fill(
      this.buttons,
      this.back.length > 0 && button(t('back'), () => this.replace(this.back.pop()!)),
      run.parent !== null && this.back.length === 0 && button(t('parent run'), () => this.goTo(run.parent!)),
      isOpen && sureButton(t('cancel'), t('really cancel?'), () => this.act(() => this.store.cancel())),
      button(t('resubmit'), () => this.act(async () => this.goTo(await this.store.resubmit()))),
      button(t('copy id'), (event) => copy(run.id, event.currentTarget as HTMLElement, t('copied'))),
      button(t('outputs'), () => this.choose('outputs')),
      !this.host.isWhole &&
        this.host.openRun !== undefined &&
        button(t('open'), () => this.host.openRun!(run.id)),
    );
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
    const sweep = { key: 'sweep', label: t('sweep'), make: () => new SweepView(this.store) };
    return [
      ...(this.store.run?.kind === 'hyperdrive' ? [sweep, children] : []),
      { key: 'overview', label: t('overview'), make: () => new Overview(this.store) },
      {
        key: 'metrics',
        label: t('metrics'),
        make: () => new MetricsView([{ store: this.store, label: '' }]),
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
    const key = `${tabs.map((tab) => tab.key).join(' ')} ${this.open?.key ?? ''}`;
    if (this.tabList.dataset.key === key) {
      return;
    }
    this.tabList.dataset.key = key;
    const hadFocus = this.tabList.contains(document.activeElement);
    const made = tabs.map((tab, place) => {
      const isOpen = tab.key === this.open?.key;
      const made = h(
        'button',
        {
          type: 'button',
          role: 'tab',
          class: 'aml-tab',
          'aria-selected': isOpen ? 'true' : 'false',
          tabindex: isOpen ? 0 : -1,
          'data-tab': tab.key,
        },
        tab.label,
      );
      made.addEventListener('click', () => this.choose(tab.key));
      made.addEventListener('keydown', (event) => this.walk(event, tabs, place));
      return made;
    });
    fill(this.tabList, ...made);
    if (hadFocus) {
      this.tabList.querySelector<HTMLElement>('[aria-selected=true]')?.focus();
    }
  }

  private walk(event: KeyboardEvent, tabs: Tab[], place: number): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step) {
      event.preventDefault();
      event.stopPropagation();
      this.choose(tabs[(place + step + tabs.length) % tabs.length].key);
    }
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
    this.panel.setAttribute('aria-label', tab.label);
    fill(this.panel, made.element);
  }
}

/** What an output among others shows first: the metrics small, and the end of the log. */
class Overview {
  readonly element: HTMLElement;
  private readonly metrics: MetricsView;
  private readonly log: LogView;

  constructor(store: RunStore) {
    this.metrics = new MetricsView([{ store, label: '' }], true);
    this.log = new LogView(store, true);
    this.element = h('div', { class: 'aml-overview' }, this.metrics.element, this.log.element);
  }

  close(): void {
    this.metrics.close();
    this.log.close();
  }
}

/** Return a button that asks once more before it acts. */
function sureButton(label: string, question: string, act: () => Promise<void>): HTMLButtonElement {
  let isAsking = false;
  const made = button(label, () => {
    if (isAsking) {
      return act();
    }
    isAsking = true;
    made.textContent = question;
    made.classList.add('aml-sure');
    setTimeout(() => {
      isAsking = false;
      made.textContent = label;
      made.classList.remove('aml-sure');
    }, SURE);
    return undefined;
  });
  return made;
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
