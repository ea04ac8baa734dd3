/** Show a sweep's charts as the server draws them: SVG without scripts, in a frame that can run none and load nothing. */

import { PageAnswer } from './api';
import { fill, h } from './dom';
import { Coalescer, pathOf } from './source';
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
  private shown = '';
  private isClosed = false;

  constructor(private readonly store: RunStore) {
    this.frame = h('iframe', { class: 'aml-frame', sandbox: 'allow-same-origin', title: t('sweep') });
    this.frame.addEventListener('load', () => this.fit());
    this.element = h('div', {}, h('span', { class: 'aml-faint' }, t('reading ...')));
    store.on('run', () => this.soon.ask());
    store.on('children', () => this.soon.ask());
    store.followChildren();
    this.soon.ask();
  }

  close(): void {
    this.isClosed = true;
    this.soon.stop();
  }

  private async read(): Promise<void> {
    const path = `${pathOf('runs', this.store.id)}/page`;
    const answer = await this.store.source.get<PageAnswer>(path).catch(() => null);
    if (answer === null || this.isClosed || answer.html === this.shown) {
      return;
    }
    this.shown = answer.html;
    if (!this.frame.isConnected) {
      fill(this.element, this.frame);
    }
    this.frame.setAttribute('srcdoc', this.document(answer.html));
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
