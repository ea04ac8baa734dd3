/** Own a row of tabs: one is open, arrow keys go from one to the next, and the buttons stay the same while the rest is drawn. */

import { fill, h, say } from './dom';

let count = 0;

export class Tabs<K extends string> {
  readonly element: HTMLElement;
  private readonly buttons = new Map<K, HTMLButtonElement>();
  private keys: K[] = [];
  private readonly name = `aml-tabs-${count++}`;

  /** `panel` is what the tabs are of, `choose` is called with the tab that a person asks for. */
  constructor(
    label: string,
    private readonly panel: HTMLElement,
    private readonly choose: (key: K) => void,
  ) {
    this.element = h('div', { class: 'aml-tabs', role: 'tablist', 'aria-label': label });
    this.element.addEventListener('keydown', (event) => this.walk(event));
    panel.id ||= this.name;
    panel.setAttribute('role', 'tabpanel');
  }

  /** Show `tabs` (key, label), of which `open` is the open one. */
  show(tabs: readonly (readonly [K, string])[], open: K | null): void {
    this.keys = tabs.map(([key]) => key);
    fill(this.element, ...tabs.map(([key, label]) => this.buttonOf(key, label, key === open)));
    if (open !== null) {
      this.panel.setAttribute('aria-labelledby', `${this.name}-${open}`);
    }
  }

  private buttonOf(key: K, label: string, isOpen: boolean): HTMLButtonElement {
    const made = this.buttons.get(key) ?? this.newButton(key);
    say(made, label);
    made.setAttribute('aria-selected', String(isOpen));
    made.tabIndex = isOpen ? 0 : -1;
    return made;
  }

  private newButton(key: K): HTMLButtonElement {
    const made = h('button', {
      type: 'button',
      role: 'tab',
      class: 'aml-tab',
      id: `${this.name}-${key}`,
      'aria-controls': this.panel.id,
      'data-tab': key,
    });
    made.addEventListener('click', () => this.choose(key));
    this.buttons.set(key, made);
    return made;
  }

  private walk(event: KeyboardEvent): void {
    const place = this.keys.findIndex((key) => this.buttons.get(key) === event.target);
    const last = this.keys.length - 1;
    const next: Record<string, number> = {
      ArrowRight: place === last ? 0 : place + 1,
      ArrowLeft: place <= 0 ? last : place - 1,
      Home: 0,
      End: last,
    };
    if (place >= 0 && event.key in next) {
      event.preventDefault();
      event.stopPropagation();
      const key = this.keys[next[event.key]];
      this.choose(key);
      this.buttons.get(key)?.focus();
    }
  }
}
