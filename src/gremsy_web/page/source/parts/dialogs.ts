// SPDX-License-Identifier: Apache-2.0
// Questions that come up over the page. But for the key's, which nothing works without, they are not modal: the STOP
// button stays in reach.

import { Refused, post } from '../requests.ts';
import { texts } from '../texts.ts';
import { button, h, setText } from './dom.ts';

const PRIMARY = { class: 'button primary' };

function open(heading: string, modal: boolean, ...children: (Node | string)[]): HTMLDialogElement {
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const dialog = h('dialog', { 'aria-labelledby': id }, h('h2', { id }, heading), ...children);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  if (modal) {
    dialog.showModal();
    return dialog;
  }
  const before = document.activeElement;
  dialog.show();
  dialog.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') dialog.close();
  });
  dialog.addEventListener('close', () => {
    if (before instanceof HTMLElement) before.focus();
  });
  return dialog;
}

/** One over the page, without taking the rest of it away. */
export function openDialog(heading: string, ...children: (Node | string)[]): HTMLDialogElement {
  return open(heading, false, ...children);
}

let asking: Promise<void> | null = null;

/** Asks for the key until the robot accepts one; asked once however many parts are refused. */
export function askKey(): Promise<void> {
  asking ??= new Promise<void>((resolve) => {
    const field = h('input', { type: 'password', id: 'key', autocomplete: 'current-password', required: true, maxlength: 1024 });
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const form = h(
      'form',
      {},
      h('p', {}, texts.key.ask),
      // What password managers keep the key under.
      h('input', { class: 'unseen', autocomplete: 'username', value: 'operator', tabindex: -1, 'aria-hidden': 'true', readonly: true }),
      h('label', { for: 'key' }, texts.key.field),
      field,
      wrong,
      h('div', { class: 'buttons' }, h('button', { class: 'button primary' }, texts.key.enter)),
    );
    const dialog = open(texts.key.heading, true, form);
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void post('api/session', { key: field.value }).then(
        () => {
          asking = null;
          dialog.close();
          resolve();
        },
        (error: unknown) => {
          field.value = '';
          setText(wrong, error instanceof Refused && error.status !== 401 ? error.message : texts.key.wrong);
        },
      );
    });
  });
  return asking;
}

/** A question whose answer is yes only where it is said. */
export function askConfirmation(heading: string, words: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = button(() => dialog.close(), {}, texts.control.cancel);
    const confirm = button(() => dialog.close('yes'), PRIMARY, yes);
    const dialog = open(heading, false, h('p', {}, words), h('div', { class: 'buttons' }, cancel, confirm));
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'));
  });
}

export function askTakeOver(holder: string): Promise<boolean> {
  return askConfirmation(texts.control.takeOver, texts.control.ask(holder), texts.control.takeOver);
}

/** Lines to be copied: shown too, since a page without TLS may be refused the clipboard. */
export function showLines(heading: string, words: string, lines: string): void {
  const field = h('textarea', { class: 'lines', readonly: true, rows: Math.min(16, lines.split('\n').length), wrap: 'off', spellcheck: 'false', 'aria-label': heading });
  field.value = lines;
  const said = h('p', { class: 'quiet-text', role: 'status' });
  const copy = async (): Promise<void> => {
    field.select();
    try {
      await navigator.clipboard.writeText(lines);
      setText(said, texts.settings.copied);
    } catch {
      // The old way works without TLS.
      setText(said, document.execCommand('copy') ? texts.settings.copied : texts.settings.copyYourself);
    }
  };
  const dialog = open(
    heading,
    false,
    h('p', {}, words),
    field,
    said,
    h(
      'div',
      { class: 'buttons' },
      button(() => dialog.close(), {}, texts.help.close),
      button(() => void copy(), PRIMARY, texts.settings.copyButton),
    ),
  );
}

export function showHelp(): void {
  const rows = texts.help.rows.map(([keys, meaning]) => h('div', {}, h('dt', {}, keys), h('dd', {}, meaning)));
  const dialog = open(
    texts.help.heading,
    false,
    h('dl', { class: 'help' }, ...rows),
    h('p', { class: 'quiet-text' }, texts.help.space),
    h('div', { class: 'buttons' }, button(() => dialog.close(), PRIMARY, texts.help.close)),
  );
}
