/** Show one compute target: its state, what one can do with it, and its facts. A card lives as long as its target. */

import { Kind, Target, WholeTarget } from '../view/api';
import { button, fill, h, renew, say, sureButton } from '../view/dom';
import { stateKind } from '../view/format';
import { t } from '../view/text';
import { factsOf, messageOf } from './compute_facts';

/** What the panel does for a card. */
export interface CardHost {
  toggle: () => Promise<void>;
  act: (verb: string) => Promise<void>;
  makeDefault: () => Promise<void>;
  edit: (target: Target) => void;
}

export class TargetCard {
  readonly element: HTMLElement;
  readonly type: string;
  private readonly state = h('span', { role: 'status' });
  private readonly isDefault = h('span', { class: 'aml-label' }, t('default'));
  private readonly counts = h('span', { class: 'aml-faint' });
  private readonly said = h('div');
  private readonly facts = h('div');
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private readonly unfold: HTMLButtonElement;
  private shown = '';

  constructor(
    private target: Target,
    private readonly kind: Kind | undefined,
    host: CardHost,
  ) {
    this.type = target.type;
    this.unfold = button(t('more'), () => host.toggle());
    const labels = { start: t('start'), stop: t('stop'), restart: t('restart'), test: t('test') };
    Object.entries(labels).forEach(([verb, label]) =>
      this.add(
        verb,
        button(label, () => host.act(verb)),
      ),
    );
    this.buttons.set(
      'default',
      button(t('make default'), () => host.makeDefault()),
    );
    this.add(
      'update',
      button(t('change'), () => host.edit(this.target)),
    );
    this.add('delete', this.removal('delete', t('delete'), host));
    this.add('detach', this.removal('detach', t('detach'), host));
    this.element = h(
      'section',
      { class: 'aml-target', 'data-target': target.name, 'aria-label': target.name },
      h(
        'div',
        { class: 'aml-target-head' },
        h('span', { class: 'aml-target-name' }, target.name),
        this.state,
        this.isDefault,
        this.counts,
        h('span', { class: 'aml-buttons' }, ...this.buttons.values(), this.unfold),
      ),
      this.said,
      this.facts,
    );
  }

  /** Show `target` as it is now, and all that is known of it where that was asked for. */
  update(target: Target, whole: WholeTarget | undefined): void {
    this.target = target;
    const state = target.provisioning_state;
    say(this.state, state);
    this.state.className = `aml-${stateKind(state)}`;
    this.isDefault.hidden = !target.default;
    say(this.counts, t('{0} running, {1} queued', target.running, target.queued));
    this.drawButtons();
    renew(
      this.said,
      target.description && h('div', { class: 'aml-faint' }, target.description),
      ...target.provisioning_errors.map((error) => h('div', { class: 'aml-problem' }, messageOf(error))),
    );
    say(this.unfold, whole ? t('less') : t('more'));
    this.unfold.setAttribute('aria-expanded', String(whole !== undefined));
    const shown = whole ? JSON.stringify(whole) : '';
    if (shown !== this.shown) {
      this.shown = shown;
      fill(this.facts, whole && factsOf(whole, this.kind));
    }
  }

  private add(verb: string, made: HTMLButtonElement): void {
    if (this.kind?.verbs.includes(verb)) {
      this.buttons.set(verb, made);
    }
  }

  private drawButtons(): void {
    const state = this.target.provisioning_state;
    const isGoing = state === 'Deleting';
    const isShown: Record<string, boolean> = {
      start: ['Stopped', 'Stopping'].includes(state),
      stop: ['Running', 'Succeeded', 'Starting'].includes(state),
      restart: state === 'Running',
      default: !this.target.default && !isGoing,
      delete: !isGoing && !this.target.attached,
      detach: !isGoing && this.target.attached,
    };
    const focused = document.activeElement;
    this.buttons.forEach((made, verb) => (made.hidden = !(isShown[verb] ?? !isGoing)));
    if (focused instanceof HTMLElement && focused.hidden && this.element.contains(focused)) {
      this.unfold.focus();
    }
  }

  /** Return a button that says what becomes of the target's runs before it acts. */
  private removal(verb: string, label: string, host: CardHost): HTMLButtonElement {
    const question = (): string =>
      t(
        '{0}? cancels {1} waiting, asks {2} running runs to end',
        label,
        this.target.queued,
        this.target.running,
      );
    return sureButton(label, question, () => host.act(verb));
  }
}
