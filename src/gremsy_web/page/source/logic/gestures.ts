// SPDX-License-Identifier: Apache-2.0
// What fingers and mouse mean on the picture: a tap, a drag that steers, a box to zoom to. Knows no DOM.

import type { Point } from './geometry.ts';

/** Less than this is a tap's trembling: 6 px with a mouse, 12 with a finger. */
const DEAD_PX = { mouse: 6, touch: 12 } as const;

export type Act =
  | { readonly kind: 'tap'; readonly at: Point; readonly coarse: boolean }
  | { readonly kind: 'steer'; readonly from: Point; readonly to: Point }
  | { readonly kind: 'steer-end' }
  | { readonly kind: 'box'; readonly a: Point; readonly b: Point; readonly done: boolean }
  | { readonly kind: 'box-cancelled' };

interface Finger {
  readonly start: Point;
  at: Point;
}

export interface PointerFacts {
  readonly id: number;
  readonly at: Point;
  readonly coarse: boolean;
  readonly shift: boolean;
}

type Mode = 'none' | 'maybe-tap' | 'steer' | 'box' | 'two' | 'spent';

export class Gestures {
  private readonly fingers = new Map<number, Finger>();
  private mode: Mode = 'none';

  constructor(private readonly act: (act: Act) => void) {}

  get steering(): boolean {
    return this.mode === 'steer';
  }

  down({ id, at, shift }: PointerFacts): void {
    this.fingers.set(id, { start: at, at });
    if (this.fingers.size === 1) {
      this.mode = shift ? 'box' : 'maybe-tap';
    } else if (this.fingers.size === 2) {
      // A second finger ends what the first began: the camera must not go on turning under a zoom.
      if (this.mode === 'steer') this.act({ kind: 'steer-end' });
      this.mode = 'two';
      this.twoFingers(false);
    } else {
      this.cancel();
      this.mode = 'spent';
    }
  }

  move({ id, at, coarse }: PointerFacts): void {
    const finger = this.fingers.get(id);
    if (finger === undefined) return;
    finger.at = at;
    const far = Math.hypot(at.x - finger.start.x, at.y - finger.start.y) > DEAD_PX[coarse ? 'touch' : 'mouse'];
    if (this.mode === 'maybe-tap' && far) this.mode = 'steer';
    if (this.mode === 'steer') this.act({ kind: 'steer', from: finger.start, to: at });
    if (this.mode === 'box') this.act({ kind: 'box', a: finger.start, b: at, done: false });
    if (this.mode === 'two') this.twoFingers(false);
  }

  up({ id, at, coarse }: PointerFacts): void {
    const finger = this.fingers.get(id);
    if (finger === undefined) return;
    finger.at = at;
    if (this.mode === 'maybe-tap') this.act({ kind: 'tap', at, coarse });
    if (this.mode === 'steer') this.act({ kind: 'steer-end' });
    if (this.mode === 'box') this.act({ kind: 'box', a: finger.start, b: at, done: true });
    if (this.mode === 'two') this.twoFingers(true);
    this.fingers.delete(id);
    // The other finger of two is lifted a moment later and means nothing any more.
    this.mode = this.fingers.size === 0 ? 'none' : 'spent';
  }

  /** The pointer was taken away, the window left, or the controls locked: whatever was begun ends without effect. */
  cancel(): void {
    if (this.mode === 'steer') this.act({ kind: 'steer-end' });
    if (this.mode === 'box' || this.mode === 'two') this.act({ kind: 'box-cancelled' });
    this.mode = 'none';
    this.fingers.clear();
  }

  private twoFingers(done: boolean): void {
    const [one, two] = [...this.fingers.values()];
    if (one !== undefined && two !== undefined) this.act({ kind: 'box', a: one.at, b: two.at, done });
  }
}

/** A share of the greatest rate, -1 to 1, from how far a drag went; squared, for fine steering near its start. */
export function deflection(pixels: number, fullPixels: number): number {
  const share = Math.max(-1, Math.min(1, pixels / fullPixels));
  return Math.sign(share) * share * share;
}

/** How much to magnify so that a box of `box` fills `whole`, leaving a tenth; null where the box is too small to mean it. */
export function zoomFor(
  box: { readonly width: number; readonly height: number },
  whole: { readonly width: number; readonly height: number },
): number | null {
  if (box.width < 16 || box.height < 16) return null;
  return 0.9 * Math.min(whole.width / box.width, whole.height / box.height);
}
