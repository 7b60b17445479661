// SPDX-License-Identifier: Apache-2.0
// Where things are in a frame that no detection is of, from the detections around it: the camera's turning is known from
// the gimbal, what is left is their own motion. An estimate for the frame on the screen, and drawn as one.

import { directionOf, pixelOf, type Lens, type Quaternion, type Vector } from './bearings.ts';
import type { Box, Point } from './geometry.ts';

/** A track's motion is not carried on farther than this: a detector on two cores, 150 ms a picture, is 300 ms behind. */
const FARTHEST_NS = 400_000_000n;
/** Detections farther apart say little of the motion between them. */
const APART_NS = 600_000_000n;

export interface Located {
  readonly id: number;
  readonly box: Box;
}
export interface Seen<T extends Located> {
  readonly stampNs: bigint;
  readonly lens: Lens | null;
  readonly tracks: readonly T[];
}
export interface Poses {
  at(stampNs: bigint): Quaternion | null;
}

/** The newest detections' tracks as they were at `atNs`, or null where that is too far away from them. */
export function between<T extends Located>(
  before: Seen<T> | null,
  newest: Seen<T> | null,
  atNs: bigint,
  poses: Poses,
): T[] | null {
  if (newest === null) return null;
  const awayNs = atNs - newest.stampNs;
  if (awayNs > FARTHEST_NS || awayNs < -FARTHEST_NS) return null;
  const spanNs = before === null ? 0n : newest.stampNs - before.stampNs;
  const usable = before !== null && spanNs > 0n && spanNs <= APART_NS;
  const share = usable ? Number(awayNs) / Number(spanNs) : 0;
  const carry = carrier(usable ? before : null, newest, poses.at(atNs), poses);
  return newest.tracks.map((track) => {
    const old = usable ? before.tracks.find((one) => one.id === track.id) : undefined;
    const to = middle(track.box);
    const at = carry(old === undefined ? null : middle(old.box), to, share);
    const [x, y, width, height] = track.box;
    // Its size is not carried on, as detectors' sizes jitter most.
    return { ...track, box: [x + at.x - to.x, y + at.y - to.y, width, height] as const };
  });
}

export function middle([x, y, width, height]: Box): Point {
  return { x: x + width / 2, y: y + height / 2 };
}

type Carry = (from: Point | null, to: Point, share: number) => Point;

/** Along the bearings where poses and lens are known, else along the picture. */
function carrier<T extends Located>(
  before: Seen<T> | null,
  newest: Seen<T>,
  poseAt: Quaternion | null,
  poses: Poses,
): Carry {
  const { lens } = newest;
  const poseTo = poses.at(newest.stampNs);
  const poseFrom = before === null ? null : poses.at(before.stampNs);
  const lensFrom = before?.lens ?? null;
  if (lens === null || poseAt === null || poseTo === null) return inPicture;
  return (from, to, share) => {
    const now = directionOf(to, lens, poseTo);
    const old = from === null || lensFrom === null || poseFrom === null ? now : directionOf(from, lensFrom, poseFrom);
    const step = (k: 0 | 1 | 2): number => now[k] + (now[k] - old[k]) * share;
    const carried: Vector = [step(0), step(1), step(2)];
    return pixelOf(carried, lens, poseAt) ?? inPicture(from, to, share);
  };
}

function inPicture(from: Point | null, to: Point, share: number): Point {
  if (from === null) return to;
  return { x: to.x + (to.x - from.x) * share, y: to.y + (to.y - from.y) * share };
}
