/** The panel's places in JupyterLab: the left sidebar, and a tab of the main area. */

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
  constructor(private readonly held: Closable) {
    super();
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
  const widget = new Holder(new Manager(page, host));
  widget.id = 'aml-panel';
  widget.title.icon = ICON;
  widget.title.caption = t('Runs and compute');
  widget.node.setAttribute('role', 'region');
  widget.node.setAttribute('aria-label', t('Runs and compute'));
  return widget;
}

/** Return the panel for a wide place. */
export function widePanel(page: Page, host: Omit<PanelHost, 'openWide'>): Widget {
  return holder(t('Runs and compute'), new Manager(page, host));
}

/** Return runs side by side. */
export function comparison(page: Page, workspace: string, ids: string[]): Widget {
  return holder(t('compare {0} runs', ids.length), new CompareView(RestSource.of(page, workspace), ids));
}

function holder(label: string, held: Closable): Widget {
  const widget = new Holder(held);
  widget.title.label = label;
  widget.title.icon = ICON;
  return widget;
}
