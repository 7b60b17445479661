// SPDX-License-Identifier: Apache-2.0
// Where the target was in the last seconds: kept as the pixel of its own frame, drawn in the frame on the screen by the
// bearings of both, so that a camera that turns does not bend it.

import { directionOf, pixelOf, type Lens } from './bearings.ts';
import type { Poses } from './between.ts';
import type { Point } from './geometry.ts';

const KEPT_NS = 3_000_000_000n;
/** Without poses the trail is of the picture, which a turning camera bends: a second says enough. */
const KEPT_IN_PICTURE_NS = 1_000_000_000n;

interface Mark {
  readonly stampNs: bigint;
  readonly pixel: Point;
  readonly lens: Lens | null;
}

export class Trail {
  private marks: Mark[] = [];
  private of: number | null = null;

  /** Where the target was; another target begins another trail, none ends it. */
  put(id: number | null, stampNs: bigint, pixel: Point | null, lens: Lens | null): void {
    if (id === null || pixel === null || id !== this.of) this.marks = [];
    this.of = pixel === null ? null : id;
    if (pixel === null || id === null) return;
    this.marks = this.marks.filter((mark) => mark.stampNs < stampNs && stampNs - mark.stampNs < KEPT_NS);
    this.marks.push({ stampNs, pixel, lens });
  }

  /** As pixels of the frame of that stamp (null: of no frame that is known), up to it and not beyond. */
  pointsAt(stampNs: bigint | null, poses: Poses): Point[] {
    const newest = this.marks.at(-1);
    if (newest === undefined || stampNs === null) return [];
    const past = this.marks.filter((mark) => mark.stampNs <= stampNs);
    const pose = poses.at(stampNs);
    const { lens } = newest;
    if (pose === null || lens === null) {
      return past.filter((mark) => stampNs - mark.stampNs < KEPT_IN_PICTURE_NS).map((mark) => mark.pixel);
    }
    const points: Point[] = [];
    for (const mark of past) {
      const then = poses.at(mark.stampNs);
      const point = then === null || mark.lens === null ? null : pixelOf(directionOf(mark.pixel, mark.lens, then), lens, pose);
      // A trail with a hole in it is of what came after the hole.
      if (point === null) points.length = 0;
      else points.push(point);
    }
    return points;
  }
}
