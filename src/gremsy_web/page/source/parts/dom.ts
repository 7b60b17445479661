// SPDX-License-Identifier: Apache-2.0
// Elements in one call, and what the browser remembers of a visitor's choices.

type Child = Node | string | null;
type Attributes = Readonly<Record<string, string | boolean | number | undefined>>;

function fill<T extends Element>(element: T, attributes: Attributes, children: readonly Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(name), attributes, children);
}

export function s<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

/** A button and what it does; of the usual look unless `attributes` have another class. */
export function button(action: () => void, attributes: Attributes, ...children: readonly Child[]): HTMLButtonElement {
  const element = h('button', { type: 'button', class: 'button', ...attributes }, ...children);
  element.addEventListener('click', action);
  return element;
}

/** Sets a text only where it changes, so that screen readers are not told the same thing again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function icon(path: string): SVGSVGElement {
  return s('svg', { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' }, s('path', { d: path }));
}

export const icons = {
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  camera: 'M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7',
  record: 'M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12',
  layers: 'M12 4l9 5-9 5-9-5zM3 14l9 5 9-5',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  home: 'M4 11l8-7 8 7M6 10v10h12V10',
  close: 'M6 6l12 12M18 6L6 18',
  settings: 'M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4',
  help: 'M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.5',
} as const;

export function remembered(name: string, otherwise: string): string {
  try {
    return window.localStorage.getItem(`gremsy.${name}`) ?? otherwise;
  } catch {
    return otherwise; // a private window: choices last as long as the page
  }
}

export function remember(name: string, value: string): void {
  try {
    window.localStorage.setItem(`gremsy.${name}`, value);
  } catch {
    // See above.
  }
}
