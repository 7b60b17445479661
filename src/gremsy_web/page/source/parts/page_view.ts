// SPDX-License-Identifier: Apache-2.0
// The page's elements, and showing values in them. What they do is said by those who lay them out.

import type { LinkState } from '../live.ts';
import type { NodeState, RobotEvent } from '../protocol.ts';
import { texts } from '../texts.ts';
import type { Actions } from './actions.ts';
import type { Situation } from './commands.ts';
import { button, h, icon, icons, remember, setText } from './dom.ts';
import type { Layers } from './overlay.ts';
import { ageText } from './picture.ts';
import { Chart, Dial, LimitsMap, StageBar } from './readings.ts';

export interface CameraView {
  readonly label: string;
  readonly long: string;
  show(): void;
}

/** The others are shown where the gimbal is in them. */
const SETTABLE_MODES: ReadonlySet<string> = new Set(['follow', 'lock']);

function tool(name: keyof typeof icons, label: string, action: () => void): HTMLButtonElement {
  return button(action, { class: 'tool', 'aria-label': label, title: label }, icon(icons[name]));
}

function card(heading: string, name: string, ...children: (Node | string)[]): HTMLElement {
  const id = `card-${name}`;
  return h('section', { class: `card card-${name}`, 'aria-labelledby': id }, h('h2', { id }, heading), ...children);
}

function reading(label: string, value: HTMLElement): HTMLElement {
  return h('div', { class: 'reading' }, h('dt', {}, label), value);
}

/** A switch that Enter and the pointer throw; space stops everywhere. */
function toggle(label: string, on: boolean, action: (on: boolean) => void): HTMLButtonElement {
  const turn = (): void => {
    const now = element.getAttribute('aria-checked') !== 'true';
    element.setAttribute('aria-checked', String(now));
    action(now);
  };
  const element = button(turn, { class: 'toggle', role: 'switch', 'aria-checked': String(on) }, label);
  return element;
}

export class PageView {
  readonly robot = h('span', { class: 'robot' }, texts.robotUnknown);
  readonly views = h('div', { class: 'views', tabindex: 0, role: 'application', 'aria-label': texts.pictureHelp, id: 'picture' });
  readonly stage: HTMLElement;
  readonly stale: HTMLElement;
  readonly staleWords = h('span', {});
  readonly oldPage: HTMLElement;
  readonly pointingOff: HTMLElement;
  readonly pointingOffReason = h('span', {});
  readonly dial = new Dial();
  readonly map = new LimitsMap();
  readonly azimuth = h('dd', { class: 'number' }, texts.gimbal.unknown);
  readonly tilt = h('dd', { class: 'number' }, texts.gimbal.unknown);
  readonly zoom = h('dd', { class: 'number' }, texts.gimbal.unknown);
  readonly targetState = h('p', { class: 'target-state', 'aria-live': 'polite', 'data-state': 'idle' }, texts.target.idle);
  readonly targetName = h('span', { class: 'target-name' });
  readonly targetReason = h('p', { class: 'reason' });
  readonly inView = h('p', { class: 'quiet-text number' }, texts.target.inView(0));
  readonly delay = new Chart(texts.timing.chart, 0, 100);
  readonly pointing = new Chart(texts.pointing.chart, 1, 1);
  readonly stages = new StageBar();
  readonly pointingValue = h('span', { class: 'number value' }, texts.pointing.none);
  readonly rate = h('dd', { class: 'number' }, texts.gimbal.unknown);
  readonly matched = h('dd', { class: 'number' }, texts.gimbal.unknown);
  readonly settingsTool: HTMLButtonElement;
  private readonly cameras = h('div', { class: 'segments', role: 'group', hidden: true, 'aria-label': texts.layout.label });
  private readonly linkDot = h('i', { class: 'dot', 'data-state': 'connecting' });
  private readonly linkWords = h('span', { class: 'link-words' }, texts.link.connecting);
  private readonly age = h('span', { class: 'number' }, texts.timing.unknown);
  private readonly ageChip: HTMLElement;
  private readonly delayValue = h('span', { class: 'number value' }, texts.timing.unknown);
  private readonly holder = h('span', { class: 'holder', 'aria-live': 'polite' });
  private readonly control = h('button', { type: 'button', class: 'button primary' }, texts.control.take);
  private readonly armSwitch = h('button', { type: 'button', class: 'arm', role: 'switch', 'aria-checked': 'false', 'aria-label': texts.arm.label });
  private readonly armWords = h('span', { class: 'arm-words' }, texts.arm.off);
  private readonly lockWords = h('p', { class: 'lock-words' });
  private readonly notes = h('p', { class: 'note', role: 'status' });
  private readonly live = h('p', { class: 'unseen', 'aria-live': 'assertive' });
  private readonly nodes = h('ul', { class: 'nodes' }, h('li', { class: 'quiet-text' }, texts.nodes.none));
  private readonly events = h('ol', { class: 'events', tabindex: 0, 'aria-label': texts.events.heading }, h('li', { class: 'quiet-text none' }, texts.events.none));
  private readonly classes: HTMLSelectElement;
  private readonly modes: HTMLSelectElement;
  private readonly recordTool: HTMLButtonElement;
  private readonly sources = h('div', { class: 'segments', role: 'group', 'aria-label': texts.target.sourceLong });
  private readonly sourceRow = h('div', { class: 'row source-row', hidden: true, title: texts.target.sourceLong }, h('span', { class: 'quiet-text' }, texts.target.source), this.sources);
  private readonly lockable: (HTMLButtonElement | HTMLSelectElement)[] = [];
  private viewList: readonly CameraView[] = [];
  private ageShownMs = 0;
  private ageStale = false;

  constructor(body: HTMLElement, layers: Layers, actions: Actions, drawer: HTMLElement) {
    this.control.addEventListener('click', () => actions.control());
    this.armSwitch.append(h('span', { class: 'arm-knob' }));
    this.armSwitch.addEventListener('click', () => actions.arm());
    this.ageChip = h('span', { class: 'chip age-chip', title: texts.timing.total }, h('span', { class: 'unseen' }, texts.timing.total), this.age);
    this.settingsTool = tool('settings', texts.settings.heading, () => actions.settings());
    this.settingsTool.setAttribute('aria-expanded', 'false');
    this.settingsTool.setAttribute('aria-controls', 'settings');
    this.recordTool = tool('record', texts.tools.record, () => actions.record());
    this.recordTool.classList.add('is-record');
    this.recordTool.setAttribute('aria-pressed', 'false');
    this.modes = h(
      'select',
      { id: 'mode' },
      ...Object.entries(texts.gimbal.modes).map(([value, label]) =>
        h('option', { value, disabled: !SETTABLE_MODES.has(value) }, label),
      ),
    );
    this.modes.addEventListener('change', () => actions.mode(this.modes.value));
    this.classes = h('select', { id: 'classes' }, h('option', { value: '' }, texts.filter.all));
    this.classes.addEventListener('change', () => actions.chooseClass(this.classes.value));
    const reload = button(() => window.location.reload(), {}, texts.link.reload);
    this.oldPage = h('div', { class: 'old-page', role: 'status', hidden: true }, h('p', {}, texts.link.old), reload);
    this.stale = h('div', { class: 'stale', hidden: true }, h('strong', {}, texts.stale.title), this.staleWords);
    const enable = button(() => actions.enablePointing(), {}, texts.target.enable);
    this.lockable.push(enable);
    this.pointingOff = h('div', { class: 'pointing-off', role: 'status', hidden: true }, h('p', {}, h('strong', {}, texts.target.off), this.pointingOffReason), enable);
    this.stage = this.layStage(layers, actions);
    const side = h(
      'aside',
      { class: 'side', 'aria-label': texts.regions.side },
      this.layTarget(actions),
      this.layGimbal(actions),
      this.layTiming(),
      this.layPointing(),
      card(texts.nodes.heading, 'nodes', this.nodes),
      card(texts.events.heading, 'events', this.events),
    );
    body.append(
      h('a', { class: 'skip', href: '#stop' }, texts.skip),
      this.layHeader(),
      h('main', { class: 'main' }, this.stage, side),
      drawer,
      this.notes,
      this.layDeck(actions),
      this.live,
    );
  }

  setViews(views: readonly CameraView[]): void {
    this.viewList = views;
    this.cameras.replaceChildren(
      ...views.map((view, index) =>
        button(() => this.chooseView(index), { class: undefined, 'aria-pressed': 'false', title: view.long }, view.label),
      ),
    );
    this.cameras.hidden = views.length < 2;
  }

  chooseView(index: number): void {
    const view = this.viewList[index];
    if (view === undefined) return;
    [...this.cameras.children].forEach((button, k) => button.setAttribute('aria-pressed', String(k === index)));
    remember('view', String(index));
    view.show();
  }

  showLink(state: LinkState): void {
    this.linkDot.dataset['state'] = state;
    setText(this.linkWords, texts.link[state]);
  }

  showAge(ageMs: number | null, stale: boolean, nowMs: number): void {
    // Four times a second: figures that change with every frame cannot be read.
    if (stale === this.ageStale && nowMs - this.ageShownMs < 250) return;
    this.ageShownMs = nowMs;
    this.ageStale = stale;
    const words = ageMs === null ? texts.timing.unknown : ageText(ageMs);
    setText(this.age, words);
    setText(this.delayValue, words);
    this.ageChip.classList.toggle('is-stale', stale);
  }

  showControl(now: Situation, whyLocked: string | null, whyNotMoving: string | null): void {
    const holder = now.you ? texts.control.yours : now.holder === null ? texts.control.free : texts.control.other(now.holder);
    // What was so before the link was lost may not be so any more.
    const known = now.connected ? holder : texts.control.unknown;
    setText(this.holder, now.role === 'control' || !now.connected ? known : texts.control.viewOnly);
    this.holder.classList.toggle('is-yours', now.you);
    this.holder.classList.toggle('is-free', !now.you && now.holder === null);
    const label = now.you ? texts.control.give : now.holder === null ? texts.control.take : texts.control.takeOver;
    setText(this.control, label);
    this.control.classList.toggle('primary', !now.you);
    this.control.disabled = !now.connected || now.role !== 'control';
    this.armSwitch.setAttribute('aria-checked', String(now.armed));
    const arm = now.armed ? texts.arm.on : texts.arm.off;
    setText(this.armWords, now.connected ? arm : texts.arm.unknown);
    // Making it safe stays possible whatever else is locked.
    this.armSwitch.disabled = !now.armed && whyLocked !== null;
    for (const button of this.lockable) button.disabled = whyLocked !== null;
    setText(this.lockWords, whyNotMoving ?? '');
    document.body.classList.toggle('is-locked', whyLocked !== null);
  }

  showNodes(nodes: readonly NodeState[]): void {
    const lines = nodes.map((node) => {
      const level = texts.nodes.levels[node.level] ?? texts.nodes.levels[3] ?? '';
      return h(
        'li',
        { 'data-level': node.level },
        h('i', { class: 'dot' }),
        h('span', { class: 'node-name' }, node.name),
        h('span', { class: 'node-level' }, level),
        node.message === '' ? null : h('span', { class: 'node-message' }, node.message),
      );
    });
    const before = this.nodes.textContent;
    const list = lines.length > 0 ? lines : [h('li', { class: 'quiet-text' }, texts.nodes.none)];
    const fresh = h('ul', {}, ...list);
    if (fresh.textContent !== before) this.nodes.replaceChildren(...fresh.children);
  }

  addEvent(event: RobotEvent, at: Date, most: number): void {
    this.events.querySelector('.none')?.remove();
    this.events.prepend(
      h(
        'li',
        { 'data-level': event.level },
        h('time', { class: 'number' }, at.toLocaleTimeString('en-GB')),
        h('span', { class: 'source' }, event.source),
        h('span', {}, event.text),
      ),
    );
    while (this.events.childElementCount > most) this.events.lastElementChild?.remove();
  }

  /** What the gimbal is in, unless somebody is just choosing another. */
  showMode(mode: string | null): void {
    if (document.activeElement === this.modes && document.hasFocus()) return;
    const known = mode !== null && mode in texts.gimbal.modes;
    this.modes.value = known ? mode : '';
  }

  setClasses(names: readonly string[]): void {
    const chosen = this.classes.value;
    this.classes.replaceChildren(
      h('option', { value: '' }, texts.filter.all),
      ...names.map((name) => h('option', { value: name }, name)),
    );
    this.classes.value = chosen;
  }

  showRecording(on: boolean, title: string): void {
    this.recordTool.setAttribute('aria-pressed', String(on));
    // A switch says its state by itself; its name stays.
    this.recordTool.title = title || texts.tools.record;
  }

  /** Whose tracker may move the gimbal: a choice where there are several cameras. */
  setSources(cameras: readonly string[], choose: (camera: string) => void): void {
    this.sourceRow.hidden = cameras.length < 2;
    this.sources.replaceChildren(
      ...cameras.map((camera) => {
        const label = texts.target.sourceOf(camera);
        const attributes = { class: undefined, 'aria-pressed': 'false', 'aria-label': label, 'data-camera': camera };
        return button(() => choose(camera), attributes, texts.layout.one(camera));
      }),
    );
  }

  showSource(topic: string | null, locked: boolean): void {
    for (const button of this.sources.querySelectorAll('button')) {
      const own = topic?.endsWith(`/${button.dataset['camera'] ?? ''}/gimbal/setpoint`) === true;
      button.setAttribute('aria-pressed', String(own));
      button.disabled = locked;
    }
  }

  note(words: string, wrong: boolean): void {
    setText(this.notes, words);
    this.notes.classList.toggle('is-wrong', wrong);
    this.notes.classList.toggle('is-shown', words !== '');
  }

  /** Said to those who listen instead of looking. */
  announce(words: string): void {
    setText(this.live, words);
  }

  private layHeader(): HTMLElement {
    return h(
      'header',
      { class: 'bar' },
      h('h1', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '', width: 26, height: 26 }), this.robot),
      h('span', { class: 'link' }, this.linkDot, this.linkWords),
      this.cameras,
      h('span', { class: 'spring' }),
      this.ageChip,
      this.holder,
      this.control,
      this.settingsTool,
    );
  }

  private layStage(layers: Layers, actions: Actions): HTMLElement {
    const names: readonly (keyof Layers)[] = ['boxes', 'labels', 'reticle', 'predicted', 'trail', 'between'];
    const sheet = h('div', { class: 'layer-sheet', id: 'layers', hidden: true, role: 'group', 'aria-label': texts.tools.layers });
    for (const name of names) {
      sheet.append(toggle(texts.tools[name], layers[name], (on) => actions.layer(name, on)));
    }
    const layerTool = tool('layers', texts.tools.layers, () => {
      sheet.hidden = !sheet.hidden;
      layerTool.setAttribute('aria-expanded', String(!sheet.hidden));
    });
    layerTool.setAttribute('aria-expanded', 'false');
    layerTool.setAttribute('aria-controls', 'layers');
    const zoomIn = tool('plus', texts.gimbal.zoomIn, () => actions.zoom(1.25));
    const zoomOut = tool('minus', texts.gimbal.zoomOut, () => actions.zoom(1 / 1.25));
    this.lockable.push(zoomIn, zoomOut);
    const tools = h(
      'div',
      { class: 'tools', role: 'toolbar', 'aria-label': texts.regions.tools },
      zoomIn,
      zoomOut,
      layerTool,
      tool('camera', texts.tools.snapshot, () => actions.snapshot()),
      this.recordTool,
      tool('full', texts.tools.full, () => actions.full()),
      tool('help', texts.tools.help, () => actions.help()),
    );
    return h(
      'section',
      { class: 'stage', 'aria-label': texts.regions.picture },
      this.views,
      this.stale,
      this.pointingOff,
      this.oldPage,
      tools,
      sheet,
    );
  }

  private layTarget(actions: Actions): HTMLElement {
    const release = button(() => actions.release(), {}, texts.target.release);
    this.lockable.push(release);
    const score = h('input', { type: 'range', id: 'score', min: 0, max: 0.95, step: 0.05, value: 0 });
    const scoreValue = h('output', { class: 'number', for: 'score' }, '0 %');
    score.addEventListener('input', () => {
      setText(scoreValue, `${Math.round(100 * Number(score.value))} %`);
      actions.chooseScore(Number(score.value));
    });
    return card(
      texts.target.heading,
      'target',
      h('div', { class: 'row' }, h('div', { class: 'target-words' }, this.targetState, this.targetName), release),
      this.targetReason,
      this.sourceRow,
      h(
        'div',
        { class: 'filters' },
        h('label', { for: 'classes' }, texts.filter.classes),
        this.classes,
        h('label', { for: 'score' }, texts.filter.confidence),
        h('span', { class: 'range' }, score, scoreValue),
      ),
      this.inView,
    );
  }

  private layGimbal(actions: Actions): HTMLElement {
    const home = button(() => actions.home(), { title: texts.gimbal.homeLong }, icon(icons.home), texts.gimbal.home);
    const focus = button(() => actions.focus(), { title: texts.gimbal.focusLong }, texts.gimbal.focus);
    this.lockable.push(home, focus, this.modes);
    return card(
      texts.gimbal.heading,
      'gimbal',
      h(
        'div',
        { class: 'gimbal-grid' },
        this.dial.element,
        h(
          'dl',
          { class: 'readings' },
          reading(texts.gimbal.azimuth, this.azimuth),
          reading(texts.gimbal.tilt, this.tilt),
          reading(texts.gimbal.zoom, this.zoom),
          h('div', { class: 'reading' }, h('dt', {}, h('label', { for: 'mode' }, texts.gimbal.mode)), h('dd', {}, this.modes)),
        ),
      ),
      h('div', { class: 'map-row' }, this.map.element, h('div', { class: 'stack' }, home, focus)),
    );
  }

  private layTiming(): HTMLElement {
    return card(
      texts.timing.heading,
      'timing',
      h('p', { class: 'headline' }, texts.timing.total, this.delayValue),
      this.delay.element,
      this.stages.element,
      h('dl', { class: 'readings two' }, reading(texts.timing.rate, this.rate), reading(texts.timing.frames, this.matched)),
    );
  }

  private layPointing(): HTMLElement {
    return card(texts.pointing.heading, 'pointing', this.pointingValue, this.pointing.element);
  }

  private layDeck(actions: Actions): HTMLElement {
    const stop = h(
      'button',
      { type: 'button', class: 'stop', id: 'stop', title: texts.stop.long },
      h('span', {}, texts.stop.label),
      h('kbd', {}, texts.stop.key),
    );
    // On pointer down: the finger's way up is time in which the camera turns.
    stop.addEventListener('pointerdown', (event) => {
      if (event.button === 0) actions.stop();
    });
    stop.addEventListener('click', (event) => {
      if (event.detail === 0) actions.stop();
    });
    return h(
      'footer',
      { class: 'deck', 'aria-label': texts.regions.deck },
      h('div', { class: 'arm-group' }, this.armSwitch, this.armWords),
      this.lockWords,
      stop,
    );
  }
}
