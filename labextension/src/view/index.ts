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

interface Shown {
  view: RunView;
  source: Source;
}

/** The view of each widget by its key, so that an output that is drawn anew goes on with it: its tab, its place, its question. */
const known = new Map<string, Shown>();
/** Milliseconds after which a view that is in no page any more is ended. */
const LEFT = 2000;

/** Show the run that an anywidget model names; returns how to end it. */
async function render({ model, el }: { model: WidgetModel; el: HTMLElement }): Promise<() => void> {
  const key = model.get('key');
  let shown = known.get(key);
  if (shown === undefined || shown.view.element.isConnected) {
    const source = await sourceOf(model);
    shown = { view: new RunView(source, model.get('run_id')), source };
    known.set(key, shown);
    el.append(shown.view.element);
  } else {
    el.append(shown.view.element);
    shown.view.comeBack();
    if (shown.source instanceof CommSource) {
      shown.source.attach(model);
    }
  }
  const { view } = shown;
  const leave = (): void => {
    if (el.contains(view.element)) {
      view.close();
      view.element.remove();
      if (known.get(key)?.view === view) {
        known.delete(key);
      }
    }
  };
  return () => void setTimeout(leave, LEFT); // the output may be drawn anew right after
}

export default { render };
