/**
 * Show a sweep: what one can do with it, its children as lines to choose among, and the charts as the server draws them: SVG
 * without scripts, in a frame that can run none and load nothing.
 */

import { PageAnswer, SweepAnswer, SweepNow } from './api';
import { fill, h } from './dom';
import { ParallelView } from './parallel';
import { Coalescer, pathOf } from './source';
import { SweepControls } from './steer';
import { RunStore } from './store';
import { t } from './text';

const PAUSE = 3000;
const VARIABLES = [
  '--jp-success-color1',
  '--jp-error-color1',
  '--jp-brand-color1',
  '--jp-warn-color1',
  '--jp-ui-font-color2',
  '--jp-border-color2',
  '--jp-code-font-family',
];
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

export class SweepView {
  readonly element: HTMLElement;
  private readonly frame: HTMLIFrameElement;
  private readonly soon = new Coalescer(() => void this.read(), PAUSE);
  private readonly controls: SweepControls;
  private readonly chart = h('div');
  private readonly page = h('div', {}, h('span', { class: 'aml-faint' }, t('reading ...')));
  private parallel: ParallelView | null = null;
  private now: SweepNow | null = null;
  private axes = '';
  private shown = '';
  private isClosed = false;

  constructor(
    private readonly store: RunStore,
    open: (id: string) => void,
  ) {
    this.controls = new SweepControls(store, open, () => void this.read());
    this.frame = h('iframe', { class: 'aml-frame', sandbox: 'allow-same-origin', title: t('sweep') });
    this.frame.addEventListener('load', () => this.fit());
    this.element = h('div', {}, this.controls.element, this.chart, this.page);
    store.on('run', () => this.soon.ask());
    store.on('children', () => {
      this.drawParallel();
      this.soon.ask();
    });
    store.followChildren();
    this.soon.ask();
  }

  close(): void {
    this.isClosed = true;
    this.soon.stop();
  }

  private async read(): Promise<void> {
    const path = pathOf('runs', this.store.id);
    const { source } = this.store;
    const now = await source.get<SweepAnswer>(`${path}/sweep`).catch(() => null);
    if (now !== null && !this.isClosed) {
      this.controls.update(now.sweep);
      this.now = now.sweep;
      this.drawParallel();
    }
    const answer = await source.get<PageAnswer>(`${path}/page`).catch(() => null);
    if (answer === null || this.isClosed || answer.html === this.shown) {
      return;
    }
    this.shown = answer.html;
    if (!this.frame.isConnected) {
      fill(this.page, this.frame);
    }
    this.frame.setAttribute('srcdoc', this.document(answer.html));
  }

  private drawParallel(): void {
    const { children } = this.store;
    const axes = this.now?.axes ?? [];
    const key = JSON.stringify(axes);
    if (children?.metric && axes.length && key !== this.axes && children.metrics[children.metric]) {
      this.axes = key;
      this.parallel = new ParallelView(this.store, axes, children.metric);
      fill(this.chart, this.parallel.element);
    } else {
      this.parallel?.draw();
    }
  }

  /** Return a page with the colours of the one around it. */
  private document(html: string): string {
    const style = getComputedStyle(this.element);
    const colours = VARIABLES.map((name) => `${name}:${style.getPropertyValue(name)}`).join(';');
    const body = `margin:0;color:${style.color};font:13px/1.45 ${style.fontFamily.replace(/"/g, "'")}`;
    return (
      `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
      `<style>:root{color-scheme:${style.colorScheme};${colours}}body{${body}}</style><body>${html}</body>`
    );
  }

  private fit(): void {
    const height = this.frame.contentDocument?.documentElement.scrollHeight;
    if (height) {
      this.frame.style.height = `${height + 4}px`;
    }
  }
}
