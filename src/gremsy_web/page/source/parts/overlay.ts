// SPDX-License-Identifier: Apache-2.0
// What is drawn over the clean picture: only what belongs to the frame on the screen.

import { toElement, type Box, type Fit, type Point, type Size } from '../logic/geometry.ts';
import type { Track, Tracks } from '../protocol.ts';

export interface Layers {
  boxes: boolean;
  labels: boolean;
  reticle: boolean;
  predicted: boolean;
  trail: boolean;
  between: boolean;
}

export interface Drawn {
  readonly tracks: Tracks | null;
  /** The boxes are estimates for this frame, made from others: drawn dashed, so that nobody takes them for detections. */
  readonly estimated: boolean;
  readonly shown: readonly Track[];
  readonly hovered: number | null;
  readonly marked: number | null;
  readonly trail: readonly Point[];
  readonly selection: readonly [Point, Point] | null;
  readonly steer: readonly [Point, Point] | null;
}

// The picture is dark or bright whatever the page's colours: every line has a dark edge.
const EDGE = 'rgba(4, 10, 14, 0.7)';
const INK = '#f4f8fa';
const ACCENT = '#3fd0d8';
const LOST = '#ffc857';

export class Overlay {
  private readonly pen: CanvasRenderingContext2D | null;
  private size: Size = { width: 0, height: 0 };

  constructor(readonly canvas: HTMLCanvasElement) {
    this.pen = canvas.getContext('2d');
  }

  resize(size: Size): void {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.size = size;
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    this.pen?.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw(at: Fit, layers: Layers, what: Drawn): void {
    const { pen } = this;
    if (pen === null) return;
    pen.clearRect(0, 0, this.size.width, this.size.height);
    const target = what.tracks?.target ?? null;
    if (layers.boxes) {
      for (const track of what.shown) {
        if (track.id === target?.id) continue;
        const strong = track.id === what.hovered || track.id === what.marked;
        this.frame(at, track.box, { colour: INK, width: strong ? 2.5 : 1.25, dashed: what.estimated, alpha: strong ? 1 : 0.8 });
        if (layers.labels || strong) this.label(at, track.box, `${track.class} ${track.id}`, strong, INK);
      }
    }
    if (target !== null) {
      const colour = target.state === 'tracking' ? ACCENT : LOST;
      if (layers.trail) this.trail(at, what.trail, colour);
      if (target.box !== null) {
        this.corners(at, target.box, colour, what.estimated);
        const own = what.tracks?.tracks.find((track) => track.id === target.id);
        if (layers.labels && target.id !== null) {
          this.label(at, target.box, own === undefined ? String(target.id) : `${own.class} ${own.id}`, true, colour);
        }
      }
      if (layers.predicted && target.predicted !== null && !what.estimated) {
        this.cross(at, { x: target.predicted[0], y: target.predicted[1] }, colour);
      }
    }
    if (layers.reticle) this.reticle(at);
    if (what.selection !== null) this.selection(what.selection);
    if (what.steer !== null) this.steer(what.steer);
  }

  private stroke(colour: string, width: number, path: () => void, alpha = 1): void {
    const { pen } = this;
    if (pen === null) return;
    pen.lineJoin = 'round';
    pen.lineCap = 'round';
    for (const [style, wide] of [[EDGE, width + 2], [colour, width]] as const) {
      pen.globalAlpha = alpha;
      pen.strokeStyle = style;
      pen.lineWidth = wide;
      pen.beginPath();
      path();
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  private rectangle(at: Fit, box: Box): readonly [number, number, number, number] {
    const a = toElement(at, { x: box[0], y: box[1] });
    return [a.x, a.y, box[2] * at.scale, box[3] * at.scale];
  }

  private frame(
    at: Fit,
    box: Box,
    look: { colour: string; width: number; dashed: boolean; alpha: number },
  ): void {
    const rectangle = this.rectangle(at, box);
    this.pen?.setLineDash(look.dashed ? [4, 5] : []);
    this.stroke(look.colour, look.width, () => this.pen?.rect(...rectangle), look.alpha);
    this.pen?.setLineDash([]);
  }

  private corners(at: Fit, box: Box, colour: string, dashed: boolean): void {
    const [x, y, width, height] = this.rectangle(at, box);
    const arm = Math.max(6, Math.min(width, height) * 0.28);
    if (dashed) {
      this.frame(at, box, { colour, width: 2, dashed, alpha: 0.8 });
      return;
    }
    this.stroke(colour, 3, () => {
      for (const [cx, cy, sx, sy] of [
        [x, y, 1, 1],
        [x + width, y, -1, 1],
        [x, y + height, 1, -1],
        [x + width, y + height, -1, -1],
      ] as const) {
        this.pen?.moveTo(cx + sx * arm, cy);
        this.pen?.lineTo(cx, cy);
        this.pen?.lineTo(cx, cy + sy * arm);
      }
    });
  }

  private label(at: Fit, box: Box, words: string, strong: boolean, colour: string): void {
    const { pen } = this;
    if (pen === null) return;
    const [x, y] = this.rectangle(at, box);
    pen.font = `${strong ? 600 : 500} 12px system-ui, "DejaVu Sans", sans-serif`;
    const width = pen.measureText(words).width + 10;
    const top = y - 21 < at.top ? y + 3 : y - 21;
    const left = Math.max(at.left, Math.min(x - 1, at.left + at.picture.width * at.scale - width));
    pen.fillStyle = strong ? colour : EDGE;
    pen.beginPath();
    pen.roundRect(left, top, width, 18, 4);
    pen.fill();
    pen.fillStyle = strong ? '#06222a' : INK;
    pen.textBaseline = 'middle';
    pen.fillText(words, left + 5, top + 9.5);
  }

  private trail(at: Fit, points: readonly Point[], colour: string): void {
    if (points.length < 2) return;
    this.stroke(
      colour,
      1.5,
      () => {
        points.forEach((pixel, index) => {
          const point = toElement(at, pixel);
          if (index === 0) this.pen?.moveTo(point.x, point.y);
          else this.pen?.lineTo(point.x, point.y);
        });
      },
      0.6,
    );
  }

  private cross(at: Fit, pixel: Point, colour: string): void {
    const { x, y } = toElement(at, pixel);
    this.stroke(colour, 1.75, () => {
      this.pen?.moveTo(x - 6, y - 6);
      this.pen?.lineTo(x + 6, y + 6);
      this.pen?.moveTo(x + 6, y - 6);
      this.pen?.lineTo(x - 6, y + 6);
    });
  }

  private reticle(at: Fit): void {
    const { x, y } = toElement(at, { x: at.picture.width / 2, y: at.picture.height / 2 });
    const [inner, outer] = [7, Math.max(14, 26 * Math.min(1, at.scale * 2))];
    this.stroke(INK, 1.25, () => {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
        this.pen?.moveTo(x + dx * inner, y + dy * inner);
        this.pen?.lineTo(x + dx * outer, y + dy * outer);
      }
      this.pen?.moveTo(x + 1, y);
      this.pen?.arc(x, y, 1, 0, 2 * Math.PI);
    }, 0.85);
  }

  private selection([a, b]: readonly [Point, Point]): void {
    const { pen } = this;
    if (pen === null) return;
    const rectangle = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y)] as const;
    pen.fillStyle = 'rgba(63, 208, 216, 0.14)';
    pen.fillRect(...rectangle);
    this.stroke(ACCENT, 1.5, () => pen.rect(...rectangle));
  }

  private steer([from, to]: readonly [Point, Point]): void {
    const { pen } = this;
    if (pen === null) return;
    this.stroke(ACCENT, 2, () => {
      pen.moveTo(from.x, from.y);
      pen.lineTo(to.x, to.y);
    });
    for (const [point, radius] of [[from, 4], [to, 14]] as const) {
      this.stroke(ACCENT, 2, () => {
        pen.moveTo(point.x + radius, point.y);
        pen.arc(point.x, point.y, radius, 0, 2 * Math.PI);
      });
    }
  }
}
