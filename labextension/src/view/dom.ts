/** Make elements. Data becomes text nodes and attributes only: nothing of a run is ever read as HTML. */

export type Child = Node | string | number | null | undefined | false;

type Handler = (event: never) => void;
type Attribute = string | number | boolean | null | undefined | Handler;

/** Return an element; `on...` attributes are listeners, false and null leave an attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), value as EventListener);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...children.filter(isShown).map(asNode));
  return element;
}

/** Let `element` hold `children`, in order; those that it holds already are not touched, so that focus and scroll stay. */
export function fill(element: Element, ...children: Child[]): void {
  const wanted = children.filter(isShown).map((child) => {
    const node = asNode(child);
    return typeof node === 'string' ? document.createTextNode(node) : node;
  });
  const kept = new Set<Node>(wanted);
  [...element.childNodes].filter((node) => !kept.has(node)).forEach((node) => node.remove());
  wanted.forEach((node, place) => {
    const there = element.childNodes[place] ?? null;
    if (there !== node) {
      element.insertBefore(node, there);
    }
  });
}

/** The same, but nothing is touched where the new children look as those that are there. */
export function renew(element: Element, ...children: Child[]): void {
  const next = h('div', {}, ...children);
  const isSame =
    next.childNodes.length === element.childNodes.length &&
    [...next.childNodes].every((node, place) => node.isEqualNode(element.childNodes[place]));
  if (!isSame) {
    element.replaceChildren(...next.childNodes);
  }
}

/** Set the text of `element` when it differs, so that a selection in it survives. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Return a button; `act` may be asynchronous: the button takes no further press, but keeps the focus, until it is done. */
export function button(
  label: string,
  act: (event: MouseEvent) => unknown,
  attributes: Record<string, Attribute> = {},
): HTMLButtonElement {
  const made = h('button', { type: 'button', class: 'aml-button', ...attributes }, label);
  made.addEventListener('click', (event) => {
    if (made.hasAttribute('aria-disabled')) {
      return;
    }
    const result = act(event);
    if (result instanceof Promise) {
      made.setAttribute('aria-disabled', 'true');
      void result.catch(() => undefined).finally(() => made.removeAttribute('aria-disabled'));
    }
  });
  return made;
}

/**
 * Return a button that asks once more before it acts. The question stands, however often the view is drawn anew, until it is
 * answered by a second press, or withdrawn: Escape, Tab, or a press elsewhere.
 */
export function sureButton(
  label: string,
  question: () => string,
  act: () => Promise<void>,
  attributes: Record<string, Attribute> = {},
): HTMLButtonElement {
  const made = button(
    label,
    () => {
      if (made.classList.contains('aml-sure')) {
        return sure();
      }
      made.classList.add('aml-sure');
      say(made, question());
      ['click', 'keydown'].forEach((kind) => document.addEventListener(kind, elsewhere, true));
      return undefined;
    },
    attributes,
  );
  const close = (): void => {
    made.classList.remove('aml-sure');
    say(made, label);
    ['click', 'keydown'].forEach((kind) => document.removeEventListener(kind, elsewhere, true));
  };
  const sure = (): Promise<void> => {
    close();
    return act();
  };
  const elsewhere = (event: Event): void => {
    const key = (event as KeyboardEvent).key;
    if (key === undefined ? event.target !== made : key === 'Escape' || key === 'Tab') {
      close();
    }
  };
  return made;
}

/** Return a drop-down of `choices` (value, label). */
export function select(
  label: string,
  choices: readonly (readonly [string, string])[],
  chosen: string,
  change: (value: string) => void,
): HTMLSelectElement {
  const made = h(
    'select',
    { class: 'aml-select', 'aria-label': label, title: label },
    ...choices.map(([value, shown]) => h('option', { value, selected: value === chosen }, shown)),
  );
  made.addEventListener('change', () => change(made.value));
  return made;
}

/** Let a drop-down offer `choices`; it keeps its place, and what stays of them is not touched. */
export function offer(
  element: HTMLSelectElement,
  choices: readonly (readonly [string, string])[],
  chosen: string,
): void {
  const known = new Map([...element.options].map((option) => [option.value, option]));
  fill(
    element,
    ...choices.map(([value, shown]) => {
      const option = known.get(value) ?? h('option', { value });
      say(option, shown);
      return option;
    }),
  );
  element.value = chosen;
}

/** Return a labelled tick box. */
export function tick(label: string, checked: boolean, change: (value: boolean) => void): HTMLLabelElement {
  const box = h('input', { type: 'checkbox', checked });
  box.addEventListener('change', () => change(box.checked));
  return h('label', { class: 'aml-tick' }, box, label);
}

/** Copy `text`, and say so on the button for a moment. */
export async function copy(text: string, from: HTMLElement, done: string): Promise<void> {
  const label = from.textContent;
  await navigator.clipboard.writeText(text);
  from.textContent = done;
  setTimeout(() => (from.textContent = label), 1500);
}

function isShown(child: Child): child is Node | string | number {
  return child !== null && child !== undefined && child !== false;
}

function asNode(child: Node | string | number): Node | string {
  return typeof child === 'number' ? String(child) : child;
}
