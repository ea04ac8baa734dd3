/** The environments and models of a workspace. */

import { Environment, EnvironmentsAnswer, Model, ModelsAnswer } from '../view/api';
import { button, fill, h, say } from '../view/dom';
import { clockText, seconds, sizeText } from '../view/format';
import { Column } from '../view/order';
import { Source } from '../view/source';
import { VirtualTable } from '../view/table';
import { t } from '../view/text';

/** A table that is read when it is shown, and when one asks for it. */
abstract class Listing<T> {
  readonly element: HTMLElement;
  protected rows: T[] = [];
  protected readonly table: VirtualTable;
  protected readonly detail = h('div', { class: 'aml-detail' });
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });

  constructor(
    protected readonly source: Source,
    label: string,
    empty: string,
  ) {
    this.table = new VirtualTable({ label, empty, height: 480, open: (row) => this.show(this.rows[row]) });
    const search = h('input', {
      type: 'search',
      class: 'aml-input',
      placeholder: t('search'),
      'aria-label': t('search'),
    });
    search.addEventListener('input', () => this.table.setFilter(search.value));
    const again = button(t('refresh'), () => this.read());
    this.element = h(
      'div',
      {},
      h('div', { class: 'aml-bar' }, search, again),
      this.problem,
      this.table.element,
      this.detail,
    );
    void this.read();
  }

  close(): void {
    fill(this.detail);
  }

  protected abstract ask(): Promise<T[]>;
  protected abstract columns(): Column[];
  protected abstract factsOf(row: T): [string, string | null][];
  protected extra: (row: T) => HTMLElement | null = () => null;

  private async read(): Promise<void> {
    try {
      this.rows = await this.ask();
      this.table.update(this.rows.length, this.columns());
      say(this.problem, '');
    } catch (error) {
      say(this.problem, (error as Error).message);
    }
  }

  private show(row: T): void {
    const facts = this.factsOf(row).filter(([, value]) => value);
    const lines = facts.map(([name, value]) =>
      h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value)),
    );
    fill(this.detail, h('table', { class: 'aml-facts' }, ...lines), this.extra(row));
  }
}

export class EnvironmentsPanel extends Listing<Environment> {
  constructor(source: Source) {
    super(source, t('environments'), t('no environments'));
  }

  protected async ask(): Promise<Environment[]> {
    return (await this.source.get<EnvironmentsAnswer>('environments')).environments;
  }

  protected columns(): Column[] {
    const at = (row: number): Environment => this.rows[row];
    return [
      { key: 'name', label: t('name'), value: (row) => at(row).name, width: 150 },
      { key: 'version', label: t('version'), value: (row) => at(row).version, width: 60 },
      { key: 'state', label: t('state'), value: (row) => at(row).state, width: 80 },
      {
        key: 'size',
        label: t('size'),
        value: (row) => at(row).size,
        show: (row) => (at(row).size === null ? '' : sizeText(at(row).size!)),
        right: true,
        width: 70,
      },
      { key: 'title', label: t('what it is'), value: (row) => at(row).title, width: 200 },
    ];
  }

  protected factsOf(row: Environment): [string, string | null][] {
    return [
      [t('environment'), row.id],
      [t('what it is'), row.title],
      [t('state'), row.state],
      [t('created'), clockText(seconds(row.created_time)) || (row.curated ? t('by aml-jupyter') : '')],
      [t('last used'), clockText(seconds(row.last_used_time))],
      [t('size'), row.size === null ? null : sizeText(row.size)],
      [t('asked'), row.asked_id],
      [t('resolved to'), row.resolved_id],
      [t('path'), row.path],
      [t('image'), row.image],
    ];
  }
}

export class ModelsPanel extends Listing<Model> {
  constructor(
    source: Source,
    private readonly open: (run: string) => void,
  ) {
    super(source, t('models'), t('no models; register one: run.register_model(...)'));
  }

  protected async ask(): Promise<Model[]> {
    return (await this.source.get<ModelsAnswer>('models')).models;
  }

  protected columns(): Column[] {
    const at = (row: number): Model => this.rows[row];
    return [
      { key: 'name', label: t('name'), value: (row) => at(row).name, width: 140 },
      { key: 'version', label: t('version'), value: (row) => at(row).version, right: true, width: 60 },
      {
        key: 'size',
        label: t('size'),
        value: (row) => at(row).size,
        show: (row) => sizeText(at(row).size),
        right: true,
        width: 70,
      },
      {
        key: 'created',
        label: t('created'),
        value: (row) => at(row).created_time,
        show: (row) => clockText(seconds(at(row).created_time)),
        width: 90,
      },
      { key: 'tags', label: t('tags'), value: (row) => pairs(at(row).tags), width: 120 },
    ];
  }

  protected factsOf(row: Model): [string, string | null][] {
    return [
      [t('model'), row.id],
      [t('description'), row.description],
      [t('framework'), [row.framework, row.framework_version].filter(Boolean).join(' ')],
      [t('experiment'), row.experiment_name],
      [t('files'), `${row.files}, ${sizeText(row.size)}`],
      [t('tags'), pairs(row.tags)],
      [t('properties'), pairs(row.properties)],
    ];
  }

  protected override extra = (row: Model): HTMLElement | null =>
    row.run_id === null ? null : button(t('open the run that made it'), () => this.open(row.run_id!));
}

function pairs(values: Record<string, string>): string {
  return Object.entries(values)
    .map(([name, value]) => (value ? `${name}=${value}` : name))
    .join(', ');
}
