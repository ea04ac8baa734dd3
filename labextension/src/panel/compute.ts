/** Compute targets: a list for each group of kinds, forms made from the table of kinds, and what one can do with a target. */

import { Kind, KindsAnswer, Target, TargetAnswer, TargetsAnswer, WholeTarget } from '../view/api';
import { button, Child, fill, h, say } from '../view/dom';
import { Coalescer, News, pathOf, Source } from '../view/source';
import { Tabs } from '../view/tabs';
import { t } from '../view/text';
import { TargetCard } from './card';
import { tableOfKinds } from './compute_facts';
import { isAttachable, TargetForm } from './form';

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
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly bar = h('div', { class: 'aml-bar' });
  private readonly empty = h('div', { class: 'aml-empty' });
  private readonly list = h('div');
  private readonly place = h('div');
  private readonly page = h('div', {}, this.place, this.bar, this.empty, this.list);
  private readonly tabs = new Tabs<Group>(t('kinds of compute'), this.page, (group) => this.choose(group));
  private readonly cards = new Map<string, TargetCard>();
  private readonly table = h('details', { class: 'aml-section' });
  private readonly open = new Map<string, WholeTarget>();
  private readonly soon = new Coalescer(() => void this.read(), 400);
  private readonly stop: () => void;
  private isClosed = false;

  constructor(private readonly source: Source) {
    this.element = h(
      'div',
      { class: 'aml-computes' },
      this.tabs.element,
      this.problem,
      this.page,
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
    this.tabs.show(
      order.map((group) => [group, labels[group]]),
      this.group,
    );
    this.drawList();
  }

  private choose(group: Group): void {
    this.group = group;
    fill(this.place);
    this.draw();
  }

  private drawList(): void {
    const kinds = this.kinds.filter((kind) => kind.built && groupOf(kind) === this.group);
    const creatable = kinds.filter((kind) => ['create', 'attach'].some((verb) => kind.verbs.includes(verb)));
    const shown = this.targets.filter((target) => kinds.some((kind) => kind.type === target.type));
    const isFormOpen = this.place.hasChildNodes();
    const first = creatable.every(isAttachable) ? t('Attach') : t('Create');
    const make = (label: string): Child =>
      creatable.length > 0 && button(label, () => this.showForm(creatable), { class: 'aml-button aml-main' });
    const isEmpty = shown.length === 0;
    this.redraw(this.empty, isEmpty && !isFormOpen, () => [
      h('p', {}, kinds.map((kind) => `${kind.title}: ${kind.note}`).join('. ')),
      make(first),
    ]);
    this.redraw(this.bar, !isEmpty && !isFormOpen, () => [make(t('New'))]);
    const there = new Set(this.targets.map((target) => target.name));
    [...this.cards.keys()].filter((name) => !there.has(name)).forEach((name) => this.cards.delete(name));
    fill(this.list, ...shown.map((target) => this.card(target)));
  }

  /** Fill a place of the page when it comes in sight, or is another group's; it stays as it is otherwise. */
  private redraw(element: HTMLElement, isShown: boolean, content: () => Child[]): void {
    const key = isShown ? this.group : '';
    if (element.dataset.key !== key) {
      element.dataset.key = key;
      fill(element, ...(isShown ? content() : []));
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
    const kind = this.kindOf(target);
    let card = this.cards.get(target.name);
    if (card === undefined || card.type !== target.type) {
      card = new TargetCard(target, kind, {
        toggle: () => this.toggle(target.name),
        act: (verb) => this.act(target.name, verb),
        makeDefault: () => this.change(target.name, { default: true }),
        edit: (now) => this.showForm([kind!], now),
      });
      this.cards.set(target.name, card);
    }
    card.update(target, this.open.get(target.name));
    return card.element;
  }

  private async toggle(name: string): Promise<void> {
    if (this.open.has(name)) {
      this.open.delete(name);
    } else {
      await this.readOne(name);
    }
    this.drawList();
  }

  private async act(name: string, verb: string): Promise<void> {
    const path = pathOf('compute', name);
    const isEnd = verb === 'delete' || verb === 'detach';
    if (isEnd) {
      this.open.delete(name); // nothing asks for its facts while it goes
    }
    await this.send(() =>
      isEnd ? this.source.send('DELETE', path) : this.source.send('POST', `${path}/${verb}`),
    );
  }

  private change(name: string, body: Record<string, unknown>): Promise<void> {
    return this.send(() => this.source.send('PATCH', pathOf('compute', name), body));
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
