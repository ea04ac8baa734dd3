/** Steer a sweep while it runs: pause it and go on, give it more, add a child by hand. */

import { RunAnswer, SweepNow } from './api';
import { button, fill, h, say } from './dom';
import { pathOf } from './source';
import { RunStore } from './store';
import { t } from './text';

const LIMITS = ['max_total_runs', 'max_concurrent_runs', 'max_duration_minutes'] as const;

export class SweepControls {
  readonly element: HTMLElement;
  private readonly pause = button('', () => this.act(this.now?.paused ? 'resume' : 'pause', {}));
  private readonly extend = button(t('extend ...'), () => this.openForm(this.extend));
  private readonly add = button(t('add a child ...'), () => this.openForm(this.add));
  private readonly said = h('span', { class: 'aml-faint', role: 'status' });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly place = h('div');
  private now: SweepNow | null = null;

  constructor(
    private readonly store: RunStore,
    private readonly open: (id: string) => void,
    private readonly changed: () => void,
  ) {
    const bar = h('div', { class: 'aml-bar' }, this.pause, this.extend, this.add, this.said);
    this.element = h('div', { hidden: true }, bar, this.problem, this.place);
  }

  /** Show what can be done with the sweep as it is now. */
  update(now: SweepNow): void {
    this.now = now;
    this.element.hidden = false;
    this.pause.hidden = this.add.hidden = !now.open;
    say(this.pause, now.paused ? t('resume') : t('pause'));
    say(this.said, now.paused ? t('paused: it starts no children') : '');
  }

  private async act(what: string, body: unknown): Promise<void> {
    try {
      const path = `${pathOf('runs', this.store.id)}/sweep/${what}`;
      const { run } = await this.store.source.send<RunAnswer>('POST', path, body);
      say(this.problem, '');
      fill(this.place);
      this.changed();
      if (run.id !== this.store.id) {
        this.open(run.id); // a sweep that had ended: another one goes on
      }
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }

  private openForm(from: HTMLElement): void {
    const fields = from === this.extend ? this.limits() : this.parameters();
    const inputs = fields.map(([name, value]) =>
      h('input', { class: 'aml-input', name, value: String(value) }),
    );
    const form = h(
      'form',
      { class: 'aml-form' },
      ...fields.flatMap(([name, , label], place) => {
        inputs[place].id = `aml-${this.store.id}-${name}`;
        return [h('label', { for: inputs[place].id }, label), inputs[place]];
      }),
      h(
        'div',
        { class: 'aml-form-buttons' },
        h('button', { type: 'submit', class: 'aml-button aml-main' }, t('save')),
        button(t('not now'), () => fill(this.place)),
      ),
    );
    form.addEventListener('keydown', (event) => event.stopPropagation());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const given = Object.fromEntries(inputs.map((input) => [input.name, valueOf(input.value)]));
      void (from === this.extend ? this.act('limits', given) : this.act('children', { parameters: given }));
    });
    fill(this.place, form);
    inputs[0]?.focus();
  }

  private limits(): [string, unknown, string][] {
    const labels = [t('children in all'), t('children at once'), t('minutes')];
    return LIMITS.map((name, place) => [name, this.now![name] || '', labels[place]]);
  }

  /** Return the parameters with the values of the best child. */
  private parameters(): [string, unknown, string][] {
    const { children } = this.store;
    const values = children?.metric ? (children.metrics[children.metric] ?? []) : [];
    const sign = children?.goal === 'maximize' ? -1 : 1;
    const rows = values.flatMap((value, row) => (typeof value === 'number' ? [[sign * value, row]] : []));
    const best = rows.sort((a, b) => a[0] - b[0])[0]?.[1];
    return this.now!.axes.map(({ name }) => [
      name,
      best === undefined ? '' : (children!.parameters[name]?.[best] ?? ''),
      name,
    ]);
  }
}

/** Return a number or a truth value as such, nothing as null, and anything else as text. */
function valueOf(text: string): unknown {
  try {
    return text.trim() ? (JSON.parse(text) as unknown) : null;
  } catch {
    return text;
  }
}
