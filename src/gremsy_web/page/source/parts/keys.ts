// SPDX-License-Identifier: Apache-2.0
// Keyboard and gamepad. Space stops wherever the focus is; buttons are therefore pressed with Enter.

import type { Actions } from './actions.ts';

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function types(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement) return !target.readOnly;
  return target instanceof HTMLInputElement && !['range', 'checkbox', 'radio', 'button'].includes(target.type);
}

/** Single letters act only on the picture or nowhere in particular, never while a control has the focus. */
function onPicture(target: EventTarget | null): boolean {
  return target === document.body || (target instanceof Element && target.classList.contains('views'));
}

export function listenToKeys(actions: Actions): () => void {
  const held = new Set<string>();
  const steer = (slow: boolean): void => {
    let [x, y] = [0, 0];
    for (const key of held) {
      const [dx, dy] = ARROWS[key] ?? [0, 0];
      [x, y] = [x + dx, y + dy];
    }
    const share = slow ? 0.35 : 0.75;
    actions.steer('keys', x * share, y * share);
  };
  const letters: Readonly<Record<string, () => void>> = {
    '+': () => actions.zoom(1.2),
    '=': () => actions.zoom(1.2),
    '-': () => actions.zoom(1 / 1.2),
    n: () => actions.mark(1),
    p: () => actions.mark(-1),
    Enter: () => actions.trackMarked(),
    r: () => actions.release(),
    c: () => actions.control(),
    s: () => actions.settings(),
    f: () => actions.full(),
    '1': () => actions.view(0),
    '2': () => actions.view(1),
    '3': () => actions.view(2),
    '4': () => actions.view(3),
  };
  window.addEventListener(
    'keydown',
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.code === 'Space' && !types(event.target)) {
        event.preventDefault();
        event.stopPropagation();
        held.clear();
        if (!event.repeat) actions.stop();
        return;
      }
      if (!onPicture(event.target)) return;
      if (event.key in ARROWS) {
        event.preventDefault();
        if (event.repeat) return;
        held.add(event.key);
        steer(event.shiftKey);
        return;
      }
      const letter = letters[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (letter !== undefined && !event.repeat) {
        event.preventDefault();
        letter();
      }
    },
    true,
  );
  window.addEventListener(
    'keyup',
    (event) => {
      // Browsers press a button when space goes up.
      if (event.code === 'Space' && !types(event.target)) event.preventDefault();
      if (held.delete(event.key)) steer(event.shiftKey);
    },
    true,
  );
  const release = (): void => {
    if (held.size === 0) return;
    held.clear();
    steer(false);
  };
  window.addEventListener('blur', release);
  document.addEventListener('focusin', (event) => {
    if (!onPicture(event.target)) release();
  });
  return release;
}

const GAMEPAD = { track: 0, stop: 1, zoomOut: 4, zoomIn: 5, control: 9 } as const;
/** Worn sticks rest up to here. */
const DEAD = 0.12;

export class Pad {
  private pressed = new Set<number>();
  private moved = false;

  constructor(private readonly actions: Actions) {}

  /** Once a screen refresh. */
  poll(): void {
    const pad = navigator.getGamepads?.().find((one) => one !== null && one.mapping === 'standard') ?? null;
    if (pad === null) {
      if (this.moved) this.actions.steer('pad', 0, 0);
      this.moved = false;
      return;
    }
    const axis = (value: number | undefined): number =>
      value === undefined || Math.abs(value) < DEAD ? 0 : (value - Math.sign(value) * DEAD) / (1 - DEAD);
    const [x, y] = [axis(pad.axes[0]), axis(pad.axes[1])];
    const moves = x !== 0 || y !== 0;
    if (moves || this.moved) this.actions.steer('pad', x, y);
    this.moved = moves;
    const now = new Set<number>();
    pad.buttons.forEach((button, index) => {
      if (button.pressed) now.add(index);
    });
    const down = (index: number): boolean => now.has(index) && !this.pressed.has(index);
    if (down(GAMEPAD.stop)) this.actions.stop();
    if (down(GAMEPAD.track)) this.actions.trackNearest();
    if (down(GAMEPAD.zoomOut)) this.actions.zoom(1 / 1.2);
    if (down(GAMEPAD.zoomIn)) this.actions.zoom(1.2);
    if (down(GAMEPAD.control)) this.actions.control();
    this.pressed = now;
  }
}
