/** Show what a run was told to do: configuration, arguments, environment with its lock, snapshot, git, and its timeline. */

import { DetailsAnswer, RunsAnswer, SnapshotAnswer, WholeRun } from './api';
import { Child, fill, h, renew, select } from './dom';
import { clockText, durationText, numberText, seconds, sizeText } from './format';
import { pathOf } from './source';
import { RunStore } from './store';
import { t } from './text';

export class DetailsView {
  readonly element: HTMLElement;
  private readonly facts = h('div');
  private readonly timeline = h('div');
  private readonly snapshot = h('div');
  private readonly configuration = h('div');
  private snapshotShown = '';

  constructor(private readonly store: RunStore) {
    this.element = h(
      'div',
      { class: 'aml-details' },
      this.facts,
      this.timeline,
      this.configuration,
      this.snapshot,
    );
    store.on('run', () => this.draw());
    this.draw();
    void this.readConfiguration();
  }

  private draw(): void {
    const run = this.store.run;
    if (run === null) {
      return;
    }
    renew(this.facts, section(t('run'), factsOf(run)));
    renew(this.timeline, section(t('timeline'), timelineOf(run)));
    if (run.snapshot && run.snapshot !== this.snapshotShown) {
      this.snapshotShown = run.snapshot;
      void this.readSnapshot(null);
    }
  }

  private async readConfiguration(): Promise<void> {
    const answer = await this.store.source
      .get<DetailsAnswer>(`${pathOf('runs', this.store.id)}/details`)
      .catch(() => null);
    if (answer === null) {
      return;
    }
    fill(
      this.configuration,
      answer.environment_lock &&
        folded(t('lock of its environment'), h('pre', { class: 'aml-text' }, answer.environment_lock)),
      folded(t('configuration'), h('pre', { class: 'aml-text' }, JSON.stringify(answer.definition, null, 2))),
    );
  }

  private async readSnapshot(other: string | null): Promise<void> {
    const path = `${pathOf('runs', this.store.id)}/snapshot`;
    try {
      const answer = await this.store.source.get<SnapshotAnswer>(path, { other });
      const runs = await this.store.source.get<RunsAnswer>('runs', {
        experiment: this.store.run?.experiment,
        limit: 50,
      });
      const choices = runs.runs
        .filter((run) => run.id !== this.store.id && run.snapshot)
        .map((run) => [run.id, `${run.number}: ${run.display_name || run.id}`] as const);
      const choose = select(
        t('compare with'),
        [['', t('difference to ...')], ...choices],
        other ?? '',
        (value) => void this.readSnapshot(value || null),
      );
      const names = other === null ? filesOf(answer) : differenceOf(answer);
      fill(this.snapshot, folded(t('snapshot: {0} files', answer.total), choose, ...names));
      (this.snapshot.firstElementChild as HTMLDetailsElement).open = other !== null;
    } catch (error) {
      fill(this.snapshot, h('div', { class: 'aml-faint' }, (error as Error).message));
    }
  }
}

function factsOf(run: WholeRun): HTMLElement {
  const facts: [string, Child][] = [
    [t('run id'), run.id],
    [t('experiment'), `${run.experiment} ${run.number}`],
    [t('kind'), run.kind],
    [t('parent'), run.parent],
    [t('target'), run.target],
    [t('script'), run.script],
    [t('command'), Array.isArray(run.command) ? run.command.join(' ') : run.command],
    [t('arguments'), run.arguments.join(' ')],
    [t('source directory'), run.source_directory],
    [t('Python'), run.python],
    [t('cores'), run.cores > 1 ? run.cores : null],
    [t('GPUs'), run.gpus ? `${run.gpus} ${run.gpu_list.join(', ')}` : null],
    [t('memory'), run.memory ? sizeText(run.memory) : null],
    [t('exit code'), run.exit_code],
    [t('peak memory'), peakOf(run)],
    ...Object.entries(run.parameters).map(([name, value]): [string, Child] => [name, numberText(value)]),
    ...Object.entries(run.tags).map(([name, value]): [string, Child] => [t('tag {0}', name), value || '✓']),
    ...Object.entries(run.properties).map(([name, value]): [string, Child] => [name, value]),
  ];
  const rows = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return h(
    'table',
    { class: 'aml-facts' },
    ...rows.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value))),
  );
}

function peakOf(run: WholeRun): string | null {
  const peak = run.attempts[run.attempts.length - 1]?.peak_memory;
  return peak ? sizeText(peak) : null;
}

function timelineOf(run: WholeRun): HTMLElement {
  const rows = run.timeline.map((change, place) => {
    const next = seconds(run.timeline[place + 1]?.time ?? null);
    const time = seconds(change.time);
    const lasted = next !== null && time !== null ? durationText(next - time) : '';
    const attempt = change.attempt > 1 ? ` (${t('attempt {0}', change.attempt)})` : '';
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, clockText(time, true)),
      h('td', {}, change.after + attempt),
      h('td', { class: 'aml-faint' }, lasted),
      h('td', { class: 'aml-faint' }, change.reason),
    );
  });
  return h('table', { class: 'aml-facts' }, ...rows);
}

function filesOf(answer: SnapshotAnswer): HTMLElement[] {
  const rows = answer.files.map((file) =>
    h(
      'div',
      { class: 'aml-file' },
      h('span', { class: 'aml-name' }, file.name),
      h('span', { class: 'aml-faint' }, sizeText(file.size)),
    ),
  );
  const rest = answer.total - answer.files.length;
  return [
    h(
      'div',
      { class: 'aml-scroll', tabindex: '0' },
      ...rows,
      rest > 0 && h('div', { class: 'aml-faint' }, t('and {0} more', rest)),
    ),
  ];
}

function differenceOf(answer: SnapshotAnswer): HTMLElement[] {
  const lines = (mark: string, names: string[]): HTMLElement[] =>
    names.map((name) => h('div', { class: 'aml-file' }, `${mark} ${name}`));
  const all = [...lines('+', answer.added), ...lines('−', answer.removed), ...lines('~', answer.changed)];
  return all.length
    ? [h('div', { class: 'aml-scroll', tabindex: '0' }, ...all)]
    : [h('div', { class: 'aml-faint' }, t('the same files'))];
}

function section(title: string, ...children: Child[]): HTMLElement {
  return h('div', { class: 'aml-section' }, h('h4', {}, title), ...children);
}

function folded(title: string, ...children: Child[]): HTMLElement {
  return h('details', { class: 'aml-section' }, h('summary', {}, title), ...children);
}
