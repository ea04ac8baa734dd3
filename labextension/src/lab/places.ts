/** Show things where a front end has room: tabs of JupyterLab's main area, of Notebook 7's file page, or the sidebar of its others. */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { TabPanel, Widget } from '@lumino/widgets';

export class Places {
  private readonly shown = new Map<string, Widget>();
  private beside: Widget | null = null;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly isLab: boolean,
  ) {}

  /** Return the places of a front end; null where it has none that we know. */
  static of(app: JupyterFrontEnd, isLab: boolean): Places | null {
    return isLab || 'expandRight' in app.shell ? new Places(app, isLab) : null;
  }

  /** Show what is known as `id`; it is made where it is not there. */
  show(id: string, make: () => Widget): void {
    let widget = this.shown.get(id);
    if (widget === undefined) {
      widget = this.add(id, make());
      this.shown.set(id, widget);
      widget.disposed.connect(() => this.shown.delete(id));
    }
    const tabs = this.tabs();
    if (tabs !== null) {
      tabs.currentWidget = widget;
    } else {
      this.app.shell.activateById(widget.id);
      for (let around = widget.parent; around !== null; around = around.parent) {
        around.fit(); // a sidebar as wide as the style asks
      }
    }
  }

  /** Offer what is known as `id` without showing it: a tab of Notebook 7's file page, or an entry in the View menu. */
  offer(id: string, make: () => Widget): void {
    const widget = this.add(id, make());
    widget.title.closable = false;
    this.shown.set(id, widget);
    this.beside = null; // it stays
  }

  private add(id: string, content: Widget): Widget {
    const widget = this.isLab ? new MainAreaWidget({ content }) : content;
    const { title } = widget;
    widget.id = id;
    title.closable = true;
    title.caption ||= title.label;
    const tabs = this.tabs();
    if (this.isLab) {
      this.app.shell.add(widget, 'main');
    } else if (tabs !== null) {
      tabs.addWidget(widget);
    } else {
      this.beside?.dispose(); // the sidebar shows one thing at a time, and has no way to close one
      this.beside = widget;
      widget.addClass('aml-beside');
      this.app.shell.add(widget, 'right');
    }
    return widget;
  }

  /** Return the row of tabs of Notebook 7's file page. */
  private tabs(): TabPanel | null {
    const [first] = this.isLab ? [] : this.app.shell.widgets('main');
    return first instanceof TabPanel ? first : null;
  }
}
