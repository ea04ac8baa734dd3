/** What is shown of one compute target, and of all kinds: facts, slots, lines to copy. */

import { Kind, WholeTarget } from '../view/api';
import { button, Child, copy, h } from '../view/dom';
import { sizeText } from '../view/format';
import { t } from '../view/text';
import { labelOf } from './form';

/** Return what is known of one target. */
export function factsOf(target: WholeTarget, kind: Kind | undefined): HTMLElement {
  const machine = target.machine as Record<string, unknown> | null;
  const usual = kind?.settings ?? {};
  const settings = Object.entries(target.settings).filter(
    ([name, value]) => name in usual && value !== usual[name],
  );
  const rows: [string, Child][] = [
    [t('kind'), kind?.title ?? target.type],
    [t('slots'), target.slots === null ? null : slots(target.slots, target.free_slots ?? 0)],
    [
      t('machine'),
      machine &&
        `${String(machine.host)}, ${t('{0} cores', Number(machine.cores))}, ${sizeText(Number(machine.memory))}`,
    ],
    [
      t('GPUs'),
      machine && Number(machine.gpus) > 0
        ? t('{0} of {1} free', Number(machine.gpus_free), Number(machine.gpus))
        : null,
    ],
    ...settings.map(([name, value]): [string, Child] => [name.replace(/_/g, ' '), String(value)]),
    ...target.problems.map((problem): [string, Child] => [
      t('problem'),
      h('span', { class: 'aml-problem' }, problem),
    ]),
    ...sshLines(target, machine),
    [t('submit to it'), line(`%%aml_submit ${target.name}`)],
  ];
  const shown = rows.filter(([, value]) => value !== null && value !== '');
  return h(
    'table',
    { class: 'aml-facts' },
    ...shown.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value))),
  );
}

/** Return a summary and a table: what each kind that is built can do. */
export function tableOfKinds(kinds: Kind[]): HTMLElement[] {
  const mark = (holds: boolean): string => (holds ? '✓' : '–');
  const head = [
    t('kind'),
    t('plain runs'),
    t('pipelines'),
    t('sweeps'),
    t('GPU'),
    t('several nodes'),
    t('frameworks'),
    t('limits lifted here'),
  ];
  const rows = kinds
    .filter((kind) => kind.built)
    .map((kind) => [
      labelOf(kind),
      mark(kind.plain_runs),
      kind.pipelines,
      mark(kind.sweeps),
      mark(kind.gpu),
      mark(kind.several_nodes),
      kind.frameworks.join(', '),
      kind.lifted.join(', '),
    ]);
  return [
    h('summary', {}, t('what each kind can do')),
    h(
      'div',
      { class: 'aml-compare', tabindex: '0' },
      h(
        'table',
        { class: 'aml-facts' },
        h('tr', {}, ...head.map((text) => h('th', { scope: 'col' }, text))),
        ...rows.map((row) => h('tr', {}, ...row.map((text) => h('td', {}, text)))),
      ),
    ),
  ];
}

function slots(total: number, free: number): HTMLElement {
  const boxes = Array.from({ length: Math.min(total, 64) }, (_, place) =>
    h('span', { class: `aml-slot${place < total - free ? ' aml-slot-taken' : ''}` }),
  );
  return h(
    'div',
    {},
    h('div', { class: 'aml-slots', 'aria-hidden': 'true' }, ...boxes),
    t('{0} of {1} free', free, total),
  );
}

/** Return how one gets to a machine that is reached over SSH, or is open for it. */
function sshLines({ settings }: WholeTarget, machine: Record<string, unknown> | null): [string, Child][] {
  const address = settings.address || (settings.ssh_public_access && machine?.host);
  if (!address) {
    return [];
  }
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(String(address))!;
  const place = settings.username ? `${String(settings.username)}@${host}` : host;
  return [
    [t('SSH'), line(`ssh ${port ? `-p ${port} ` : ''}${place}`)],
    [t('copy to it'), line(`scp ${port ? `-P ${port} ` : ''}FILE ${place}:`)],
  ];
}

function line(text: string): HTMLElement {
  const made = button(t('copy'), () => copy(text, made, t('copied')), {
    class: 'aml-link',
    'aria-label': t('copy {0}', text),
  });
  return h('span', {}, h('code', {}, text), ' ', made);
}

/** Return an error's own words. */
export function messageOf(error: unknown): string {
  return error && typeof error === 'object' && 'message' in error
    ? String((error as { message: unknown }).message)
    : String(error);
}
