/** Submit the open notebook or file: saved first, with its parameters as a form. */

import { Dialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { EnvironmentsAnswer, RunAnswer, SubmitBody, TargetsAnswer } from '../view/api';
import { h, select } from '../view/dom';
import { Source } from '../view/source';
import { t } from '../view/text';
import { Parameter, parametersOf, valueOf } from './parameters';

interface Fields {
  target: string;
  experiment: string;
  environment: string;
  configuration: string;
  name: string;
  values: [Parameter, string][];
}

class SubmitForm extends Widget implements Dialog.IBodyWidget<Fields> {
  private readonly target: HTMLSelectElement;
  private readonly environment: HTMLSelectElement;
  private readonly experiment = h('input', { class: 'aml-input jp-mod-styled', id: 'aml-submit-experiment' });
  private readonly configuration = h('input', {
    class: 'aml-input jp-mod-styled',
    id: 'aml-submit-configuration',
  });
  private readonly name = h('input', { class: 'aml-input jp-mod-styled', id: 'aml-submit-name' });
  private readonly inputs: [Parameter, HTMLInputElement][];

  constructor(targets: TargetsAnswer, environments: EnvironmentsAnswer, parameters: Parameter[]) {
    super();
    const choices = targets.compute.map(
      (each) => [each.name, `${each.name} (${each.provisioning_state})`] as const,
    );
    const usual = targets.compute.find((each) => each.default)?.name ?? '';
    this.target = select(t('target'), choices, usual, () => undefined);
    const known = environments.environments.map(({ name, version }): [string, string] => [
      version ? `${name}:${version}` : name,
      name,
    ]);
    const none: [string, string] = ['', t('as the run configuration says')];
    this.environment = select(t('environment'), [none, ...known], '', () => undefined);
    this.target.id = 'aml-submit-target';
    this.environment.id = 'aml-submit-environment';
    this.inputs = parameters.map((each) => [
      each,
      h('input', { class: 'aml-input jp-mod-styled', value: each.value, id: `aml-parameter-${each.name}` }),
    ]);
    const row = (label: string, input: HTMLElement): HTMLElement[] => [
      h('label', { for: input.id }, label),
      input,
    ];
    this.node.append(
      h(
        'div',
        { class: 'aml-form' },
        ...row(t('target'), this.target),
        ...row(t('environment'), this.environment),
        ...row(t('experiment'), this.experiment),
        ...row(t('run configuration'), this.configuration),
        ...row(t('name of the run'), this.name),
        ...this.inputs.flatMap(([each, input]) => row(each.name, input)),
      ),
    );
    this.experiment.placeholder = t('the folder’s name');
    this.configuration.placeholder = t('none');
    this.addClass('aml-manager');
  }

  getValue(): Fields {
    return {
      target: this.target.value,
      environment: this.environment.value,
      experiment: this.experiment.value.trim(),
      configuration: this.configuration.value.trim(),
      name: this.name.value.trim(),
      values: this.inputs.map(([each, input]) => [each, input.value]),
    };
  }
}

/** Ask how to run the file at `path` (relative to the server's root), submit it, and return the run's id. */
export async function submitFile(source: Source, path: string, notebook: unknown): Promise<string | null> {
  try {
    const [targets, environments] = await Promise.all([
      source.get<TargetsAnswer>('compute'),
      source.get<EnvironmentsAnswer>('environments'),
    ]);
    const isNotebook = path.endsWith('.ipynb');
    const base = path.slice(path.lastIndexOf('/') + 1);
    const dialog = new Dialog<Fields>({
      title: t('Submit {0}', base),
      body: new SubmitForm(targets, environments, isNotebook ? parametersOf(notebook) : []),
      buttons: [Dialog.cancelButton({ label: t('not now') }), Dialog.okButton({ label: t('submit') })],
    });
    const { button, value } = await dialog.launch();
    if (!button.accept || value === null) {
      return null;
    }
    const changed = value.values.filter(([each, written]) => written !== each.value);
    const body: Partial<SubmitBody> = {
      source_directory: path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '',
      [isNotebook ? 'notebook' : 'script']: base,
      target: value.target || null,
      environment: value.environment || null,
      experiment: value.experiment || null,
      run_configuration: value.configuration || null,
      display_name: value.name || null,
      ...(isNotebook
        ? { parameters: Object.fromEntries(changed.map(([each, written]) => [each.name, valueOf(written)])) }
        : {}),
    };
    const answer = await source.send<RunAnswer>('POST', 'runs', body);
    Notification.info(t('{0} was submitted as {1}', base, answer.run.id), { autoClose: 5000 });
    return answer.run.id;
  } catch (error) {
    await showErrorMessage(t('It was not submitted'), (error as Error).message);
    return null;
  }
}
