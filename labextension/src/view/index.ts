/** The one module that every host loads: anywidget calls `render`, the labextension uses the classes. */

import { CommSource, WidgetModel } from './comm';
import { ask, jupyterPage, RestSource } from './rest';
import { RunView } from './run';
import { Source } from './source';

export { RunView } from './run';

/** Answers for `workspace`: the page's server where it serves the workspace, else the kernel behind `model`. */
async function sourceOf(model: WidgetModel): Promise<Source> {
  const workspace = model.get('workspace');
  const page = jupyterPage();
  if (page !== null) {
    const isThere = await ask(page, 'GET', `workspaces/${encodeURIComponent(workspace)}`).then(
      () => true,
      () => false,
    );
    if (isThere) {
      return RestSource.of(page, workspace);
    }
  }
  return new CommSource(model);
}

/** Show the run that an anywidget model names; returns how to end it. */
async function render({ model, el }: { model: WidgetModel; el: HTMLElement }): Promise<() => void> {
  const view = new RunView(await sourceOf(model), model.get('run_id'));
  el.append(view.element);
  return () => view.close();
}

export default { render };
