// SPDX-License-Identifier: Apache-2.0
// Pixels to directions that stay when the camera turns, and back, by the gimbal's poses. Level frame: x ahead, y left, z up.

import type { Point } from './geometry.ts';

/** Orientation of the camera in the level frame: w, x, y, z. */
export type Quaternion = readonly [w: number, x: number, y: number, z: number];
export type Vector = readonly [x: number, y: number, z: number];

/** Focal lengths and middle of the picture, in its pixels. */
export interface Lens {
  readonly focal: readonly [number, number];
  readonly centre: readonly [number, number];
}

/** As much past is kept as trails are long, and some. */
const KEPT_NS = 5_000_000_000n;
/** The gimbal is told ten times a second and pictures are 50 ms old: 0.15 s bridges one message that is lost. */
const AHEAD_NS = 150_000_000n;
/** Over such a gap nobody knows how it turned. */
const GAP_NS = 400_000_000n;
/** Two poses nearer than this tell more of noise than of turning. */
const SPAN_NS = 15_000_000n;

interface Pose {
  readonly stampNs: bigint;
  readonly turn: Quaternion;
}

export class PoseMemory {
  private poses: Pose[] = [];

  /** Poses come in the order of their stamps, some of them twice. */
  put(stampNs: bigint, turn: Quaternion): void {
    const newest = this.poses.at(-1);
    if (newest !== undefined) {
      // A clock that was set back makes all that was kept worthless.
      if (stampNs < newest.stampNs - KEPT_NS) this.poses = [];
      else if (stampNs <= newest.stampNs) return;
    }
    this.poses.push({ stampNs, turn });
    while (stampNs - (this.poses[0]?.stampNs ?? stampNs) > KEPT_NS) this.poses.shift();
  }

  /** How the camera looked at that time, or null where that is not known. */
  at(stampNs: bigint): Quaternion | null {
    const after = this.poses.findIndex((pose) => pose.stampNs >= stampNs);
    if (after < 0) return this.ahead(stampNs);
    const to = this.poses[after];
    const from = this.poses[after - 1];
    if (to === undefined) return null;
    if (to.stampNs === stampNs) return to.turn;
    if (from === undefined || to.stampNs - from.stampNs > GAP_NS) return null;
    return mixed(from, to, stampNs);
  }

  /** Later than the newest pose: it goes on turning as it did. */
  private ahead(stampNs: bigint): Quaternion | null {
    const newest = this.poses.at(-1);
    if (newest === undefined || stampNs - newest.stampNs > AHEAD_NS) return null;
    const from = this.poses.filter((pose) => newest.stampNs - pose.stampNs >= SPAN_NS).at(-1);
    if (from === undefined || newest.stampNs - from.stampNs > GAP_NS) return newest.turn;
    return mixed(from, newest, stampNs);
  }
}

/** On the line through two poses; 20 ms at 90 deg/s are 1.8 deg, where it differs from the arc by nothing. */
function mixed(from: Pose, to: Pose, stampNs: bigint): Quaternion {
  const share = Number(stampNs - from.stampNs) / Number(to.stampNs - from.stampNs);
  const [a, b] = [from.turn, to.turn];
  const sign = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] < 0 ? -1 : 1;
  const mix = (k: 0 | 1 | 2 | 3): number => a[k] + share * (sign * b[k] - a[k]);
  const whole: Quaternion = [mix(0), mix(1), mix(2), mix(3)];
  const length = Math.hypot(...whole) || 1;
  return [whole[0] / length, whole[1] / length, whole[2] / length, whole[3] / length];
}

/** v turned by q: v + 2 u x (u x v + w v), where u is q's vector part. */
function turned([w, x, y, z]: Quaternion, [a, b, c]: Vector): Vector {
  const p = y * c - z * b + w * a;
  const q = z * a - x * c + w * b;
  const r = x * b - y * a + w * c;
  return [a + 2 * (y * r - z * q), b + 2 * (z * p - x * r), c + 2 * (x * q - y * p)];
}

/** The direction (in the level frame, of length 1) of a pixel of a frame with that pose. */
export function directionOf(pixel: Point, lens: Lens, pose: Quaternion): Vector {
  const right = (pixel.x - lens.centre[0]) / lens.focal[0];
  const down = (pixel.y - lens.centre[1]) / lens.focal[1];
  const length = Math.hypot(1, right, down);
  return turned(pose, [1 / length, -right / length, -down / length]);
}

/** Where a direction lies in a frame with that pose, also beside it; null behind the camera. */
export function pixelOf(direction: Vector, lens: Lens, pose: Quaternion): Point | null {
  const [w, x, y, z] = pose;
  const [ahead, left, up] = turned([w, -x, -y, -z], direction);
  // More than 87 deg to the side, where a pixel is millions away.
  if (ahead < 0.05) return null;
  return {
    x: lens.centre[0] - (lens.focal[0] * left) / ahead,
    y: lens.centre[1] - (lens.focal[1] * up) / ahead,
  };
}
