/** The panel's places in JupyterLab: the left sidebar, and a tab of the main area. */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { LabIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { CompareView } from '../panel/compare';
import { Manager, PanelHost } from '../panel/manager';
import { Page, RestSource } from '../view/rest';
import { t } from '../view/text';

export const ICON = new LabIcon({
  name: 'aml-jupyter:runs',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><g class="jp-icon3" fill="#616161">' +
    '<path d="M4 4h4v4H4zM4 16h4v4H4zM16 10h4v4h-4z"/><path d="M8 5h5v6h3v2h-3v6H8v-2h3V7H8z"/></g></svg>',
});

interface Closable {
  element: HTMLElement;
  close(): void;
}

/** Holds something with an element, and closes it with itself. */
class Holder extends Widget {
  constructor(
    id: string,
    private readonly held: Closable,
  ) {
    super();
    this.id = id;
    this.addClass('aml-holder');
    this.node.append(held.element);
    this.node.style.overflow = 'auto';
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.held.close();
    }
    super.dispose();
  }
}

/** Return the panel for a sidebar. */
export function sidebar(page: Page, host: PanelHost): Widget {
  const widget = new Holder('aml-panel', new Manager(page, host));
  widget.title.icon = ICON;
  widget.title.caption = t('Runs and compute');
  widget.node.setAttribute('role', 'region');
  widget.node.setAttribute('aria-label', t('Runs and compute'));
  return widget;
}

/** Show the panel in the main area; the one that is there, if there is one. */
export function showWide(app: JupyterFrontEnd, page: Page, host: Omit<PanelHost, 'openWide'>): void {
  show(app, 'aml-manager', t('Runs and compute'), () => new Manager(page, host));
}

/** Show runs side by side in the main area. */
export function showComparison(app: JupyterFrontEnd, page: Page, workspace: string, ids: string[]): void {
  const id = `aml-compare-${workspace}-${ids.join('-')}`;
  show(
    app,
    id,
    t('compare {0} runs', ids.length),
    () => new CompareView(RestSource.of(page, workspace), ids),
  );
}

function show(app: JupyterFrontEnd, id: string, label: string, make: () => Closable): void {
  const known = [...app.shell.widgets('main')].find((widget) => widget.id === id);
  if (known) {
    app.shell.activateById(id);
    return;
  }
  const tab = new MainAreaWidget({ content: new Holder(`${id}-content`, make()) });
  tab.id = id;
  tab.title.label = label;
  tab.title.icon = ICON;
  tab.title.closable = true;
  app.shell.add(tab, 'main');
  app.shell.activateById(id);
}
