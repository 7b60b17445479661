// SPDX-License-Identifier: Apache-2.0
// The page as a whole: what comes from the robot is handed to the parts, what the visitor does to the robot.

import { PoseMemory } from './logic/bearings.ts';
import { zoomFor } from './logic/gestures.ts';
import { Live, type LinkState } from './live.ts';
import type { Actions } from './parts/actions.ts';
import { Commands, locked, lockedSettings, type Situation } from './parts/commands.ts';
import { remember, remembered, setText } from './parts/dom.ts';
import { PageView } from './parts/page_view.ts';
import { Pad, listenToKeys } from './parts/keys.ts';
import type { Layers } from './parts/overlay.ts';
import { Picture, ageText, type PictureAct, type PictureHost } from './parts/picture.ts';
import { azimuthText, degrees, tiltText, type StageTimes } from './parts/readings.ts';
import { showSnapshot } from './parts/snapshot.ts';
import { askKey, askTakeOver, showHelp } from './parts/dialogs.ts';
import { SettingsPanel } from './parts/settings_panel.ts';
import type { Camera, Control, Gimbal, Hello, Message, Recording, RobotEvent, State, Track, Tracks } from './protocol.ts';
import { session } from './requests.ts';
import { texts } from './texts.ts';

type Layout = 'one' | 'pip' | 'split';
/** A state that was made before the controls changed hands may come after the word of it. */
const CONTROL_SETTLES_MS = 1000;
/** Zooming in small steps of a wheel adds up to one request in this time. */
const ZOOM_EVERY_MS = 80;
const MOST_EVENTS = 100;
const NOTE_MS = 5000;
const RECORD_REQUEST_MS = 3000;

export class Page {
  private readonly live: Live;
  private readonly commands: Commands;
  private readonly view: PageView;
  private readonly settings: SettingsPanel;
  private readonly pad: Pad;
  private readonly releaseKeys: () => void;
  private readonly host: PictureHost;
  private hello: Hello | null = null;
  private gimbal: Gimbal | null = null;
  private state: State | null = null;
  private you = false;
  private controlAtMs = Number.NEGATIVE_INFINITY;
  private link: LinkState = 'connecting';
  private pictures: Picture[] = [];
  private main: Picture | null = null;
  private layout: Layout = 'one';
  private wasFresh = false;
  private everFresh = false;
  /** What was just asked of the recorder, until the camera says it itself, once a second. */
  private recordRequest: { readonly on: boolean; readonly atMs: number } | null = null;
  private classes = new Set<string>();
  private chosenClass = '';
  private leastScore = 0;
  private wantedZoom: number | null = null;
  private zoomTimer: number | undefined;
  private noteTimer: number | undefined;
  private lastCounts = new Map<Picture, number>();
  private rate = 0;
  private readonly layers: Layers;
  private readonly poses = new PoseMemory();

  constructor(body: HTMLElement) {
    this.layers = rememberedLayers();
    this.host = {
      robotNowNs: () => this.live.clock.at(performance.now()),
      staleAfterMs: () => 1000 * (this.hello?.staleAfterS ?? 0.5),
      layers: () => this.layers,
      poses: () => this.poses,
      visible: (track) => this.visible(track),
      act: (picture, act) => this.act(picture, act),
    };
    const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws';
    const url = new URL('api/live', window.location.href);
    url.protocol = scheme;
    this.live = new Live(url.href, (message) => this.onMessage(message), (state) => this.onLinkState(state));
    this.commands = new Commands(
      this.live,
      () => this.hello?.maxRate ?? 0.8,
      (words, wrong) => this.note(words, wrong),
      () => this.onLinkState('refused'),
    );
    this.settings = new SettingsPanel({
      lease: () => this.commands.lease,
      whyLocked: () => lockedSettings(this.situation()),
      armed: () => this.gimbal?.armed ?? false,
      note: (words, wrong) => this.note(words, wrong),
      refused: () => this.onLinkState('refused'),
    });
    const actions: Actions = {
      stop: () => void this.commands.stop(),
      arm: () => this.toggleArm(),
      control: () => void this.toggleControl(),
      steer: (source, x, y) => this.steer(source, x, y),
      zoom: (factor) => this.zoom(factor),
      home: () => this.command('gimbal/home', {}, null, true),
      mode: (mode) => this.command('gimbal/mode', { mode }),
      focus: () => this.command('gimbal/focus', {}, texts.gimbal.focusing),
      mark: (step) => this.mark(step),
      trackMarked: () => this.trackMarked(),
      trackNearest: () => this.command('target', { ...this.camera(), nearest: true }),
      release: () => this.command('target/release', this.camera(), texts.target.idle),
      enablePointing: () => this.command('target/pointing', { ...this.camera(), on: true }, texts.target.enabled),
      snapshot: () => void this.snapshot(),
      record: () => void this.record(),
      view: (index) => this.view.chooseView(index),
      full: () => this.full(),
      help: () => showHelp(),
      settings: () => this.toggleSettings(),
      layer: (name, on) => this.setLayer(name, on),
      chooseClass: (name) => this.filter(name, this.leastScore),
      chooseScore: (score) => this.filter(this.chosenClass, score),
    };
    this.view = new PageView(body, this.layers, actions, this.settings.element);
    this.releaseKeys = listenToKeys(actions);
    this.pad = new Pad(actions);
  }

  start(): void {
    this.live.start();
    void this.askedToSignIn();
    const refresh = (): void => {
      this.refresh();
      window.requestAnimationFrame(refresh);
    };
    window.requestAnimationFrame(refresh);
    window.setInterval(() => this.twiceASecond(), 500);
    window.addEventListener('pagehide', () => {
      this.commands.stopSteering();
      for (const picture of this.pictures) picture.stop();
    });
    window.addEventListener('pageshow', (event) => {
      if (event.persisted) for (const picture of this.pictures) picture.start();
    });
    document.addEventListener('fullscreenchange', () => {
      document.body.classList.toggle('is-full', document.fullscreenElement !== null);
    });
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.endInput();
    });
  }

  /** At once: a socket without a key is closed only when three seconds have passed without one. */
  private async askedToSignIn(): Promise<void> {
    try {
      const { keyNeeded, role } = await session();
      if (keyNeeded && role === null) this.onLinkState('refused');
    } catch {
      return; // The socket says what is wrong, and goes on trying.
    }
  }

  /** Counts of each camera's frames and which one is on the screen, for benchmarks and tests. */
  counts(): Record<string, object> {
    return Object.fromEntries(
      this.pictures.map((picture) => [
        picture.camera.name,
        {
          ...picture.match.counts,
          receive_ms: picture.receiveMs,
          paint_ms: picture.paintMs,
          unread: this.live.unread,
          stamp_ns: String(picture.stampNs ?? ''),
          received_at_ms: picture.receivedAtMs,
        },
      ]),
    );
  }

  private onMessage(message: Message): void {
    switch (message.type) {
      case 'hello':
        this.onHello(message);
        break;
      case 'tracks':
        this.onTracks(message);
        break;
      case 'gimbal':
        this.gimbal = message;
        for (const { stampNs, turn } of message.poses) this.poses.put(stampNs, turn);
        this.showGimbal(message);
        break;
      case 'state':
        this.watchRecordings(this.state, message);
        for (const [camera, size] of message.sizes) this.picture(camera)?.setSize(...size);
        this.state = message;
        if (performance.now() - this.controlAtMs > CONTROL_SETTLES_MS) this.setControl(message.you);
        this.showState(message);
        break;
      case 'control':
        this.onControl(message);
        break;
      case 'event':
        this.showEvent(message);
        break;
      case 'video':
        this.picture(message.camera)?.onVideoTime(message);
        break;
      case 'error':
        this.note(message.text, true);
        break;
      case 'clock':
      case 'done':
        // The clock is the link's own; what was done is said by the request that asked for it.
        break;
    }
  }

  private onHello(hello: Hello): void {
    const before = this.hello;
    this.hello = hello;
    document.title = texts.title(hello.robot || texts.robotUnknown);
    setText(this.view.robot, hello.robot || texts.robotUnknown);
    const own = document.querySelector('meta[name="gremsy-build"]')?.getAttribute('content') ?? '';
    this.view.oldPage.hidden = hello.page === null || hello.page === '' || hello.page === own;
    const key = (cameras: readonly Camera[]): string => JSON.stringify(cameras);
    if (before === null || key(before.cameras) !== key(hello.cameras)) this.setCameras(hello.cameras);
    this.showControl();
  }

  private setCameras(cameras: readonly Camera[]): void {
    for (const picture of this.pictures) {
      picture.stop();
      picture.element.remove();
    }
    this.pictures = cameras.map((camera) => new Picture(camera, this.host));
    const views: { label: string; long: string; show: () => void }[] = cameras.slice(0, 2).map((camera, index) => ({
      label: texts.layout.one(camera.name),
      long: texts.layout.one(camera.name),
      show: () => this.arrange('one', index),
    }));
    if (cameras.length > 1) {
      views.push(
        { label: texts.layout.pip, long: texts.layout.pipLong, show: () => this.arrange('pip') },
        { label: texts.layout.split, long: texts.layout.splitLong, show: () => this.arrange('split') },
      );
    }
    this.view.setViews(views);
    this.view.setSources(cameras.map((camera) => camera.name), (camera) => this.chooseSource(camera));
    this.main = null;
    this.view.chooseView(Math.min(Number(remembered('view', '0')) || 0, views.length - 1));
  }

  /** Shows one picture or two; a picture that is not shown has no session, so that nothing is encoded for it. */
  private arrange(layout: Layout, index?: number): void {
    this.endInput();
    const chosen = index === undefined ? this.main ?? this.pictures[0] : this.pictures[index];
    if (chosen === undefined) return;
    this.main = chosen;
    this.layout = layout;
    const second = layout === 'one' ? undefined : this.pictures.find((picture) => picture !== chosen);
    this.view.views.dataset['layout'] = layout;
    for (const picture of this.pictures) {
      const wanted = picture === chosen || picture === second;
      const there = picture.element.isConnected;
      if (wanted && !there) picture.start();
      if (!wanted && there) {
        picture.stop();
        picture.element.remove();
      }
      picture.element.classList.toggle('is-second', picture === second);
      picture.element.classList.toggle('is-main', picture === chosen);
    }
    for (const picture of [chosen, second]) {
      if (picture !== undefined && !picture.element.isConnected) this.view.views.append(picture.element);
      picture?.redraw();
    }
  }

  private picture(camera: string): Picture | undefined {
    return this.pictures.find((picture) => picture.camera.name === camera);
  }

  private onTracks(tracks: Tracks): void {
    this.picture(tracks.camera)?.onTracks(tracks);
    for (const track of tracks.tracks) {
      if (track.class === '' || this.classes.has(track.class)) continue;
      this.classes.add(track.class);
      this.view.setClasses([...this.classes].sort());
    }
    if (tracks.camera === this.main?.camera.name) this.showTarget(tracks);
  }

  private visible(track: Track): boolean {
    return (this.chosenClass === '' || track.class === this.chosenClass) && track.score >= this.leastScore;
  }

  private filter(name: string, score: number): void {
    this.chosenClass = name;
    this.leastScore = score;
    for (const picture of this.pictures) picture.redraw();
  }

  private setLayer(name: keyof Layers, on: boolean): void {
    this.layers[name] = on;
    remember('layers', JSON.stringify(this.layers));
    for (const picture of this.pictures) picture.redraw();
  }

  // What is shown.

  private refresh(): void {
    this.pad.poll();
    let fresh = false;
    for (const picture of this.pictures) {
      if (!picture.element.isConnected) continue;
      const now = performance.now();
      const how = picture.refresh(now);
      if (picture !== this.main) continue;
      fresh = how.kind === 'fresh';
      this.view.showAge(how.kind === 'stale' ? how.ageMs : picture.totalMs, how.kind === 'stale', now);
      if (how.kind === 'stale') setText(this.view.staleWords, texts.stale.body(ageText(how.ageMs)));
    }
    if (fresh !== this.wasFresh) this.freshnessChanged(fresh);
  }

  private freshnessChanged(fresh: boolean): void {
    this.wasFresh = fresh;
    this.view.stale.hidden = fresh || !this.everFresh;
    if (!fresh) {
      this.endInput();
      if (this.everFresh) this.view.announce(`${texts.stale.title}. ${texts.stale.body(texts.age.s(this.host.staleAfterMs() / 1000))}`);
    } else {
      if (this.everFresh) this.view.announce(texts.stale.over);
      this.everFresh = true;
    }
    this.showControl();
  }

  /** Ends all that keys, pointers and sticks have begun. */
  private endInput(): void {
    this.releaseKeys();
    for (const picture of this.pictures) picture.cancel();
    this.commands.stopSteering();
  }

  private onLinkState(state: LinkState): void {
    this.link = state;
    this.view.showLink(state);
    if (state === 'refused') {
      void askKey().then(() => {
        this.live.retry();
        for (const picture of this.pictures) if (picture.element.isConnected) picture.start();
      });
    }
    if (state !== 'open') {
      this.endInput();
      this.setControl(false);
    }
    this.showControl();
  }

  private situation(): Situation {
    const connected = this.link === 'open' && this.hello !== null;
    return {
      connected,
      role: this.hello?.role ?? 'view',
      armed: this.gimbal?.armed ?? false,
      fresh: this.wasFresh,
      you: this.you,
      // Who had control when the connection was lost may be who looks at this page.
      holder: connected ? (this.state?.holder ?? null) : null,
    };
  }

  private showControl(): void {
    const now = this.situation();
    this.view.showControl(now, locked(now, false), locked(now, true));
    this.view.showSource(this.gimbal?.followsTopic ?? null, locked(now, false) !== null);
    this.settings.showLock();
  }

  private setControl(you: boolean): void {
    if (you === this.you) return;
    this.you = you;
    if (!you) this.endInput();
    this.note(you ? texts.control.taken : texts.control.lost, false);
    this.showControl();
  }

  private onControl(control: Control): void {
    this.controlAtMs = performance.now();
    this.commands.lease = control.lease;
    this.setControl(control.you);
  }

  private showGimbal(gimbal: Gimbal): void {
    this.view.dial.show(gimbal);
    this.view.map.show(gimbal);
    setText(this.view.azimuth, azimuthText(gimbal.azimuth));
    setText(this.view.tilt, tiltText(gimbal.tilt));
    setText(this.view.zoom, gimbal.zoom === null ? texts.gimbal.unknown : texts.gimbal.zoomNow(gimbal.zoom.toFixed(1)));
    this.view.showMode(gimbal.mode);
    if (this.wantedZoom !== null && this.zoomTimer === undefined) this.wantedZoom = null;
    this.showControl();
  }

  private showTarget(tracks: Tracks): void {
    const target = tracks.target;
    const names = texts.target as unknown as Record<string, unknown>;
    const state = target?.state ?? 'idle';
    const known = names[state];
    setText(this.view.targetState, typeof known === 'string' ? known : state);
    this.view.targetState.dataset['state'] = state;
    const own = tracks.tracks.find((track) => track.id === target?.id);
    const name = own === undefined || target === null || target.id === null ? '' : texts.target.named(own.class, own.id);
    setText(this.view.targetName, name);
    setText(this.view.targetReason, target?.reason ?? '');
    this.view.pointingOff.hidden = target === null || target.offBecause === null;
    setText(this.view.pointingOffReason, texts.target.offBecause(target?.offBecause ?? ''));
    const shown = tracks.tracks.filter((track) => this.visible(track)).length;
    setText(this.view.inView, texts.target.inView(shown));
  }

  private showState(state: State): void {
    this.view.showNodes(state.nodes);
    this.showRecordings();
    this.settings.setNodes(state.nodes.map((node) => node.name));
    this.view.pointing.push(state.pointingErrorRad === null ? null : Math.abs(state.pointingErrorRad) * (180 / Math.PI));
    setText(
      this.view.pointingValue,
      state.pointingErrorRad === null ? texts.pointing.none : texts.pointing.value(degrees(state.pointingErrorRad)),
    );
    this.showControl();
  }

  private showEvent(event: RobotEvent): void {
    this.view.addEvent(event, this.dateOf(event.stampNs), MOST_EVENTS);
  }

  /** By this device's clock: the robot's may be an hour off, and a visitor's watch is not. */
  private dateOf(stampNs: bigint): Date {
    const now = this.host.robotNowNs();
    return new Date(Date.now() - (stampNs <= 0n || now === null ? 0 : Number(now - stampNs) / 1e6));
  }

  private recordingOf(picture: Picture | null): Recording | null {
    return picture === null ? null : (this.state?.recordings.get(picture.camera.name) ?? null);
  }

  /** One that ended though nobody here ended it is said: a full disk, a camera that went. */
  private watchRecordings(before: State | null, now: State): void {
    for (const [camera, recording] of now.recordings) {
      const was = before?.recordings.get(camera);
      if (was?.on === true && !recording.on && / by itself/.test(recording.text)) {
        this.note(texts.recording.ended(camera, recording.text), true);
      }
    }
  }

  private showRecordings(): void {
    for (const picture of this.pictures) picture.showRecording(this.state?.recordings.get(picture.camera.name) ?? null);
    const recording = this.recordingOf(this.main);
    const request = this.recordRequest;
    const over = request !== null && performance.now() - request.atMs > RECORD_REQUEST_MS;
    if (over || recording?.on === request?.on) this.recordRequest = null;
    const size = recording?.megabytes == null ? '' : texts.recording.size(recording.megabytes.toFixed(1));
    const title = recording?.on === true ? texts.recording.to(recording.to, size) : '';
    this.view.showRecording(this.recordRequest?.on ?? recording?.on ?? false, title);
  }

  private chooseSource(camera: string): void {
    this.command('camera/setpoint_source', { camera }, texts.target.sourceSet(camera));
  }

  /** Delay per stage; of the robot's figures encode is its own time, capture and server count from the capture. */
  private stageTimes(picture: Picture): StageTimes {
    const times: { -readonly [stage in keyof StageTimes]: StageTimes[stage] } = {};
    const { capture, encode, server } = this.state?.latencyMs ?? {};
    if (capture !== undefined) times.capture = capture;
    if (encode !== undefined) times.encode = encode;
    const encoded = (capture ?? 0) + (encode ?? 0);
    if (server !== undefined) times.server = Math.max(0, server - encoded);
    if (picture.receiveMs !== null) times.receive = Math.max(0, picture.receiveMs - Math.max(encoded, server ?? 0));
    if (picture.paintMs !== null) times.paint = picture.paintMs;
    return times;
  }

  private twiceASecond(): void {
    const picture = this.main;
    if (picture === null) return;
    const total = picture.totalMs;
    this.view.delay.push(total);
    this.view.stages.show(this.stageTimes(picture));
    const before = this.lastCounts.get(picture) ?? picture.framesShown;
    this.rate = 0.5 * this.rate + 0.5 * 2 * (picture.framesShown - before);
    this.lastCounts.set(picture, picture.framesShown);
    setText(this.view.rate, texts.timing.perSecond(this.rate.toFixed(0)));
    const { matched, shown } = picture.match.counts;
    setText(this.view.matched, texts.timing.matched(matched, shown));
    void this.report(picture, total);
  }

  private async report(picture: Picture, totalMs: number | null): Promise<void> {
    const stats: Record<string, number> = { ...(await picture.whep.stats()), ...picture.match.counts };
    if (totalMs !== null) stats['total_ms'] = totalMs;
    this.live.send({ type: 'painted', camera: picture.camera.name, stats });
  }

  private note(words: string, wrong: boolean): void {
    this.view.note(words, wrong);
    window.clearTimeout(this.noteTimer);
    this.noteTimer = window.setTimeout(() => this.view.note('', false), NOTE_MS);
  }

  // What the visitor does.

  private guarded(needsArm: boolean, action: () => void): boolean {
    const why = locked(this.situation(), needsArm);
    if (why !== null) {
      this.note(why, true);
      return false;
    }
    action();
    return true;
  }

  private command(path: string, body: object, done: string | null = null, needsArm = false): void {
    this.guarded(needsArm, () => void this.commands.leased(path, body, done));
  }

  /** The one that is seen largest. */
  private camera(): { camera: string } {
    return { camera: this.main?.camera.name ?? '' };
  }

  private act(picture: Picture, act: PictureAct): void {
    const second = picture.element.classList.contains('is-second');
    if (second && this.layout === 'pip') {
      if (act.kind === 'track' || act.kind === 'look') this.arrange('pip', this.pictures.indexOf(picture));
      return;
    }
    switch (act.kind) {
      case 'track':
        this.track(picture, act.track);
        break;
      case 'look':
        this.look(picture, [act.pixel.x, act.pixel.y]);
        break;
      case 'steer':
        this.steer('drag', act.x, act.y);
        break;
      case 'steer-end':
        this.commands.steer('drag', null);
        break;
      case 'zoom':
        this.zoom(act.factor);
        break;
      case 'box': {
        const factor = zoomFor(act, picture.at.picture);
        if (factor !== null && this.look(picture, [act.centre.x, act.centre.y])) this.zoom(factor);
        break;
      }
    }
  }

  private frameOf(picture: Picture): { camera: string; stamp_ns: string } {
    return { camera: picture.camera.name, stamp_ns: (picture.stampNs ?? 0n).toString() };
  }

  private track(picture: Picture, track: Track): void {
    const words = texts.target.sent(texts.target.named(track.class, track.id));
    this.command('target', { ...this.frameOf(picture), id: track.id }, words);
  }

  private look(picture: Picture, pixel: readonly [number, number]): boolean {
    const { width, height } = picture.at.picture;
    // The newest command counts: without `release` a target that is followed would turn the camera back at once.
    const body = { ...this.frameOf(picture), pixel, size: [width, height], release: true };
    return this.guarded(true, () => void this.lookAt(body));
  }

  private async lookAt(body: object): Promise<void> {
    const answer = await this.commands.leased('gimbal/look_at', body);
    if (answer === null) return;
    const released = 'released' in answer && typeof answer.released === 'string' ? answer.released : '';
    this.note(released === '' ? texts.target.pointing : texts.target.releasedFor(released), false);
  }

  private steer(source: string, x: number, y: number): void {
    const why = x === 0 && y === 0 ? null : locked(this.situation(), true);
    if (why !== null && !this.commands.steering) this.note(why, true);
    this.commands.steer(source, why === null ? [x, y] : null);
  }

  private zoom(factor: number): void {
    this.guarded(false, () => {
      this.wantedZoom = Math.min(1000, Math.max(1, (this.wantedZoom ?? this.gimbal?.zoom ?? 1) * factor));
      this.zoomTimer ??= window.setTimeout(() => {
        this.zoomTimer = undefined;
        if (this.wantedZoom !== null) this.live.send({ type: 'zoom', factor: this.wantedZoom });
      }, ZOOM_EVERY_MS);
    });
  }

  private mark(step: 1 | -1): void {
    const picture = this.main;
    if (picture === null) return;
    const tracks = [...picture.pickable].sort((a, b) => a.box[0] - b.box[0]);
    if (tracks.length === 0) return;
    const at = tracks.findIndex((track) => track.id === picture.marked);
    const next = tracks[(at + step + tracks.length + (at < 0 && step < 0 ? 1 : 0)) % tracks.length];
    picture.marked = next?.id ?? null;
    picture.redraw();
    if (next !== undefined) {
      this.view.announce(
        texts.target.marked(texts.target.named(next.class, next.id), `${Math.round(100 * next.score)} %`),
      );
    }
  }

  private trackMarked(): void {
    const picture = this.main;
    const track = picture?.pickable.find((one) => one.id === picture.marked);
    if (picture !== null && track !== undefined) this.track(picture, track);
  }

  private toggleArm(): void {
    const armed = this.gimbal?.armed ?? false;
    // To make it safe needs neither the controls nor a fresh picture.
    if (armed) void this.commands.leased('arm', { armed: false });
    else this.command('arm', { armed: true });
  }

  private async toggleControl(): Promise<void> {
    const now = this.situation();
    if (!now.connected || now.role !== 'control') {
      this.note(now.connected ? texts.locked.role : texts.locked.link, true);
      return;
    }
    if (now.you) {
      this.commands.give();
      return;
    }
    if (now.holder !== null && !(await askTakeOver(now.holder))) return;
    this.commands.take(remembered('name', '') || texts.settings.nameUnset, now.holder !== null);
    // Keys steer from now on, and Enter does not press the same button again, which gives the controls back.
    this.view.views.focus({ preventScroll: true });
  }

  private async snapshot(): Promise<void> {
    this.note(texts.tools.snapshotAsked, false);
    const answer = await this.commands.ask('camera/snapshot', this.camera());
    if (answer === null) return;
    this.note(texts.tools.snapshotDone, false);
    try {
      await showSnapshot(answer, (stampNs) => this.dateOf(stampNs));
    } catch {
      this.note(texts.failed(texts.snapshot.heading), true);
    }
  }

  private async record(): Promise<void> {
    const on = !(this.recordRequest?.on ?? this.recordingOf(this.main)?.on ?? false);
    const said = on ? texts.tools.recordStarted : texts.tools.recordStopped;
    const answer = await this.commands.ask('camera/record', { ...this.camera(), on }, said);
    if (answer === null) return;
    // The robot's own words name the file.
    if ('text' in answer && typeof answer.text === 'string' && answer.text !== '') this.note(answer.text, false);
    this.recordRequest = { on, atMs: performance.now() };
    this.showRecordings();
  }

  private toggleSettings(): void {
    const open = !this.settings.isOpen;
    this.view.settingsTool.setAttribute('aria-expanded', String(open));
    if (open) this.settings.open(this.view.settingsTool);
    else this.settings.close();
  }

  private full(): void {
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    // The whole page and not the picture alone: STOP must stay on the screen.
    else void document.documentElement.requestFullscreen().catch(() => this.note(texts.failed(texts.tools.full), true));
  }
}

function rememberedLayers(): Layers {
  const layers: Layers = { boxes: true, labels: true, reticle: true, predicted: true, trail: true, between: true };
  try {
    const kept: unknown = JSON.parse(remembered('layers', '{}'));
    for (const name of Object.keys(layers) as (keyof Layers)[]) {
      if (typeof kept !== 'object' || kept === null || !(name in kept)) continue;
      layers[name] = (kept as Record<string, unknown>)[name] === true;
    }
  } catch {
    return layers; // somebody else's text under our name
  }
  return layers;
}
