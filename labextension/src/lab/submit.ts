/** Submit the open notebook or file: saved first, with its parameters as a form. */

import { Dialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import {
  Environment,
  EnvironmentsAnswer,
  ExperimentsAnswer,
  RunAnswer,
  RunConfigurationEntry,
  RunConfigurationsAnswer,
  SubmitBody,
  Target,
  TargetsAnswer,
} from '../view/api';
import { h, offer, say, select } from '../view/dom';
import { Source } from '../view/source';
import { t } from '../view/text';
import { argumentsOf, Parameter, parametersOf, valueOf } from './parameters';

interface Fields {
  target: string;
  experiment: string;
  environment: string;
  configuration: string;
  name: string;
  arguments: string;
  values: [Parameter, string][];
}

/** What the form offers. */
interface Offer {
  targets: Target[];
  environments: Environment[];
  configurations: RunConfigurationEntry[];
  experiments: string[];
}

class SubmitForm extends Widget implements Dialog.IBodyWidget<Fields> {
  private readonly target = select(t('target'), [], '', () => undefined);
  private readonly environment = select(t('environment'), [], '', () => undefined);
  private readonly configuration: HTMLSelectElement;
  private readonly remark = h('div', { class: 'aml-hint', role: 'status' });
  private readonly experiment = input('aml-submit-experiment', t('the folder’s name'));
  private readonly arguments = input('aml-submit-arguments', t('as the run configuration says'));
  private readonly name = input('aml-submit-name');
  private readonly inputs: [Parameter, HTMLInputElement][];

  constructor(
    private readonly offered: Offer,
    parameters: Parameter[] | null,
  ) {
    super();
    this.configuration = select(t('run configuration'), configurationsOf(offered), '', () => this.draw());
    this.configuration.id = 'aml-submit-configuration';
    offered.configurations.forEach(({ readable }, place) => {
      this.configuration.options[place + 1].disabled = !readable;
    });
    this.target.id = 'aml-submit-target';
    this.environment.id = 'aml-submit-environment';
    this.experiment.setAttribute('list', 'aml-submit-experiments');
    this.inputs = (parameters ?? []).map((each) => [
      each,
      input(`aml-parameter-${each.name}`, '', each.value),
    ]);
    const row = (label: string, field: HTMLElement, ...more: HTMLElement[]): HTMLElement[] => [
      h('label', { for: field.id }, label),
      more.length ? h('div', {}, field, ...more) : field,
    ];
    const known = h('datalist', { id: 'aml-submit-experiments' });
    known.append(...offered.experiments.map((value) => h('option', { value })));
    this.node.append(
      h(
        'div',
        { class: 'aml-form' },
        ...row(t('run configuration'), this.configuration, this.remark),
        ...row(t('target'), this.target),
        ...row(t('environment'), this.environment),
        ...row(t('experiment'), this.experiment, known),
        ...row(t('name of the run'), this.name),
        ...(parameters === null ? row(t('arguments'), this.arguments) : []),
        ...this.inputs.flatMap(([each, field]) => row(each.name, field)),
      ),
    );
    this.addClass('aml-manager');
    this.draw();
  }

  getValue(): Fields {
    return {
      target: this.target.value,
      environment: this.environment.value,
      experiment: this.experiment.value.trim(),
      configuration: this.configuration.value,
      name: this.name.value.trim(),
      arguments: this.arguments.value,
      values: this.inputs.map(([each, field]) => [each, field.value]),
    };
  }

  /** Offer targets and environments beside what the chosen run configuration says. */
  private draw(): void {
    const chosen = this.offered.configurations.find((each) => each.name === this.configuration.value);
    const said = (value: string | null | undefined): string =>
      value ? t('as the run configuration says: {0}', value) : t('as the run configuration says');
    const targets = this.offered.targets.map(
      (each) => [each.name, `${each.name} (${each.provisioning_state})`] as const,
    );
    const usual = this.offered.targets.find((each) => each.default)?.name ?? '';
    const fromFile = [['', said(chosen?.target)]] as const;
    offer(this.target, chosen ? [...fromFile, ...targets] : targets, chosen ? '' : usual);
    const environments = this.offered.environments.map(({ name, version }): [string, string] => [
      version ? `${name}:${version}` : name,
      name,
    ]);
    const none = chosen ? said(chosen.environment) : t('this server’s Python');
    offer(this.environment, [['', none], ...environments], this.environment.value);
    const unreadable = this.offered.configurations.filter(({ readable }) => !readable);
    say(this.remark, chosen?.remark ?? unreadable.map(({ name, remark }) => `${name}: ${remark}`).join('\n'));
  }
}

function configurationsOf({ configurations }: Offer): [string, string][] {
  const known = configurations.map(({ name, target }): [string, string] => [
    name,
    target ? `${name} (${target})` : name,
  ]);
  return [['', configurations.length ? t('none') : t('none in this folder')], ...known];
}

function input(id: string, placeholder = '', value = ''): HTMLInputElement {
  return h('input', { class: 'aml-input jp-mod-styled', id, placeholder, value });
}

async function offerOf(source: Source, folder: string): Promise<Offer> {
  const [targets, environments, experiments, configurations] = await Promise.all([
    source.get<TargetsAnswer>('compute'),
    source.get<EnvironmentsAnswer>('environments'),
    source.get<ExperimentsAnswer>('experiments'),
    source.get<RunConfigurationsAnswer>('run_configurations', { source_directory: folder }),
  ]);
  return {
    targets: targets.compute,
    environments: environments.environments,
    configurations: configurations.run_configurations,
    experiments: experiments.experiments.map(({ name }) => name),
  };
}

/** Ask how to run the file at `path` (relative to the server's root), submit it, and return the run's id. */
export async function submitFile(source: Source, path: string, notebook: unknown): Promise<string | null> {
  try {
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    const isNotebook = path.endsWith('.ipynb');
    const base = path.slice(path.lastIndexOf('/') + 1);
    const dialog = new Dialog<Fields>({
      title: t('Submit {0}', base),
      body: new SubmitForm(await offerOf(source, folder), isNotebook ? parametersOf(notebook) : null),
      buttons: [Dialog.cancelButton({ label: t('not now') }), Dialog.okButton({ label: t('submit') })],
    });
    const { button, value } = await dialog.launch();
    if (!button.accept || value === null) {
      return null;
    }
    const changed = value.values.filter(([each, written]) => written !== each.value);
    const body: Partial<SubmitBody> = {
      source_directory: folder,
      [isNotebook ? 'notebook' : 'script']: base,
      target: value.target || null,
      environment: value.environment || null,
      experiment: value.experiment || null,
      run_configuration: value.configuration || null,
      display_name: value.name || null,
      ...(isNotebook
        ? { parameters: Object.fromEntries(changed.map(([each, written]) => [each.name, valueOf(written)])) }
        : { arguments: argumentsOf(value.arguments) }),
    };
    const answer = await source.send<RunAnswer>('POST', 'runs', body);
    Notification.info(t('{0} was submitted as {1}', base, answer.run.id), { autoClose: 5000 });
    return answer.run.id;
  } catch (error) {
    await showErrorMessage(t('It was not submitted'), (error as Error).message);
    return null;
  }
}
