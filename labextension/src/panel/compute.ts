/** Compute targets: a list for each group of kinds, forms made from the table of kinds, and what one can do with a target. */

import { Kind, KindsAnswer, Target, TargetAnswer, TargetsAnswer, WholeTarget } from '../view/api';
import { button, Child, fill, h, say } from '../view/dom';
import { stateKind } from '../view/format';
import { Coalescer, News, pathOf, Source } from '../view/source';
import { t } from '../view/text';
import { factsOf, messageOf, tableOfKinds } from './compute_facts';
import { isAttachable, TargetForm } from './form';

const SURE = 5000;

type Group = 'machine' | 'instances' | 'clusters' | 'inference' | 'attached';

/** Say on which page a kind is: this machine, instances, clusters, inference clusters, or what is attached. */
export function groupOf(kind: Kind): Group {
  if (kind.type === 'computeinstance') {
    return 'instances';
  }
  if (kind.type === 'amlcompute') {
    return 'clusters';
  }
  if (kind.type === 'aks') {
    return 'inference';
  }
  return kind.verbs.includes('attach') ? 'attached' : 'machine';
}

export class ComputePanel {
  readonly element: HTMLElement;
  private kinds: Kind[] = [];
  private targets: Target[] = [];
  private group: Group = 'instances';
  private readonly tabs = h('div', {
    class: 'aml-tabs',
    role: 'tablist',
    'aria-label': t('kinds of compute'),
  });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly list = h('div');
  private readonly place = h('div');
  private readonly table = h('details', { class: 'aml-section' });
  private readonly open = new Map<string, WholeTarget>();
  private readonly soon = new Coalescer(() => void this.read(), 400);
  private readonly stop: () => void;
  private isClosed = false;

  constructor(private readonly source: Source) {
    this.element = h(
      'div',
      { class: 'aml-computes' },
      this.tabs,
      this.problem,
      this.place,
      this.list,
      this.table,
    );
    this.stop = source.listen((news) => this.take(news));
    void this.start();
  }

  close(): void {
    this.isClosed = true;
    this.stop();
    this.soon.stop();
  }

  private async start(): Promise<void> {
    try {
      this.kinds = (await this.source.get<KindsAnswer>('kinds')).kinds;
      fill(this.table, ...tableOfKinds(this.kinds));
      await this.read();
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }

  private take(news: News): void {
    if (
      news === 'reset' ||
      news.some((event) => event.kind === 'target.state' || event.kind === 'run.state')
    ) {
      this.soon.ask();
    }
  }

  private async read(): Promise<void> {
    try {
      this.targets = (await this.source.get<TargetsAnswer>('compute')).compute;
      const there = new Set(this.targets.map((target) => target.name));
      const open = [...this.open.keys()];
      open.filter((name) => !there.has(name)).forEach((name) => this.open.delete(name));
      await Promise.all(open.filter((name) => there.has(name)).map((name) => this.readOne(name)));
      say(this.problem, '');
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
    if (!this.isClosed) {
      this.draw();
    }
  }

  private async readOne(name: string): Promise<void> {
    const answer = await this.source.get<TargetAnswer>(pathOf('compute', name)).catch(() => null);
    if (answer === null) {
      this.open.delete(name);
    } else {
      this.open.set(name, answer.target);
    }
  }

  private kindOf(target: Target): Kind | undefined {
    return this.kinds.find((kind) => kind.type === target.type);
  }

  private draw(): void {
    const labels: Record<Group, string> = {
      instances: t('compute instances'),
      machine: t('this machine'),
      clusters: t('compute clusters'),
      inference: t('inference clusters'),
      attached: t('attached compute'),
    };
    const groups = [...new Set(this.kinds.filter((kind) => kind.built).map(groupOf))];
    const order = (Object.keys(labels) as Group[]).filter((group) => groups.includes(group));
    const made = order.map((group) => {
      const isOpen = group === this.group;
      const tab = h(
        'button',
        { type: 'button', role: 'tab', class: 'aml-tab', 'aria-selected': String(isOpen) },
        labels[group],
      );
      tab.addEventListener('click', () => {
        this.group = group;
        fill(this.place);
        this.draw();
      });
      return tab;
    });
    fill(this.tabs, ...made);
    this.drawList();
  }

  private drawList(): void {
    const kinds = this.kinds.filter((kind) => kind.built && groupOf(kind) === this.group);
    const creatable = kinds.filter((kind) => ['create', 'attach'].some((verb) => kind.verbs.includes(verb)));
    const shown = this.targets.filter((target) => kinds.some((kind) => kind.type === target.type));
    const isFormOpen = this.place.hasChildNodes();
    if (shown.length === 0) {
      const about = kinds.map((kind) => `${kind.title}: ${kind.note}`).join('. ');
      fill(
        this.list,
        !isFormOpen &&
          h(
            'div',
            { class: 'aml-empty' },
            h('p', {}, about),
            creatable.length > 0 &&
              button(
                creatable.every(isAttachable) ? t('Attach') : t('Create'),
                () => this.showForm(creatable),
                { class: 'aml-button aml-main' },
              ),
          ),
      );
      return;
    }
    const focus = document.activeElement?.getAttribute('data-focus') ?? null;
    const create =
      creatable.length > 0 &&
      !isFormOpen &&
      button(t('New'), () => this.showForm(creatable), { class: 'aml-button aml-main' });
    fill(this.list, h('div', { class: 'aml-bar' }, create), ...shown.map((target) => this.card(target)));
    if (focus !== null) {
      this.list.querySelector<HTMLElement>(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
    }
  }

  private showForm(kinds: Kind[], target?: Target): void {
    const close = (): void => {
      fill(this.place);
      this.draw();
    };
    const form = new TargetForm({
      kinds,
      taken: this.targets.map((each) => each.name),
      target,
      close,
      send: async (filled) => {
        if (target) {
          await this.source.send('PATCH', pathOf('compute', target.name), { settings: filled.settings });
        } else {
          const isAttached = isAttachable(kinds.find((kind) => kind.type === filled.type)!);
          await this.source.send('POST', isAttached ? 'attached' : 'compute', filled);
        }
        close();
        await this.read();
      },
    });
    fill(
      this.place,
      h('h4', {}, target ? t('change {0}', target.name) : t('new compute target')),
      form.element,
    );
    this.drawList();
    form.element.querySelector<HTMLElement>('input:not(:disabled)')?.focus();
  }

  private card(target: Target): HTMLElement {
    const whole = this.open.get(target.name);
    const state = target.provisioning_state;
    const unfold = button(whole ? t('less') : t('more'), () => this.toggle(target.name), {
      'data-focus': `more ${target.name}`,
      'aria-expanded': String(whole !== undefined),
    });
    return h(
      'div',
      { class: 'aml-target', 'data-target': target.name },
      h(
        'div',
        { class: 'aml-target-head' },
        h('span', { class: 'aml-target-name' }, target.name),
        h('span', { class: `aml-${stateKind(state)}` }, state),
        target.default && h('span', { class: 'aml-label' }, t('default')),
        h('span', { class: 'aml-faint' }, t('{0} running, {1} queued', target.running, target.queued)),
        h('span', { class: 'aml-buttons' }, ...this.actions(target), unfold),
      ),
      target.description && h('div', { class: 'aml-faint' }, target.description),
      ...target.provisioning_errors.map((error) => h('div', { class: 'aml-problem' }, messageOf(error))),
      whole && factsOf(whole, this.kindOf(target)),
    );
  }

  private async toggle(name: string): Promise<void> {
    if (this.open.has(name)) {
      this.open.delete(name);
    } else {
      await this.readOne(name);
    }
    this.drawList();
  }

  private actions(target: Target): Child[] {
    const verbs = this.kindOf(target)?.verbs ?? [];
    const state = target.provisioning_state;
    const act = (verb: string, label: string, isShown: boolean): Child =>
      verbs.includes(verb) &&
      isShown &&
      button(label, () => this.act(target, verb), { 'data-focus': `${verb} ${target.name}` });
    const isGoing = state === 'Deleting';
    const gone = target.attached ? 'detach' : 'delete';
    return [
      act('start', t('start'), ['Stopped', 'Stopping'].includes(state)),
      act('stop', t('stop'), ['Running', 'Succeeded', 'Starting'].includes(state)),
      act('restart', t('restart'), state === 'Running'),
      act('test', t('test'), state !== 'Deleting'),
      !target.default && !isGoing && button(t('make default'), () => this.change(target, { default: true })),
      verbs.includes('update') &&
        !isGoing &&
        button(t('change'), () => this.showForm([this.kindOf(target)!], target)),
      verbs.includes(gone) && !isGoing && this.removal(target, gone),
    ];
  }

  /** A button that says what becomes of the target's runs before it acts. */
  private removal(target: Target, verb: 'delete' | 'detach'): HTMLElement {
    const label = verb === 'delete' ? t('delete') : t('detach');
    let isAsking = false;
    const made = button(
      label,
      () => {
        if (isAsking) {
          return this.act(target, verb);
        }
        isAsking = true;
        made.textContent = t(
          '{0}? cancels {1} waiting, asks {2} running runs to end',
          label,
          target.queued,
          target.running,
        );
        made.classList.add('aml-sure');
        setTimeout(() => {
          isAsking = false;
          made.textContent = label;
          made.classList.remove('aml-sure');
        }, SURE);
        return undefined;
      },
      { 'data-focus': `${verb} ${target.name}` },
    );
    return made;
  }

  private async act(target: Target, verb: string): Promise<void> {
    const path = pathOf('compute', target.name);
    await this.send(() =>
      verb === 'delete' || verb === 'detach'
        ? this.source.send('DELETE', path)
        : this.source.send('POST', `${path}/${verb}`),
    );
  }

  private change(target: Target, body: Record<string, unknown>): Promise<void> {
    return this.send(() => this.source.send('PATCH', pathOf('compute', target.name), body));
  }

  private async send(what: () => Promise<unknown>): Promise<void> {
    try {
      await what();
      await this.read();
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }
}
