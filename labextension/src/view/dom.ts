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

/** Put `children` in place of what `element` holds. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter(isShown).map(asNode));
}

/** Set the text of `element` when it differs, so that a selection in it survives. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Return a button; `act` may be asynchronous: the button is disabled until it is done. */
export function button(
  label: string,
  act: (event: MouseEvent) => unknown,
  attributes: Record<string, Attribute> = {},
): HTMLButtonElement {
  const made = h('button', { type: 'button', class: 'aml-button', ...attributes }, label);
  made.addEventListener('click', (event) => {
    const result = act(event);
    if (result instanceof Promise) {
      made.disabled = true;
      void result.catch(() => undefined).finally(() => (made.disabled = false));
    }
  });
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
