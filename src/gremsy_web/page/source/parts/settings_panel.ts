// SPDX-License-Identifier: Apache-2.0
// The nodes' own parameters, as the nodes describe them, beside the picture that they change; and what this browser remembers.

import { isChanged, matches, readSettings, yamlLines, type Setting } from '../logic/setting_values.ts';
import { Refused, endSession, get, post, session } from '../requests.ts';
import { texts } from '../texts.ts';
import { askConfirmation, showLines } from './dialogs.ts';
import { button, h, icon, icons, remember, remembered, setText } from './dom.ts';
import { SettingRow } from './setting_row.ts';

export interface SettingsHost {
  lease(): string;
  /** Why nothing can be set now, in words; null where it can. */
  whyLocked(): string | null;
  armed(): boolean;
  note(words: string, wrong: boolean): void;
  refused(): void;
}

type Show = 'all' | 'live' | 'changed';
/** Their parameters change how the gimbal moves. */
const MOVING = /(^|\/)(gimbal_driver|tracker)$/;
const THEMES = [
  ['auto', texts.settings.themeAuto],
  ['light', texts.settings.themeLight],
  ['dark', texts.settings.themeDark],
] as const;

/** One node's parameters. */
class Group {
  readonly element = h('details', { class: 'group' });
  readonly rows: SettingRow[] = [];
  private readonly counts = h('span', { class: 'group-counts number' });
  private readonly list = h('div', { class: 'group-rows' });
  private readonly words = h('p', { class: 'quiet-text' }, texts.settings.reading);
  private readonly again = button(() => void this.load(), { hidden: true }, texts.settings.again);
  private loading = false;

  constructor(
    readonly node: string,
    private readonly apply: (group: Group, setting: Setting, value: Setting['value']) => Promise<string | null>,
    private readonly refused: () => void,
    private readonly loaded: () => void,
  ) {
    this.element.append(
      h('summary', {}, h('h3', {}, node), this.counts),
      h('div', { class: 'group-state' }, this.words, this.again),
      this.list,
    );
  }

  get settings(): Setting[] {
    return this.rows.map((row) => row.setting);
  }

  /** Reads them anew; rows that are there already only take the values. */
  async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    this.again.hidden = true;
    if (this.rows.length === 0) setText(this.words, texts.settings.reading);
    try {
      this.take(readSettings(await get(`api/settings?node=${encodeURIComponent(this.node)}`)));
      setText(this.words, '');
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.refused();
      setText(this.words, error instanceof Refused ? error.message : texts.failed(this.node));
      this.again.hidden = false;
    }
    this.loading = false;
    this.loaded();
  }

  filter(search: string, show: Show): boolean {
    let found = 0;
    for (const row of this.rows) {
      const { setting } = row;
      const wanted = show === 'all' || (show === 'live' ? !setting.readOnly : isChanged(setting));
      const fits = wanted && (search === '' || matches(setting, this.node, search));
      row.element.hidden = !fits;
      if (fits) found += 1;
    }
    const filtered = search !== '' || show !== 'all';
    this.element.hidden = filtered && found === 0 && this.rows.length > 0;
    const changed = this.rows.filter((row) => isChanged(row.setting)).length;
    setText(this.counts, this.rows.length === 0 ? '' : texts.settings.counts(found, changed));
    return found > 0;
  }

  lock(locked: boolean): void {
    for (const row of this.rows) row.lock(locked);
  }

  private take(settings: readonly Setting[]): void {
    const known = new Map(this.rows.map((row) => [row.setting.name, row]));
    if (known.size === settings.length && settings.every((setting) => known.has(setting.name))) {
      for (const setting of settings) known.get(setting.name)?.take(setting);
      return;
    }
    this.rows.length = 0;
    const change = (setting: Setting, value: Setting['value']): Promise<string | null> => this.apply(this, setting, value);
    for (const setting of settings) this.rows.push(new SettingRow(this.node, setting, change));
    // First what can be changed, in the node's own order.
    this.rows.sort((a, b) => Number(a.setting.readOnly) - Number(b.setting.readOnly));
    this.list.replaceChildren(...this.rows.map((row) => row.element));
  }
}

export class SettingsPanel {
  readonly element: HTMLElement;
  private readonly search = h('input', { type: 'search', id: 'settings-search', placeholder: texts.settings.search, 'aria-label': texts.settings.search, autocomplete: 'off', spellcheck: 'false' });
  private readonly access = h('div', { class: 'access', hidden: true });
  private readonly role = h('span', {});
  private readonly lockWords = h('p', { class: 'settings-lock' });
  private readonly found = h('p', { class: 'unseen', role: 'status' });
  private readonly none = h('p', { class: 'quiet-text', hidden: true }, texts.settings.noneFound);
  private readonly list = h('div', { class: 'groups' });
  private readonly shows = new Map<Show, HTMLButtonElement>();
  private readonly known = new Map<string, Group>();
  private groups: Group[] = [];
  private show: Show = 'all';
  private confirmed = false;
  private nodes: readonly string[] = [];
  private opener: HTMLElement | null = null;

  constructor(private readonly host: SettingsHost) {
    const closeLook = { class: 'tool', 'aria-label': texts.settings.close, title: texts.settings.close };
    const close = button(() => this.close(), closeLook, icon(icons.close));
    const copy = button(() => this.copy(), { title: texts.settings.copyLong }, texts.settings.copy);
    const segments = h('div', { class: 'segments', role: 'group', 'aria-label': texts.settings.which });
    for (const [show, label] of [['all', texts.settings.all], ['live', texts.settings.live], ['changed', texts.settings.changed]] as const) {
      const attributes = { class: undefined, 'aria-pressed': String(show === this.show) };
      const segment = button(() => this.choose(show), attributes, label);
      this.shows.set(show, segment);
      segments.append(segment);
    }
    this.search.addEventListener('input', () => this.filter());
    this.element = h(
      'div',
      { class: 'drawer', id: 'settings', role: 'dialog', 'aria-labelledby': 'settings-heading', hidden: true },
      h(
        'div',
        { class: 'drawer-head' },
        h('div', { class: 'row' }, h('h2', { id: 'settings-heading' }, texts.settings.heading), close),
        this.search,
        h('div', { class: 'row' }, segments, copy),
        this.lockWords,
      ),
      h('div', { class: 'drawer-body' }, this.ownGroup(), this.none, this.list),
      this.found,
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(opener: HTMLElement | null): void {
    if (this.isOpen) return;
    this.opener = opener;
    this.element.hidden = false;
    this.confirmed = false;
    this.showLock();
    this.search.focus();
    void this.showAccess();
    void this.loadAll(true);
  }

  close(): void {
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.opener?.setAttribute('aria-expanded', 'false');
    this.opener?.focus();
  }

  /** Which nodes there are, as the robot says it twice a second. */
  setNodes(names: readonly string[]): void {
    if (names.join(' ') === this.nodes.join(' ')) return;
    this.nodes = names;
    // One that comes back is as it was left, unfolded or not.
    for (const name of names) if (!this.known.has(name)) this.known.set(name, this.groupOf(name));
    this.groups = names.map((name) => this.known.get(name)).filter((group) => group !== undefined);
    this.list.replaceChildren(...this.groups.map((group) => group.element));
    this.filter();
    if (this.isOpen) void this.loadAll(false);
  }

  showLock(): void {
    if (!this.isOpen) return;
    const why = this.host.whyLocked();
    if (!this.host.armed()) this.confirmed = false;
    setText(this.lockWords, why ?? '');
    for (const group of this.groups) group.lock(why !== null);
  }

  private groupOf(node: string): Group {
    return new Group(
      node,
      (group, setting, value) => this.set(group, setting, value),
      () => this.host.refused(),
      () => {
        this.filter();
        this.showLock();
      },
    );
  }

  /** One after the other: each takes three calls of services of its node. */
  private async loadAll(anew: boolean): Promise<void> {
    for (const group of this.groups) if (this.isOpen && (anew || group.rows.length === 0)) await group.load();
  }

  private choose(show: Show): void {
    this.show = show;
    for (const [each, button] of this.shows) button.setAttribute('aria-pressed', String(each === show));
    this.filter();
  }

  private filter(): void {
    const search = this.search.value.trim();
    const with_rows = this.groups.filter((group) => group.filter(search, this.show));
    const filtered = search !== '' || this.show === 'changed';
    for (const group of this.groups) {
      if (filtered && with_rows.includes(group)) group.element.open = true;
    }
    const loaded = this.groups.some((group) => group.rows.length > 0);
    this.none.hidden = with_rows.length > 0 || !loaded;
    const count = this.groups.reduce((sum, group) => sum + group.rows.filter((row) => !row.element.hidden).length, 0);
    if (this.isOpen && loaded) setText(this.found, texts.settings.found(count));
  }

  /** What was wrong, in words; null where it was set. */
  private async set(group: Group, setting: Setting, value: Setting['value']): Promise<string | null> {
    const why = this.host.whyLocked();
    if (why !== null) return why;
    if (this.host.armed() && MOVING.test(group.node) && !this.confirmed) {
      if (!(await askConfirmation(texts.settings.armed, texts.settings.armedLong, texts.settings.goOn))) return texts.settings.notSet;
      this.confirmed = true;
    }
    const body = { lease: this.host.lease(), node: group.node, name: setting.name, value };
    try {
      await post('api/settings', body);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.host.refused();
      return error instanceof Refused ? error.message : texts.failed(setting.name);
    }
    this.host.note(texts.settings.saved(setting.name), false);
    // What it is now by the node's own word, and what else it changed with it.
    await group.load();
    return null;
  }

  private copy(): void {
    const nodes = this.groups.map(({ node, settings }) => ({
      node,
      settings: settings.filter((setting) => !setting.readOnly && isChanged(setting)),
    }));
    const lines = yamlLines(nodes);
    if (lines === '') this.host.note(texts.settings.nothingToCopy, false);
    else showLines(texts.settings.yamlHeading, texts.settings.yamlLong, lines);
  }

  /** What this browser remembers: name, colours, and as whom it is signed in. */
  private ownGroup(): HTMLElement {
    const name = h('input', { id: 'name', maxlength: 40, autocomplete: 'nickname', value: remembered('name', '') });
    name.addEventListener('change', () => remember('name', name.value.trim()));
    const theme = h('select', { id: 'theme' }, ...THEMES.map(([value, label]) => h('option', { value }, label)));
    theme.value = remembered('theme', 'auto');
    const apply = (): void => {
      document.documentElement.dataset['theme'] = theme.value;
    };
    theme.addEventListener('change', () => {
      remember('theme', theme.value);
      apply();
    });
    apply();
    const out = button(() => void this.signOut(), {}, texts.key.signOut);
    this.access.append(h('span', {}, texts.key.signedIn), h('span', { class: 'row' }, this.role, out));
    return h(
      'div',
      { class: 'own-settings' },
      h('label', { for: 'name' }, texts.settings.name),
      name,
      h('label', { for: 'theme' }, texts.settings.theme),
      theme,
      this.access,
    );
  }

  /** Where there is no key nobody is signed in. */
  private async showAccess(): Promise<void> {
    try {
      const { keyNeeded, role } = await session();
      this.access.hidden = !keyNeeded || role === null;
      if (role !== null) setText(this.role, texts.key.roles[role]);
    } catch {
      this.access.hidden = true; // What cannot be reached is said by the rest of the page.
    }
  }

  /** The page begins anew: its socket and its pictures were those of who was signed in. */
  private async signOut(): Promise<void> {
    try {
      await endSession();
      window.location.reload();
    } catch (error) {
      this.host.note(error instanceof Refused ? error.message : texts.failed(texts.key.signOut), true);
    }
  }
}
