// SPDX-License-Identifier: Apache-2.0
// One camera's picture: its video or single pictures, what is drawn over it, how old it is, and what pointers do on it.

import { boxAt, fit, toPixel, type Fit, type Point } from '../logic/geometry.ts';
import { freshness, type Freshness, type Picture as Shown } from '../logic/freshness.ts';
import { between, middle, type Poses } from '../logic/between.ts';
import { FrameMatch } from '../logic/frame_match.ts';
import { Gestures, type Act, type PointerFacts } from '../logic/gestures.ts';
import { Trail } from '../logic/trail.ts';
import { Jpeg } from '../jpeg.ts';
import type { Camera, Recording, Track, Tracks, VideoTime } from '../protocol.ts';
import { texts } from '../texts.ts';
import type { VideoPicture } from '../video_frames.ts';
import { Whep, hasH264, type ShownFrame, type VideoState } from '../whep.ts';
import { h, setText } from './dom.ts';
import { Overlay, type Layers } from './overlay.ts';

/** After two sessions without a picture UDP is taken for closed, and single pictures are shown; tried again after this. */
const WITHOUT_PICTURE_LIMIT = 2;
const WHEP_AGAIN_MS = 30000;
/** Boxes are drawn as estimates until every frame of this long had its own: solid and dashed in turns would flicker. */
const EXACT_AFTER_MS = 1000;

export interface PictureHost {
  robotNowNs(): bigint | null;
  staleAfterMs(): number;
  layers(): Layers;
  /** How the camera looked, by the gimbal. */
  poses(): Poses;
  visible(track: Track): boolean;
  act(picture: Picture, act: PictureAct): void;
}

export type PictureAct =
  | { readonly kind: 'track'; readonly track: Track; readonly pixel: Point }
  | { readonly kind: 'look'; readonly pixel: Point }
  | { readonly kind: 'steer'; readonly x: number; readonly y: number }
  | { readonly kind: 'steer-end' }
  | { readonly kind: 'zoom'; readonly factor: number }
  | { readonly kind: 'box'; readonly centre: Point; readonly width: number; readonly height: number };

export class Picture {
  readonly element: HTMLElement;
  readonly match = new FrameMatch<Tracks>();
  readonly whep: Whep;
  /** ms of each stage that this browser measures, of the frame on the screen. */
  receiveMs: number | null = null;
  paintMs: number | null = null;
  /** When it was received, in ms of `performance.now()`. */
  receivedAtMs: number | null = null;
  framesShown = 0;
  marked: number | null = null;
  private readonly video: HTMLVideoElement;
  private readonly still: HTMLCanvasElement;
  private readonly pen: CanvasRenderingContext2D | null;
  private readonly words: HTMLElement;
  private readonly veil: HTMLElement;
  private readonly recording = h('span', { class: 'rec number', hidden: true });
  private readonly estimate = h('span', { class: 'estimate', hidden: true }, texts.target.estimated);
  private readonly single = h('span', { class: 'single', hidden: true });
  private readonly overlay: Overlay;
  private readonly gestures: Gestures;
  private readonly jpeg: Jpeg;
  private jpegOn = false;
  private shown: Shown | null = null;
  private tracks: Tracks | null = null;
  private before: Tracks | null = null;
  private newest: Tracks | null = null;
  private estimatedAtMs = Number.NEGATIVE_INFINITY;
  private hovered: number | null = null;
  private readonly trail = new Trail();
  private selection: readonly [Point, Point] | null = null;
  private steer: readonly [Point, Point] | null = null;
  private dirty = true;
  private size: { readonly width: number; readonly height: number };
  private timingMissing = false;
  private whepTimer: number | undefined;

  constructor(
    readonly camera: Camera,
    private readonly host: PictureHost,
  ) {
    this.size = { width: camera.width, height: camera.height };
    this.video = h('video', { muted: true, autoplay: true, playsinline: true, 'aria-hidden': 'true', tabindex: -1 });
    this.video.muted = true;
    this.still = h('canvas', { class: 'still', hidden: true, 'aria-hidden': 'true' });
    // Opaque: nothing under it is composited.
    this.pen = this.still.getContext('2d', { alpha: false });
    const canvas = h('canvas', { class: 'overlay', 'aria-hidden': 'true' });
    this.words = h('p', { class: 'video-words' }, texts.video.asking);
    this.veil = h('p', { class: 'veil', hidden: true });
    this.element = h(
      'div',
      { class: 'picture', 'data-camera': camera.name },
      this.video,
      this.still,
      canvas,
      h(
        'p',
        { class: 'picture-head' },
        h('span', { class: 'camera-name' }, camera.name.toUpperCase()),
        this.recording,
        this.estimate,
        this.single,
      ),
      this.words,
      this.veil,
    );
    this.overlay = new Overlay(canvas);
    this.gestures = new Gestures((act) => this.onAct(act));
    const url = `video/${encodeURIComponent(camera.path)}`;
    this.whep = new Whep(this.video, `${url}/whep`, {
      state: (state) => this.videoState(state),
      frame: (picture, own) => this.paint(picture, own),
      withoutPicture: (times) => {
        if (times >= WITHOUT_PICTURE_LIMIT) this.fallBack();
      },
    });
    this.jpeg = new Jpeg(this.still, `${url}/jpeg`, {
      state: (state) => this.showStatus(texts.video[state], state !== 'refused' && state !== 'jpegWaiting'),
      frame: (frame) => this.frame(frame),
    });
    this.listen();
    new ResizeObserver(() => {
      this.overlay.resize({ width: this.element.clientWidth, height: this.element.clientHeight });
      this.dirty = true;
    }).observe(this.element);
  }

  start(): void {
    this.jpeg.stop();
    this.showVideo();
    if (hasH264()) this.whep.start();
    else this.fallBack();
  }

  stop(): void {
    window.clearTimeout(this.whepTimer);
    this.whep.stop();
    this.jpeg.stop();
    this.showVideo();
    this.gestures.cancel();
    this.shown = null;
    this.match.restart();
  }

  /** The camera may be set to another size, or be another camera, while the page is open. */
  setSize(width: number | null, height: number | null): void {
    if (width === null || height === null) return;
    if (width !== this.size.width || height !== this.size.height) this.dirty = true;
    this.size = { width, height };
  }

  onTracks(tracks: Tracks): void {
    this.setSize(tracks.width, tracks.height);
    if (this.newest === null || tracks.stampNs > this.newest.stampNs) {
      this.before = this.newest;
      this.newest = tracks;
      this.follow(tracks);
    }
    if (this.match.take(tracks)) this.rematch();
  }

  /** From the capture to the screen, of the newest frame; null where the robot's clock is not known. */
  get totalMs(): number | null {
    return this.receiveMs === null ? null : this.receiveMs + (this.paintMs ?? 0);
  }

  onVideoTime(time: VideoTime): void {
    this.match.takeAnchor(time);
  }

  freshness(nowMs: number): Freshness {
    return freshness(this.shown, nowMs, this.host.robotNowNs(), this.host.staleAfterMs());
  }

  /** The capture time of the frame on the screen, and its tracks that may be picked. */
  get stampNs(): bigint | null {
    return this.match.current(this.host.robotNowNs()).stampNs;
  }

  get pickable(): readonly Track[] {
    if (this.tracks === null) return [];
    return this.tracks.tracks.filter((track) => this.host.visible(track));
  }

  showRecording(recording: Recording | null): void {
    this.recording.hidden = recording?.on !== true;
    const seconds = Math.floor(recording?.seconds ?? 0);
    setText(this.recording, texts.recording.chip(texts.recording.time(Math.floor(seconds / 60), seconds % 60)));
  }

  /** Ends what a pointer has begun. */
  cancel(): void {
    this.gestures.cancel();
  }

  redraw(): void {
    this.dirty = true;
  }

  /** Once a screen refresh: the veil of an old picture, and what changed of the drawing. */
  refresh(nowMs: number): Freshness {
    const how = this.freshness(nowMs);
    const stale = how.kind === 'stale';
    this.element.classList.toggle('is-stale', stale);
    this.element.classList.toggle('is-empty', how.kind === 'none');
    this.veil.hidden = !stale;
    if (stale) setText(this.veil, `${texts.stale.title} · ${ageText(how.ageMs)}`);
    if (this.dirty) this.draw();
    return how;
  }

  get at(): Fit {
    return fit(
      { width: this.tracks?.width ?? this.size.width, height: this.tracks?.height ?? this.size.height },
      { width: this.element.clientWidth, height: this.element.clientHeight },
    );
  }

  private draw(): void {
    this.dirty = false;
    const estimated = performance.now() - this.estimatedAtMs < EXACT_AFTER_MS;
    this.estimate.hidden = !estimated || this.tracks === null || this.tracks.tracks.length === 0;
    this.overlay.draw(this.at, this.host.layers(), {
      tracks: this.tracks,
      estimated,
      shown: this.pickable,
      hovered: this.hovered,
      marked: this.marked,
      trail: this.host.layers().trail ? this.trail.pointsAt(this.shown?.stampNs ?? null, this.host.poses()) : [],
      selection: this.selection,
      steer: this.steer,
    });
  }

  /** The frame and what belongs over it in one go, so that they come to the screen together. */
  private paint({ image, width, height, rtp, receivedMs }: VideoPicture, own: boolean): void {
    const { still } = this;
    if (still.width !== width || still.height !== height) [still.width, still.height] = [width, height];
    if (!document.hidden) this.pen?.drawImage(image, 0, 0, width, height);
    still.hidden = false;
    this.frame({ rtp, shownMs: performance.now(), receivedMs, own });
    if (document.hidden) this.blank();
    this.draw();
  }

  /** Nobody sees it: whoever comes back would see an old frame under new boxes, and click on it as on the newest. */
  private blank(): void {
    this.pen?.clearRect(0, 0, this.still.width, this.still.height);
    this.shown = null;
    this.tracks = null;
  }

  private frame(frame: ShownFrame): void {
    this.framesShown += 1;
    if (frame.rtp === null) {
      this.shown = { stampNs: null, shownMs: frame.shownMs };
      if (!this.timingMissing) this.showStatus(texts.video.noTiming, false);
      this.timingMissing = true;
      this.setTracks(null, null);
      return;
    }
    const robotNow = this.host.robotNowNs();
    const { tracks, stampNs } = this.match.show(frame.rtp, robotNow, frame.own);
    this.shown = { stampNs, shownMs: frame.shownMs };
    this.setTracks(tracks, stampNs);
    this.measure(frame, stampNs, robotNow);
  }

  private measure(frame: ShownFrame, stampNs: bigint | null, robotNow: bigint | null): void {
    this.receiveMs = null;
    this.paintMs = null;
    this.receivedAtMs = frame.receivedMs;
    if (stampNs === null || robotNow === null) return;
    const totalMs = Number(robotNow - stampNs) / 1e6;
    if (frame.receivedMs !== null) {
      this.paintMs = Math.max(0, performance.now() - frame.receivedMs);
      this.receiveMs = totalMs - this.paintMs;
    } else {
      this.receiveMs = totalMs;
    }
  }

  private rematch(): void {
    if (this.shown === null) return;
    const { tracks, stampNs } = this.match.current(this.host.robotNowNs());
    this.shown = { stampNs, shownMs: this.shown.shownMs };
    this.setTracks(tracks, stampNs);
  }

  /** Tracks of the very frame; where it has none, estimates for it from those around it. */
  private setTracks(exact: Tracks | null, stampNs: bigint | null): void {
    this.dirty = true;
    this.tracks = exact;
    if (exact !== null || stampNs === null || this.newest === null || !this.host.layers().between) return;
    const tracks = between(this.before, this.newest, stampNs, this.host.poses());
    if (tracks === null) return;
    this.estimatedAtMs = performance.now();
    const { target } = this.newest;
    const own = tracks.find((track) => track.id === target?.id);
    const aim = target === null ? null : { ...target, box: own?.box ?? null, predicted: null };
    this.tracks = { ...this.newest, tracks, target: aim };
  }

  private follow({ target, stampNs, lens }: Tracks): void {
    this.trail.put(target?.id ?? null, stampNs, target?.box == null ? null : middle(target.box), lens);
  }

  private videoState(state: VideoState): void {
    if (state === 'unsupported') {
      this.fallBack();
      return;
    }
    if (this.jpegOn) {
      // Single pictures go on until there is video.
      if (state !== 'playing') return;
      this.jpeg.stop();
      this.showVideo();
      this.forgetFrames();
    }
    // A new session's RTP times need not follow the old one's.
    if (state === 'asking') this.forgetFrames();
    this.showStatus(texts.video[state], state === 'playing');
  }

  private forgetFrames(): void {
    this.match.restart();
    this.before = null;
    this.newest = null;
  }

  private showStatus(words: string, quiet: boolean): void {
    setText(this.words, words);
    this.words.classList.toggle('quiet', quiet);
  }

  private fallBack(): void {
    this.whep.stop();
    if (!this.jpegOn) {
      this.jpegOn = true;
      // For as long as it is so, and not only until the first of them.
      this.single.hidden = false;
      setText(this.single, hasH264() ? texts.video.jpeg : texts.video.unsupported);
      // Over the video, which goes on being tried under it.
      this.still.hidden = false;
      this.showStatus(hasH264() ? texts.video.jpegWaiting : texts.video.unsupported, false);
      this.jpeg.start();
    }
    window.clearTimeout(this.whepTimer);
    if (hasH264()) this.whepTimer = window.setTimeout(() => this.whep.start(), WHEP_AGAIN_MS);
  }

  private showVideo(): void {
    this.jpegOn = false;
    this.single.hidden = true;
    this.still.hidden = true;
  }

  private listen(): void {
    const { element } = this;
    const facts = (event: PointerEvent): PointerFacts => ({
      id: event.pointerId,
      at: this.local(event),
      coarse: event.pointerType === 'touch',
      shift: event.shiftKey,
    });
    element.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      this.gestures.down(facts(event));
    });
    element.addEventListener('pointermove', (event) => {
      this.hover(this.local(event));
      this.gestures.move(facts(event));
    });
    element.addEventListener('pointerup', (event) => this.gestures.up(facts(event)));
    element.addEventListener('pointercancel', () => this.gestures.cancel());
    element.addEventListener('pointerleave', () => this.hover(null));
    element.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const factor = Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) * 0.0015);
        this.host.act(this, { kind: 'zoom', factor });
      },
      { passive: false },
    );
    window.addEventListener('blur', () => this.gestures.cancel());
  }

  private local(event: PointerEvent): Point {
    const frame = this.element.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  private hover(at: Point | null): void {
    const pixel = at === null ? null : toPixel(this.at, at);
    const over = pixel === null ? null : (boxAt(this.pickable, pixel, 0)?.id ?? null);
    if (over === this.hovered) return;
    this.hovered = over;
    this.element.classList.toggle('over-box', over !== null);
    this.dirty = true;
  }

  private onAct(act: Act): void {
    this.dirty = true;
    switch (act.kind) {
      case 'tap':
        this.tap(act.at, act.coarse);
        break;
      case 'steer': {
        this.steer = [act.from, act.to];
        const full = Math.min(this.element.clientWidth, this.element.clientHeight) / 2;
        this.host.act(this, {
          kind: 'steer',
          x: (act.to.x - act.from.x) / full,
          y: (act.to.y - act.from.y) / full,
        });
        break;
      }
      case 'steer-end':
        this.steer = null;
        this.host.act(this, { kind: 'steer-end' });
        break;
      case 'box':
        this.selection = act.done ? null : [act.a, act.b];
        if (act.done) this.box(act.a, act.b);
        break;
      case 'box-cancelled':
        this.selection = null;
        break;
    }
  }

  private tap(at: Point, coarse: boolean): void {
    const pixel = toPixel(this.at, at);
    if (pixel === null) return;
    const track = boxAt(this.pickable, pixel, coarse ? 12 / (this.at.scale || 1) : 0);
    this.host.act(this, track === null ? { kind: 'look', pixel } : { kind: 'track', track, pixel });
  }

  private box(a: Point, b: Point): void {
    const centre = toPixel(this.at, { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
    const { scale } = this.at;
    if (centre === null || scale === 0) return;
    this.host.act(this, {
      kind: 'box',
      centre,
      width: Math.abs(a.x - b.x) / scale,
      height: Math.abs(a.y - b.y) / scale,
    });
  }
}

export function ageText(ms: number): string {
  if (ms < 1000) return texts.age.ms(ms);
  return ms < 60000 ? texts.age.s(ms / 1000) : texts.age.over;
}
