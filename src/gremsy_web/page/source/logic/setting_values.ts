// SPDX-License-Identifier: Apache-2.0
// The nodes' parameters as they describe them: read, typed in, compared with their defaults, written as YAML. Knows no DOM.

export type SettingValue = boolean | number | string | readonly (boolean | number | string)[];

export interface Setting {
  readonly name: string;
  /** bool, int, float, str, or one of these with ` list`. */
  readonly type: string;
  readonly value: SettingValue | null;
  readonly description: string;
  readonly constraints: string;
  readonly readOnly: boolean;
  readonly low: number | null;
  readonly high: number | null;
  readonly unit: string;
  readonly choices: readonly string[];
  readonly default: SettingValue | null;
}

/** More steps than a finger can find on a slider. */
const MOST_STEPS = 400;

function plain(value: unknown): value is boolean | number | string {
  return typeof value === 'boolean' || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

function asValue(value: unknown): SettingValue | null {
  if (plain(value)) return value;
  return Array.isArray(value) && value.every(plain) ? (value as SettingValue) : null;
}

/** What the robot answered, without what is not understood. */
export function readSettings(answer: unknown): Setting[] {
  const found: Setting[] = [];
  for (const one of Array.isArray(answer) ? (answer as unknown[]) : []) {
    if (typeof one !== 'object' || one === null) continue;
    const fields = one as Readonly<Record<string, unknown>>;
    const words = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
    const limit = (name: string): number | null => (typeof fields[name] === 'number' ? fields[name] : null);
    if (words('name') === '') continue;
    const choices = Array.isArray(fields['choices']) ? (fields['choices'] as unknown[]).map(String) : [];
    found.push({
      name: words('name'),
      type: words('type'),
      value: asValue(fields['value']),
      description: words('description'),
      constraints: words('constraints'),
      readOnly: fields['read_only'] === true,
      low: limit('low'),
      high: limit('high'),
      unit: words('unit'),
      choices,
      default: asValue(fields['default']),
    });
  }
  return found;
}

export function sameValue(a: SettingValue | null, b: SettingValue | null): boolean {
  if (typeof a === 'object' || typeof b === 'object') return JSON.stringify(a) === JSON.stringify(b);
  return a === b;
}

/** Whether it has another value than its declaration; not known of one whose default nobody says. */
export function isChanged(setting: Setting): boolean {
  return setting.value !== null && setting.default !== null && !sameValue(setting.value, setting.default);
}

/** Every word of a search is somewhere in its name, its node's or its meaning. */
export function matches(setting: Setting, node: string, search: string): boolean {
  const text = `${node} ${setting.name} ${setting.name.replaceAll('_', ' ')} ${setting.description}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The step of a slider from `low` to `high`: 1, 2 or 5 of some power of ten; null where a slider is no way to set it. */
export function sliderStep(setting: Setting): number | null {
  const { low, high } = setting;
  if (low === null || high === null || !(high > low)) return null;
  if (setting.type === 'int') return high - low <= MOST_STEPS ? 1 : null;
  if (setting.type !== 'float') return null;
  // Of a wide range the part that is used is too short to be found: 0 to 10000 with a value of 3.
  const used = Math.max(Math.abs(Number(setting.default ?? 0)), Math.abs(Number(setting.value ?? 0)));
  if (used > 0 && (high - low) / used > MOST_STEPS) return null;
  const wanted = (high - low) / MOST_STEPS;
  const power = 10 ** Math.ceil(Math.log10(wanted) - 1e-9);
  const step = [0.2, 0.5, 1].map((part) => part * power).find((one) => one >= wanted * (1 - 1e-9)) ?? power;
  return Number(step.toPrecision(6));
}

/** As it is shown and typed: lists in one line, their parts with commas between. */
export function shown(value: SettingValue | null): string {
  if (value === null) return '';
  if (typeof value !== 'object') return String(value);
  const simple = value.every((one) => typeof one !== 'string' || (/^[^,[\]"]+$/.test(one) && one.trim() === one));
  return simple ? value.join(', ') : JSON.stringify(value);
}

export type Typed = { readonly value: SettingValue } | { readonly wrong: 'number' | 'whole' | 'list' };

/** What somebody typed, in the parameter's own type; the robot looks at ranges and all else. */
export function typed(type: string, text: string): Typed {
  if (type.endsWith(' list')) return typedList(type.slice(0, -5), text.trim());
  if (type === 'int' || type === 'float') {
    const number = Number(text.trim().replace(',', '.'));
    if (text.trim() === '' || !Number.isFinite(number)) return { wrong: 'number' };
    return type === 'int' && !Number.isSafeInteger(number) ? { wrong: 'whole' } : { value: number };
  }
  return { value: text };
}

function typedList(type: string, text: string): Typed {
  let parts: unknown[];
  if (text === '' || text === '[]') return { value: [] };
  if (text.startsWith('[')) {
    try {
      parts = JSON.parse(text) as unknown[];
    } catch {
      return { wrong: 'list' };
    }
  } else {
    parts = text.split(',').map((part) => part.trim());
  }
  const values: (boolean | number | string)[] = [];
  for (const part of parts) {
    if (type === 'str') {
      values.push(String(part));
      continue;
    }
    if (type === 'bool') {
      if (String(part) !== 'true' && String(part) !== 'false') return { wrong: 'list' };
      values.push(String(part) === 'true');
      continue;
    }
    const one = typed(type, String(part));
    if ('wrong' in one) return one;
    values.push(one.value as number);
  }
  return { value: values };
}

/** Words that YAML takes for something else than text, and those that begin or hold what it has a meaning for. */
const NOT_PLAIN = /^$|^[\s\-?:,[\]{}#&*!|>'"%@`~=.]|^[+\d]|: |:$| #|[\n\t]|\s$|^(true|false|yes|no|on|off|y|n|null|none|nan|inf)$/i;

function yamlText(text: string): string {
  if (!NOT_PLAIN.test(text) && !/[,[\]{}$]/.test(text)) return text;
  return /[\n\t\\]/.test(text) ? JSON.stringify(text) : `'${text.replaceAll("'", "''")}'`;
}

function yamlNumber(value: number, float: boolean): string {
  const text = String(value);
  if (!float || /[.]/.test(text)) return text.replace(/e\+?(-?)/, 'e$1');
  // YAML 1.1 wants a point in what it takes for a real number: 2.0, 1.0e-7.
  return text.includes('e') ? text.replace('e', '.0e') : `${text}.0`;
}

/** One value as a parameter file has it. */
export function yamlValue(type: string, value: SettingValue): string {
  if (typeof value === 'object') return `[${value.map((one) => yamlValue(type.replace(' list', ''), one)).join(', ')}]`;
  if (typeof value === 'number') return yamlNumber(value, type === 'float');
  return typeof value === 'boolean' ? String(value) : yamlText(value);
}

/** The lines of a parameter file for these nodes' settings, with unit and default beside each; empty where there are none. */
export function yamlLines(nodes: readonly { readonly node: string; readonly settings: readonly Setting[] }[]): string {
  const lines: string[] = [];
  for (const { node, settings } of nodes) {
    const settable = settings.filter((setting) => setting.value !== null);
    if (settable.length === 0) continue;
    lines.push(`/**/${node}:`, '  ros__parameters:');
    for (const { name, type, value, unit, default: before } of settable) {
      if (value === null) continue;
      const notes = [unit, before === null ? '' : `default ${yamlValue(type, before)}`].filter((note) => note !== '');
      lines.push(`    ${name}: ${yamlValue(type, value)}${notes.length > 0 ? `  # ${notes.join(', ')}` : ''}`);
    }
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}
