// SPDX-License-Identifier: Apache-2.0
// One parameter: its name, meaning, range and default, and the control that fits its type.

import { isChanged, sameValue, shown, sliderStep, typed, type Setting, type SettingValue } from '../logic/setting_values.ts';
import { texts } from '../texts.ts';
import { h, setText } from './dom.ts';

interface Control {
  readonly elements: readonly HTMLElement[];
  show(value: SettingValue | null): void;
  /** Whether somebody is just typing in it. */
  busy(): boolean;
}

export class SettingRow {
  readonly element: HTMLElement;
  private readonly control: Control;
  private readonly badge = h('span', { class: 'badge', hidden: true }, texts.settings.isChanged);
  private readonly reset = h('button', { type: 'button', class: 'link-button', hidden: true }, texts.settings.reset);
  private readonly wrong = h('p', { class: 'wrong', role: 'alert' });
  private readonly id: string;
  private locked = false;

  constructor(
    node: string,
    private now: Setting,
    private readonly change: (setting: Setting, value: SettingValue | null) => Promise<string | null>,
  ) {
    this.id = `set-${node}-${now.name}`.replaceAll(/[^\w-]/g, '-');
    this.control = now.readOnly ? this.reading() : this.controlOf(now);
    this.reset.addEventListener('click', () => {
      // The button goes when it has worked, and must not take the focus with it.
      document.getElementById(this.id)?.focus();
      void this.set(this.now.default);
    });
    this.reset.setAttribute('aria-label', texts.settings.resetLong(now.name));
    this.element = h(
      'div',
      { class: `setting${now.readOnly ? ' is-fixed' : ''}`, 'data-name': now.name },
      h(
        'div',
        { class: 'setting-head' },
        now.readOnly ? h('span', { class: 'setting-name', id: this.id }, now.name) : h('label', { class: 'setting-name', for: this.id }, now.name),
        now.readOnly ? h('span', { class: 'badge is-fixed' }, texts.settings.atStart) : null,
        this.badge,
      ),
      h('div', { class: 'setting-control' }, ...this.control.elements, now.unit === '' ? null : h('span', { class: 'setting-unit' }, now.unit)),
      h('p', { class: 'setting-words', id: `${this.id}-words` }, now.description),
      h('p', { class: 'setting-facts number' }, facts(now), this.reset),
      this.wrong,
    );
    this.showNow();
  }

  get setting(): Setting {
    return this.now;
  }

  take(setting: Setting): void {
    this.now = setting;
    this.showNow();
  }

  lock(locked: boolean): void {
    this.locked = locked;
    for (const part of this.element.querySelectorAll('input, select, button')) {
      if (part instanceof HTMLInputElement || part instanceof HTMLSelectElement || part instanceof HTMLButtonElement) part.disabled = locked;
    }
  }

  private showNow(): void {
    if (!this.control.busy()) this.control.show(this.now.value);
    const changed = isChanged(this.now);
    this.badge.hidden = !changed;
    this.reset.hidden = !changed || this.now.readOnly;
  }

  private async set(value: SettingValue | null): Promise<void> {
    if (value === null || this.locked) return;
    this.complain('');
    if (sameValue(value, this.now.value)) {
      this.control.show(value);
      return;
    }
    this.element.classList.add('is-sent');
    const wrong = await this.change(this.now, value);
    this.element.classList.remove('is-sent');
    if (wrong !== null) this.complain(wrong);
    // What is typed stays to be mended; what is pushed or chosen goes back to what is.
    if (wrong === null || !this.typesText) this.control.show(this.now.value);
  }

  private get typesText(): boolean {
    return !this.now.readOnly && this.now.type !== 'bool' && this.now.choices.length === 0;
  }

  private complain(words: string): void {
    setText(this.wrong, words);
    this.element.classList.toggle('is-wrong', words !== '');
  }

  private reading(): Control {
    const value = h('output', { class: 'setting-value', 'aria-labelledby': this.id });
    return { elements: [value], show: (now) => setText(value, now === null ? texts.settings.empty : worded(now)), busy: () => false };
  }

  private controlOf(setting: Setting): Control {
    if (setting.type === 'bool') return this.switchOf();
    if (setting.choices.length > 0) return this.choiceOf(setting);
    return this.fieldOf(setting);
  }

  private switchOf(): Control {
    const button = h('button', { type: 'button', class: 'toggle', role: 'switch', id: this.id, 'aria-describedby': `${this.id}-words` });
    button.addEventListener('click', () => void this.set(this.now.value !== true));
    return {
      elements: [button],
      show: (value) => {
        button.setAttribute('aria-checked', String(value === true));
        setText(button, value === true ? texts.settings.on : texts.settings.off);
      },
      busy: () => false,
    };
  }

  private choiceOf(setting: Setting): Control {
    const select = h(
      'select',
      { id: this.id, 'aria-describedby': `${this.id}-words` },
      ...setting.choices.map((choice) => h('option', { value: choice }, choice === '' ? texts.settings.empty : choice)),
    );
    select.addEventListener('change', () => void this.set(select.value));
    return { elements: [select], show: (value) => (select.value = shown(value)), busy: () => false };
  }

  private fieldOf(setting: Setting): Control {
    const isNumber = setting.type === 'int' || setting.type === 'float';
    const field = h('input', {
      id: this.id,
      type: 'text',
      inputmode: isNumber ? 'decimal' : undefined,
      class: isNumber ? 'number' : undefined,
      maxlength: 1000,
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-describedby': `${this.id}-words`,
    });
    const commit = (): void => {
      const found = typed(setting.type, field.value);
      if ('wrong' in found) this.complain(texts.settings.wrong[found.wrong]);
      else void this.set(found.value);
    };
    field.addEventListener('change', commit);
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      // The first one takes back what was typed, the next one closes.
      if (field.value !== shown(this.now.value)) event.stopPropagation();
      field.value = shown(this.now.value);
      this.complain('');
    });
    const step = sliderStep(setting);
    if (step === null) {
      return { elements: [field], show: (value) => (field.value = shown(value)), busy: () => document.activeElement === field && field.value !== shown(this.now.value) };
    }
    const slider = h('input', { type: 'range', min: setting.low ?? 0, max: setting.high ?? 1, step, 'aria-label': setting.name, 'aria-describedby': `${this.id}-words` });
    slider.addEventListener('input', () => (field.value = String(Number(slider.value))));
    slider.addEventListener('change', () => void this.set(Number(slider.value)));
    return {
      elements: [slider, field],
      show: (value) => {
        field.value = shown(value);
        slider.value = shown(value);
      },
      busy: () => (document.activeElement === field || document.activeElement === slider) && field.value !== shown(this.now.value),
    };
  }
}

/** Range and default in one line. */
function facts(setting: Setting): string {
  const { low, high, unit, constraints } = setting;
  const known = setting.default === null ? '' : texts.settings.byDefault(worded(setting.default));
  return [ranged(low, high, unit) || constraints, known].filter((part) => part !== '').join(' · ');
}

function ranged(low: number | null, high: number | null, unit: string): string {
  const [from, to] = [low, high].map((end) => `${end ?? ''} ${unit}`.trim());
  if (low !== null && high !== null) return texts.settings.range(String(low), to ?? '');
  if (low !== null) return texts.settings.least(from ?? '');
  return high === null ? '' : texts.settings.most(to ?? '');
}

function worded(value: SettingValue): string {
  if (typeof value === 'boolean') return (value ? texts.settings.on : texts.settings.off).toLowerCase();
  return shown(value) || texts.settings.empty;
}
