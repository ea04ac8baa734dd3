/** The forms of compute targets, made from the table of kinds: what one types is checked while one types it. */

import { Kind, Target } from '../view/api';
import { button, fill, h, say, select } from '../view/dom';
import { Refused } from '../view/source';
import { t } from '../view/text';

/** Names that a workspace keeps for itself. */
const RESERVED = new Set(['local', 'amlcompute', 'containerinstance']);
/** Settings of the room on a machine: they come last, most people leave them as they are. */
const ROOM = new Set(['max_parallel', 'gpus', 'runs_per_gpu', 'hide_gpus']);
const SHORTEST = 3;
const LONGEST = 24;

/** Say what is wrong with the name of a new target; empty when nothing is. The server has the last word. */
export function nameProblem(name: string, taken: readonly string[]): string {
  if (name.length < SHORTEST || name.length > LONGEST) {
    return t('{0} to {1} characters', SHORTEST, LONGEST);
  }
  if (!/^[A-Za-z]/.test(name)) {
    return t('a letter first');
  }
  if (!/^[A-Za-z](?:[A-Za-z0-9]|-(?=[A-Za-z0-9]))*$/.test(name)) {
    return t('letters, digits and -, and each - followed by a letter or a digit');
  }
  if (RESERVED.has(name.toLowerCase())) {
    return t('this name is reserved');
  }
  if (taken.some((each) => each.toLowerCase() === name.toLowerCase())) {
    return t('there is a target of this name');
  }
  return '';
}

export interface Filled {
  name: string;
  type: string;
  settings: Record<string, unknown>;
  description: string;
  password?: string;
  passphrase?: string;
}

interface FieldInput {
  element: HTMLElement;
  value: () => unknown;
}

export interface FormOptions {
  kinds: Kind[];
  taken: string[];
  /** The target to change; left out for a new one. */
  target?: Target;
  send: (filled: Filled) => Promise<void>;
  close: () => void;
}

export class TargetForm {
  readonly element: HTMLFormElement;
  private kind: Kind;
  private readonly name: HTMLInputElement;
  private readonly description: HTMLInputElement;
  private readonly wrong = h('div', { class: 'aml-wrong', role: 'alert', id: 'aml-name-problem' });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly submit: HTMLButtonElement;
  private inputs = new Map<string, FieldInput>();
  private readonly password = secretInput('aml-password');
  private readonly passphrase = secretInput('aml-passphrase');

  constructor(private readonly options: FormOptions) {
    const { target, kinds } = options;
    this.kind = kinds.find((kind) => kind.type === target?.type) ?? kinds[0];
    this.name = h('input', {
      class: 'aml-input',
      value: target?.name ?? '',
      required: true,
      maxlength: LONGEST,
      autocomplete: 'off',
      'aria-describedby': 'aml-name-problem',
      id: 'aml-target-name',
    });
    this.name.addEventListener('input', () => this.check());
    this.description = h('input', {
      class: 'aml-input',
      value: target?.description ?? '',
      id: 'aml-target-description',
    });
    this.submit = h('button', { type: 'submit', class: 'aml-button aml-main' });
    this.element = h('form', { class: 'aml-form', novalidate: true });
    this.element.addEventListener('keydown', (event) => event.stopPropagation());
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.sendIt();
    });
    this.draw();
    this.check();
  }

  private draw(): void {
    const { target, kinds } = this.options;
    const fixed = t('it cannot be changed later: runs know the target by it');
    this.name.disabled = target !== undefined;
    this.description.disabled = target !== undefined;
    const choices = kinds.map((kind) => [kind.type, labelOf(kind)] as const);
    const type = select(t('kind'), choices, this.kind.type, (chosen) => {
      this.kind = kinds.find((kind) => kind.type === chosen)!;
      this.draw();
      this.check();
    });
    type.disabled = target !== undefined;
    const isAttached = isAttachable(this.kind);
    say(this.submit, target ? t('save') : isAttached ? t('attach') : t('create'));
    const hint = (text: string): HTMLElement => h('div', { class: 'aml-hint' }, text);
    const last = (name: string): number => Number(ROOM.has(name));
    const settings = Object.entries(this.kind.settings).sort(([a], [b]) => last(a) - last(b));
    this.inputs = new Map(settings.map(([name, usual]) => [name, this.field(name, usual)]));
    fill(
      this.element,
      h('label', {}, t('kind')),
      h('div', {}, type, hint(this.kind.note), target && hint(fixed)),
      h('label', { for: 'aml-target-name' }, t('name')),
      h('div', {}, this.name, this.wrong, target && hint(fixed)),
      ...[...this.inputs].flatMap(([name, input]) => [
        h('label', { for: `aml-${name}` }, wordsOf(name)),
        input.element,
      ]),
      ...(isAttached && !target ? this.secrets(hint) : []),
      !target && h('label', { for: 'aml-target-description' }, t('description')),
      !target && this.description,
      h(
        'div',
        { class: 'aml-form-buttons' },
        this.submit,
        button(t('not now'), () => this.options.close()),
        this.problem,
      ),
    );
  }

  private secrets(hint: (text: string) => HTMLElement): HTMLElement[] {
    return [
      h('label', { for: this.password.id }, t('password')),
      h('div', {}, this.password, hint(t('kept among the secrets of the workspace; a key is safer'))),
      h('label', { for: this.passphrase.id }, t('passphrase of the key')),
      this.passphrase,
    ];
  }

  private field(name: string, usual: unknown): FieldInput {
    const now = this.options.target?.settings[name] ?? usual;
    if (typeof usual === 'boolean') {
      const box = h('input', { type: 'checkbox', checked: Boolean(now), id: `aml-${name}` });
      return { element: box, value: () => box.checked };
    }
    const isNumber = typeof usual === 'number' || usual === null;
    const input = h('input', {
      class: 'aml-input',
      id: `aml-${name}`,
      type: isNumber ? 'number' : 'text',
      min: isNumber ? 0 : null,
      value: now === null || now === undefined ? '' : String(now),
      placeholder: usual === null ? t('as many as there are') : String(usual ?? ''),
    });
    const value = (): unknown => (input.value === '' ? usual : isNumber ? Number(input.value) : input.value);
    return { element: input, value };
  }

  private check(): void {
    const problem = this.options.target ? '' : nameProblem(this.name.value.trim(), this.options.taken);
    say(this.wrong, this.name.value ? problem : '');
    this.name.setAttribute('aria-invalid', String(Boolean(this.name.value && problem)));
    this.submit.disabled = problem !== '';
  }

  private async sendIt(): Promise<void> {
    if (this.submit.disabled) {
      return;
    }
    const settings: Record<string, unknown> = {};
    for (const [name, input] of this.inputs) {
      const value = input.value();
      const before = this.options.target ? this.options.target.settings[name] : this.kind.settings[name];
      if (value !== before) {
        settings[name] = value;
      }
    }
    this.submit.disabled = true;
    try {
      await this.options.send({
        name: this.name.value.trim(),
        type: this.kind.type,
        settings,
        description: this.description.value,
        ...(this.password.value ? { password: this.password.value } : {}),
        ...(this.passphrase.value ? { passphrase: this.passphrase.value } : {}),
      });
    } catch (error) {
      const field = error instanceof Refused && error.field ? `${error.field}: ` : '';
      say(this.problem, field + (error as Error).message);
      this.submit.disabled = false;
    }
  }
}

/** Tell whether targets of a kind are there already and are attached, rather than made. */
export function isAttachable(kind: Kind): boolean {
  return kind.verbs.includes('attach') && !kind.verbs.includes('create');
}

function secretInput(id: string): HTMLInputElement {
  return h('input', { class: 'aml-input', type: 'password', id, autocomplete: 'new-password' });
}

/** Return a kind's title with what it is limited to. */
export function labelOf(kind: Kind): string {
  const notes = [kind.plain_runs ? '' : t('pipelines only')].filter(Boolean);
  return notes.length ? `${kind.title} (${notes.join(', ')})` : kind.title;
}

function wordsOf(name: string): string {
  return name.replace(/_/g, ' ');
}
