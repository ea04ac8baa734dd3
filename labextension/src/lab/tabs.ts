/** Own what shows one run in a place of its own. */

import { Widget } from '@lumino/widgets';

import { nameOf } from '../view/format';
import { Page, RestSource } from '../view/rest';
import { RunView } from '../view/run';
import { ICON } from './panel';
import { Places } from './places';

class RunTab extends Widget {
  private readonly view: RunView;

  constructor(page: Page, workspace: string, run: string, open: (id: string) => void) {
    super();
    this.title.label = run;
    this.title.caption = run;
    this.title.icon = ICON;
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

/** Show a run in a place of its own; the one that is there, if there is one. */
export function showRun(places: Places, page: Page, workspace: string, run: string): void {
  const open = (other: string): void => showRun(places, page, workspace, other);
  places.show(`aml-run-${workspace}-${run}`, () => new RunTab(page, workspace, run, open));
}
