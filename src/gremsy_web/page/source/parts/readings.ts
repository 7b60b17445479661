// SPDX-License-Identifier: Apache-2.0
// The instruments: direction dial, map of the limits, small charts, delay per stage. Drawn as SVG, coloured by the style.

import type { Gimbal } from '../protocol.ts';
import { texts } from '../texts.ts';
import { h, s, setText } from './dom.ts';

const DEGREES = 180 / Math.PI;

export function degrees(radians: number): string {
  return (Math.abs(radians) * DEGREES).toFixed(1);
}
export function azimuthText(radians: number | null): string {
  if (radians === null) return texts.gimbal.unknown;
  return radians >= 0 ? texts.gimbal.left(degrees(radians)) : texts.gimbal.right(degrees(radians));
}
export function tiltText(radians: number | null): string {
  if (radians === null) return texts.gimbal.unknown;
  return radians > 0 ? texts.gimbal.down(degrees(radians)) : texts.gimbal.up(degrees(radians));
}

/** From above: ahead is up, azimuth counts to the left, as on the robot. */
export class Dial {
  readonly element: SVGSVGElement;
  private readonly arc = s('path', { class: 'dial-arc' });
  private readonly needle = s('path', { class: 'dial-needle', d: 'M0 -34L5 0A5 5 0 0 1 -5 0Z' });
  private readonly goal = s('circle', { class: 'dial-goal', cx: 0, cy: -40, r: 3.5 });

  constructor() {
    const marks = [];
    for (let degree = 0; degree < 360; degree += 30) {
      const long = degree % 90 === 0;
      marks.push(s('path', { class: 'dial-mark', d: `M0 -46V${long ? -39 : -42}`, transform: `rotate(${degree})` }));
    }
    this.element = s(
      'svg',
      { viewBox: '-50 -50 100 100', class: 'dial', role: 'img', 'aria-label': texts.gimbal.unknown },
      s('circle', { class: 'dial-ring', r: 46 }),
      this.arc,
      ...marks,
      this.goal,
      this.needle,
    );
  }

  show(gimbal: Gimbal): void {
    const { azimuth, azimuthLimits, goal } = gimbal;
    this.needle.setAttribute('transform', `rotate(${-(azimuth ?? 0) * DEGREES})`);
    this.needle.classList.toggle('unknown', azimuth === null);
    this.goal.classList.toggle('none', goal === null);
    if (goal !== null) this.goal.setAttribute('transform', `rotate(${-goal[0] * DEGREES})`);
    if (azimuthLimits !== null) this.arc.setAttribute('d', arcPath(azimuthLimits, 46));
    this.element.setAttribute('aria-label', texts.gimbal.dial(azimuthText(azimuth), tiltText(gimbal.tilt)));
  }
}

function arcPath([low, high]: readonly [number, number], radius: number): string {
  const at = (radians: number): string => `${-Math.sin(radians) * radius} ${-Math.cos(radians) * radius}`;
  const large = high - low > Math.PI ? 1 : 0;
  return `M${at(high)}A${radius} ${radius} 0 ${large} 1 ${at(low)}`;
}

/** Azimuth by tilt, the limits as its frame: left on the left, down at the bottom. */
export class LimitsMap {
  readonly element: SVGSVGElement;
  private readonly here = s('circle', { class: 'map-here', r: 3 });
  private readonly goal = s('path', { class: 'map-goal', d: 'M-3 -3L3 3M-3 3L3 -3' });
  private readonly trail = s('polyline', { class: 'map-trail' });
  private readonly zero = s('path', { class: 'map-zero' });
  private past: string[] = [];

  constructor() {
    this.element = s(
      'svg',
      { viewBox: '0 0 120 60', class: 'map', role: 'img', 'aria-label': texts.gimbal.map },
      s('rect', { class: 'map-frame', x: 1, y: 1, width: 118, height: 58, rx: 4 }),
      this.zero,
      this.trail,
      this.goal,
      this.here,
    );
  }

  show(gimbal: Gimbal): void {
    const [azimuthLow, azimuthHigh] = gimbal.azimuthLimits ?? [-Math.PI, Math.PI];
    const [tiltLow, tiltHigh] = gimbal.tiltLimits ?? [-Math.PI / 2, Math.PI / 2];
    const x = (azimuth: number): number => 1 + (118 * (azimuthHigh - azimuth)) / (azimuthHigh - azimuthLow || 1);
    const y = (tilt: number): number => 1 + (58 * (tilt - tiltLow)) / (tiltHigh - tiltLow || 1);
    this.zero.setAttribute('d', `M${x(0)} 1V59M1 ${y(0)}H119`);
    const { azimuth, tilt, goal } = gimbal;
    const known = azimuth !== null && tilt !== null;
    this.here.classList.toggle('none', !known);
    if (known) {
      const point = `${x(azimuth).toFixed(1)} ${y(tilt).toFixed(1)}`;
      this.here.setAttribute('transform', `translate(${point})`);
      if (this.past.at(-1) !== point) this.past.push(point);
      if (this.past.length > 60) this.past.shift();
      this.trail.setAttribute('points', this.past.join(' '));
    }
    this.goal.classList.toggle('none', goal === null);
    if (goal !== null) this.goal.setAttribute('transform', `translate(${x(goal[0])} ${y(goal[1])})`);
  }
}

/** The last minute at two values a second. */
export class Chart {
  readonly element: SVGSVGElement;
  private readonly line = s('polyline', { class: 'chart-line' });
  private readonly area = s('polygon', { class: 'chart-area' });
  private readonly top = s('text', { class: 'chart-top', x: 0, y: 10 });
  private values: (number | null)[] = [];

  constructor(
    private readonly words: (value: string) => string,
    private readonly digits: number,
    private readonly least: number,
  ) {
    this.element = s(
      'svg',
      { viewBox: '0 0 240 56', class: 'chart', role: 'img', 'aria-label': words('0') },
      s('path', { class: 'chart-base', d: 'M0 55.5H240M0 28H240' }),
      this.area,
      this.line,
      this.top,
    );
  }

  push(value: number | null): void {
    this.values.push(value);
    if (this.values.length > 120) this.values.shift();
    const highest = Math.max(this.least, ...this.values.map((one) => one ?? 0));
    const points: string[] = [];
    this.values.forEach((one, index) => {
      if (one !== null) points.push(`${(240 - 2 * (this.values.length - 1 - index)).toFixed(0)} ${(55 - (52 * one) / highest).toFixed(1)}`);
    });
    this.line.setAttribute('points', points.join(' '));
    const [first] = points;
    const last = points.at(-1);
    this.area.setAttribute(
      'points',
      first === undefined || last === undefined ? '' : `${first.split(' ')[0]} 55 ${points.join(' ')} ${last.split(' ')[0]} 55`,
    );
    setText(this.top, highest.toFixed(this.digits));
    if (value !== null) this.element.setAttribute('aria-label', this.words(value.toFixed(this.digits)));
  }
}

export const STAGES = ['capture', 'encode', 'server', 'receive', 'paint'] as const;
export type Stage = (typeof STAGES)[number];
export type StageTimes = Readonly<Partial<Record<Stage, number>>>;

/** Where the delay is made, as one bar with its parts named under it. */
export class StageBar {
  readonly element: HTMLElement;
  private readonly bar = s('svg', { viewBox: '0 0 240 10', class: 'stage-bar', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  private readonly parts = new Map<Stage, { rect: SVGRectElement; words: HTMLElement }>();

  constructor() {
    const list = h('ul', { class: 'stages' });
    for (const stage of STAGES) {
      const rect = s('rect', { class: `stage-${stage}`, y: 0, height: 10, x: 0, width: 0 });
      const words = h('span', { class: 'number' }, texts.timing.unknown);
      this.parts.set(stage, { rect, words });
      this.bar.append(rect);
      list.append(h('li', {}, h('i', { class: `swatch stage-${stage}` }), texts.timing.stages[stage], words));
    }
    this.element = h('div', { class: 'stage-times' }, this.bar, list);
  }

  show(times: StageTimes): void {
    const total = STAGES.reduce((sum, stage) => sum + Math.max(0, times[stage] ?? 0), 0);
    let x = 0;
    for (const stage of STAGES) {
      const part = this.parts.get(stage);
      const ms = times[stage];
      const width = total > 0 ? (240 * Math.max(0, ms ?? 0)) / total : 0;
      part?.rect.setAttribute('x', x.toFixed(1));
      part?.rect.setAttribute('width', Math.max(0, width - 1).toFixed(1));
      if (part !== undefined) setText(part.words, ms === undefined ? texts.timing.unknown : texts.timing.chip(ms.toFixed(0)));
      x += width;
    }
  }
}
