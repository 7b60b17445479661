// SPDX-License-Identifier: Apache-2.0
// What the robot sends on /api/live, checked where it comes in: nothing behind this file meets a missing field.

import type { Lens, Quaternion } from './logic/bearings.ts';
import type { Box } from './logic/geometry.ts';

export interface Camera {
  readonly name: string;
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly overlay: boolean;
}
export interface Hello {
  readonly type: 'hello';
  readonly robot: string;
  readonly cameras: readonly Camera[];
  readonly role: 'view' | 'control';
  readonly page: string | null;
  /** This socket's name, for a lease that ends with it. */
  readonly you: string;
  readonly maxRate: number;
  readonly staleAfterS: number;
}
export interface Track {
  readonly id: number;
  readonly class: string;
  readonly score: number;
  readonly box: Box;
}
export interface Target {
  readonly id: number | null;
  readonly state: string;
  readonly box: Box | null;
  readonly predicted: readonly [number, number] | null;
  /** Why it is as it is, or why the gimbal does not follow. */
  readonly reason: string;
  /** Why the tracker does not point, where it was switched off: by the robot after a divergence, or by somebody. */
  readonly offBecause: string | null;
}
export interface Tracks {
  readonly type: 'tracks';
  readonly camera: string;
  readonly stampNs: bigint;
  readonly rtp: number | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly lens: Lens | null;
  readonly tracks: readonly Track[];
  readonly target: Target | null;
}
export interface Gimbal {
  readonly type: 'gimbal';
  readonly azimuth: number | null;
  readonly tilt: number | null;
  readonly zoom: number | null;
  readonly armed: boolean;
  readonly mode: string | null;
  readonly goal: readonly [number, number] | null;
  readonly azimuthLimits: readonly [number, number] | null;
  readonly tiltLimits: readonly [number, number] | null;
  /** The camera whose tracker moves the gimbal, by the topic that the driver hears; null where it takes any. */
  readonly followsTopic: string | null;
  readonly poses: readonly { readonly stampNs: bigint; readonly turn: Quaternion }[];
}
export interface Recording {
  readonly on: boolean;
  /** The camera's own words: why it ended, where it went. */
  readonly text: string;
  readonly to: string;
  readonly seconds: number | null;
  readonly megabytes: number | null;
}
export interface NodeState {
  readonly name: string;
  readonly level: number;
  readonly message: string;
}
export interface State {
  readonly type: 'state';
  readonly nodes: readonly NodeState[];
  readonly latencyMs: Readonly<Record<string, number>>;
  readonly pointingErrorRad: number | null;
  readonly holder: string | null;
  readonly you: boolean;
  /** Width and height by camera, of those that have had an image. */
  readonly sizes: ReadonlyMap<string, readonly [number, number]>;
  /** By camera; none of a camera that says nothing of it. */
  readonly recordings: ReadonlyMap<string, Recording>;
}
export interface RobotEvent {
  readonly type: 'event';
  readonly stampNs: bigint;
  /** 0 information, 1 warning, 2 fault. */
  readonly level: number;
  readonly source: string;
  readonly text: string;
}
export interface VideoTime {
  readonly type: 'video';
  readonly camera: string;
  readonly rtp: number;
  readonly stampNs: bigint;
}
export interface ClockAnswer {
  readonly type: 'clock';
  readonly t0: number;
  readonly t1Ns: bigint;
  readonly t2Ns: bigint;
}
export interface Refusal {
  readonly type: 'error';
  readonly text: string;
}
/** Whether this socket holds the controls, with the lease that requests about motion need. */
export interface Control {
  readonly type: 'control';
  readonly lease: string;
  readonly holder: string | null;
  readonly you: boolean;
}
/** What the robot says of a command that it carried out. */
export interface Done {
  readonly type: 'done';
  readonly text: string;
}
export type Message = Hello | Control | Done | Tracks | Gimbal | State | RobotEvent | VideoTime | ClockAnswer | Refusal;

export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A time in nanoseconds: a decimal string, as JSON's numbers end at 2^53. */
function nanoseconds(value: unknown): bigint | null {
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : null;
}
function pair(value: unknown): readonly [number, number] | null {
  const [a, b] = list(value).map(number);
  return a === null || a === undefined || b === null || b === undefined ? null : [a, b];
}
function box(value: unknown): Box | null {
  const [x, y, width, height] = list(value).map(number);
  if (x == null || y == null || width == null || height == null) return null;
  return [x, y, width, height];
}

function level(value: unknown): number {
  const word = text(value)?.toLowerCase() ?? '';
  if (word.startsWith('warn')) return 1;
  if (word.startsWith('err') || word.startsWith('fatal')) return 2;
  return Math.min(2, Math.max(0, number(value) ?? 0));
}

function hello(fields: Fields): Hello {
  const cameras: Camera[] = [];
  for (const one of list(fields['cameras'])) {
    const name = isFields(one) ? text(one['name']) : null;
    if (!isFields(one) || name === null) continue;
    cameras.push({
      name,
      path: text(one['path']) ?? name,
      width: number(one['width']) ?? 1280,
      height: number(one['height']) ?? 720,
      overlay: one['overlay'] === true,
    });
  }
  const limits = isFields(fields['limits']) ? fields['limits'] : {};
  return {
    type: 'hello',
    robot: text(fields['robot']) ?? '',
    cameras,
    role: fields['role'] === 'control' ? 'control' : 'view',
    page: text(fields['page']),
    you: String(fields['you'] ?? ''),
    // 0.8 rad/s, 46 deg/s: a person at ten metres stays findable at that rate.
    maxRate: number(limits['rate_rad_s']) ?? 0.8,
    staleAfterS: number(fields['stale_after_s']) ?? 0.5,
  };
}

function target(fields: Fields, frameNs: bigint, found: readonly Track[]): Target {
  const id = number(fields['id']);
  const stampNs = nanoseconds(fields['stamp_ns']);
  // A target that was stamped with another frame has its box there; in this one it is where its track is.
  const ofThisFrame = stampNs === null || stampNs === frameNs;
  const own = found.find((track) => track.id === id)?.box ?? null;
  const reasons = ['unused_because', 'still_because', 'reason'].map((name) => text(fields[name]) ?? '');
  return {
    id,
    state: text(fields['state']) ?? 'idle',
    box: ofThisFrame ? (box(fields['box']) ?? own) : own,
    predicted: ofThisFrame ? pair(fields['predicted']) : null,
    reason: reasons.find((reason) => reason !== '') ?? '',
    offBecause: fields['enabled'] === false ? (text(fields['still_because']) ?? '') : null,
  };
}

/** Without those that are not understood. */
export function readTracks(value: unknown): Track[] {
  const found: Track[] = [];
  for (const one of list(value)) {
    if (!isFields(one)) continue;
    const id = number(one['id']);
    const where = box(one['box']);
    if (id === null || where === null) continue;
    found.push({ id, class: text(one['class']) ?? '', score: number(one['score']) ?? 0, box: where });
  }
  return found;
}

function tracks(fields: Fields): Tracks | null {
  const camera = text(fields['camera']);
  const stampNs = nanoseconds(fields['stamp_ns']);
  const rtp = number(fields['rtp']);
  if (camera === null || stampNs === null) return null;
  const found = readTracks(fields['tracks']);
  return {
    type: 'tracks',
    camera,
    stampNs,
    rtp: rtp === null ? null : rtp >>> 0,
    width: number(fields['width']),
    height: number(fields['height']),
    lens: lens(fields['lens']),
    tracks: found,
    target: isFields(fields['target']) ? target(fields['target'], stampNs, found) : null,
  };
}

function lens(value: unknown): Lens | null {
  const [focal, centre] = isFields(value) ? [pair(value['focal']), pair(value['centre'])] : [null, null];
  return focal === null || centre === null || focal[0] <= 0 || focal[1] <= 0 ? null : { focal, centre };
}

function poses(fields: Fields): Gimbal['poses'] {
  const newestNs = nanoseconds(fields['stamp_ns']);
  if (newestNs === null) return [];
  const found: Gimbal['poses'][number][] = [];
  for (const one of list(fields['poses'])) {
    const [seconds, w, x, y, z] = list(one).map(number);
    if (seconds == null || w == null || x == null || y == null || z == null) continue;
    found.push({ stampNs: newestNs + BigInt(Math.round(seconds * 1e9)), turn: [w, x, y, z] });
  }
  return found;
}

function sizes(value: unknown): Map<string, readonly [number, number]> {
  const found = new Map<string, readonly [number, number]>();
  for (const [camera, one] of isFields(value) ? Object.entries(value) : []) {
    const size = isFields(one) ? pair([one['width'], one['height']]) : null;
    if (size !== null && size[0] > 0 && size[1] > 0) found.set(camera, size);
  }
  return found;
}

function recordings(value: unknown): Map<string, Recording> {
  const found = new Map<string, Recording>();
  for (const [camera, one] of isFields(value) ? Object.entries(value) : []) {
    const recording = isFields(one) ? one['recording'] : null;
    if (!isFields(recording)) continue;
    found.set(camera, {
      on: recording['on'] === true,
      text: text(recording['text']) ?? '',
      to: text(recording['to']) ?? '',
      seconds: number(recording['seconds']),
      megabytes: number(recording['megabytes']),
    });
  }
  return found;
}

function gimbal(fields: Fields): Gimbal {
  const limits = isFields(fields['limits']) ? fields['limits'] : {};
  const goal = fields['goal'];
  const goalPair = isFields(goal) ? pair([goal['azimuth_rad'], goal['tilt_rad']]) : pair(goal);
  return {
    type: 'gimbal',
    azimuth: number(fields['azimuth_rad']),
    tilt: number(fields['tilt_rad']),
    zoom: number(fields['zoom']),
    armed: fields['armed'] === true,
    mode: text(fields['mode']),
    goal: goalPair,
    azimuthLimits: pair(limits['azimuth']),
    tiltLimits: pair(limits['tilt']),
    followsTopic: text(fields['setpoint_topic']) || null,
    poses: poses(fields),
  };
}

function state(fields: Fields): State {
  const nodes: NodeState[] = [];
  for (const one of list(fields['nodes'])) {
    const name = isFields(one) ? text(one['name']) : null;
    if (!isFields(one) || name === null) continue;
    nodes.push({ name, level: number(one['level']) ?? 3, message: text(one['message']) ?? '' });
  }
  const latencyMs: Record<string, number> = {};
  if (isFields(fields['latency_ms'])) {
    for (const [stage, value] of Object.entries(fields['latency_ms'])) {
      const ms = number(value);
      if (ms !== null) latencyMs[stage] = ms;
    }
  }
  const control = isFields(fields['control']) ? fields['control'] : {};
  return {
    type: 'state',
    nodes,
    latencyMs,
    pointingErrorRad: number(fields['pointing_error_rad']),
    holder: text(control['holder']),
    you: control['you'] === true,
    sizes: sizes(fields['cameras']),
    recordings: recordings(fields['cameras']),
  };
}

/** Reads one message; null for one that is not understood, which the caller counts. */
export function readMessage(data: unknown): Message | null {
  let fields: unknown;
  try {
    fields = JSON.parse(String(data));
  } catch {
    return null;
  }
  if (!isFields(fields)) return null;
  const stampNs = nanoseconds(fields['stamp_ns']);
  switch (fields['type']) {
    case 'hello':
      return hello(fields);
    case 'tracks':
      return tracks(fields);
    case 'gimbal':
      return gimbal(fields);
    case 'state':
      return state(fields);
    case 'event':
      return {
        type: 'event',
        stampNs: stampNs ?? 0n,
        level: level(fields['level']),
        source: text(fields['source']) ?? '',
        text: text(fields['text']) ?? '',
      };
    case 'video': {
      const camera = text(fields['camera']);
      const rtp = number(fields['rtp']);
      return camera === null || rtp === null || stampNs === null
        ? null
        : { type: 'video', camera, rtp: rtp >>> 0, stampNs };
    }
    case 'clock': {
      const t0 = number(fields['t0']);
      const t1Ns = nanoseconds(fields['t1_ns']);
      const t2Ns = nanoseconds(fields['t2_ns']);
      return t0 === null || t1Ns === null || t2Ns === null ? null : { type: 'clock', t0, t1Ns, t2Ns };
    }
    case 'control':
      return {
        type: 'control',
        lease: text(fields['lease']) ?? '',
        holder: text(fields['holder']),
        you: fields['you'] === true,
      };
    case 'done':
      return { type: 'done', text: text(fields['text']) ?? '' };
    case 'error':
      return { type: 'error', text: text(fields['text']) ?? '' };
    default:
      return null;
  }
}
