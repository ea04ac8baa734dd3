/** Show an output of the kind `application/vnd.aml.run.v1+json`: it asks the server, so it lives without a kernel, too. */

import { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import { ask, Page, RestSource } from '../view/rest';
import { RunView } from '../view/run';
import { Refused } from '../view/source';

export const RUN_TYPE = 'application/vnd.aml.run.v1+json';

const AGAIN = 3000;

/** Shows a run of a workspace in a place of its own. */
export type OpenRun = (workspace: string, id: string) => void;

interface RunData {
  workspace: string;
  run_id: string;
}

class RunRenderer extends Widget implements IRenderMime.IRenderer {
  private view: RunView | null = null;
  private shown = '';
  private again: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly page: Page,
    private readonly openRun: OpenRun | undefined,
    private readonly registry: IRenderMimeRegistry,
  ) {
    super();
    this.addClass('aml-output-area');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = model.data[RUN_TYPE] as unknown as RunData;
    const key = `${data.workspace} ${data.run_id}`;
    if (key === this.shown) {
      return; // a new snapshot of the same run for readers without scripts: the view here is newer
    }
    this.shown = key;
    this.clear();
    try {
      await ask(
        this.page,
        'GET',
        `workspaces/${encodeURIComponent(data.workspace)}/runs/${encodeURIComponent(data.run_id)}?brief=true`,
      );
    } catch (error) {
      this.shown = '';
      await this.renderSnapshot(model);
      const isKnown = error instanceof Refused && error.status < 500;
      if (!isKnown && !this.isDisposed) {
        this.again = setTimeout(() => void this.renderModel(model), AGAIN); // the server is away: not for long
      }
      return;
    }
    if (!this.isDisposed && this.shown === key) {
      const open = this.openRun;
      const host = open ? { openRun: (id: string): void => open(data.workspace, id) } : {};
      this.view = new RunView(RestSource.of(this.page, data.workspace), data.run_id, host);
      this.node.replaceChildren(this.view.element);
    }
  }

  override dispose(): void {
    this.clear();
    super.dispose();
  }

  /** Show what the notebook was saved with, where the server does not have the run. */
  private async renderSnapshot(model: IRenderMime.IMimeModel): Promise<void> {
    const type = ['text/html', 'text/plain'].find((each) => each in model.data);
    if (type !== undefined) {
      const snapshot = this.registry.createRenderer(type);
      await snapshot.renderModel(model);
      this.node.replaceChildren(snapshot.node);
    }
  }

  private clear(): void {
    clearTimeout(this.again);
    this.view?.close();
    this.view = null;
    this.node.replaceChildren();
  }
}

/** Let `registry` show runs live. */
export function addRunRenderer(registry: IRenderMimeRegistry, page: Page, openRun?: OpenRun): void {
  registry.addFactory(
    {
      safe: true,
      mimeTypes: [RUN_TYPE],
      createRenderer: () => new RunRenderer(page, openRun, registry),
    },
    -20, // before a widget's view (-10) and HTML (60), which are for front ends without this extension
  );
}
