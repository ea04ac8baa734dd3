/** Own the tabs of the main area that show one run each. */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { nameOf } from '../view/format';
import { Page, RestSource } from '../view/rest';
import { RunView } from '../view/run';

class RunTab extends Widget {
  private readonly view: RunView;

  constructor(
    page: Page,
    readonly workspace: string,
    readonly run: string,
    open: (id: string) => void,
  ) {
    super();
    this.id = `aml-run-${workspace}-${run}`;
    this.title.label = run;
    this.title.caption = run;
    this.title.closable = true;
    this.view = new RunView(RestSource.of(page, workspace), run, {
      isWhole: true,
      openRun: open,
      onRun: (shown) => (this.title.label = nameOf(shown)),
    });
    this.node.append(this.view.element);
  }

  override dispose(): void {
    this.view.close();
    super.dispose();
  }
}

export class RunTabs {
  readonly tracker = new WidgetTracker<MainAreaWidget<RunTab>>({ namespace: 'aml-runs' });

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly page: Page,
  ) {}

  /** Show the tab of a run, a new one if there is none. */
  open(workspace: string, id: string): void {
    const known = this.tracker.find((tab) => tab.content.workspace === workspace && tab.content.run === id);
    if (known) {
      this.app.shell.activateById(known.id);
      return;
    }
    const content = new RunTab(this.page, workspace, id, (other) => this.open(workspace, other));
    const tab = new MainAreaWidget({ content });
    tab.id = content.id;
    void this.tracker.add(tab);
    this.app.shell.add(tab, 'main');
    this.app.shell.activateById(tab.id);
  }
}
