// SPDX-License-Identifier: Apache-2.0
// What the visitor may do and does: who has control, the lease that motion needs, steering at a steady rate, the stop.

import { deflection } from '../logic/gestures.ts';
import type { Live } from '../live.ts';
import { Refused, post } from '../requests.ts';
import { texts } from '../texts.ts';

/** The server forgets a rate after 0.2 s; said every 50 ms, three may be lost. */
const STEER_MS = 50;

export interface Situation {
  readonly connected: boolean;
  readonly role: 'view' | 'control';
  readonly armed: boolean;
  readonly fresh: boolean;
  readonly you: boolean;
  readonly holder: string | null;
}

/** Why the controls are locked, in words, or null where they are not. */
export function locked(now: Situation, needsArm: boolean): string | null {
  if (!now.connected) return texts.locked.link;
  if (now.role !== 'control') return texts.locked.role;
  if (!now.fresh) return texts.locked.stale;
  if (!now.you) return texts.locked.control;
  return needsArm && !now.armed ? texts.locked.armed : null;
}

/** Settings can be made without a picture: they may be what brings it back. */
export function lockedSettings(now: Situation): string | null {
  return locked({ ...now, fresh: true }, false);
}

export class Commands {
  lease = '';
  private readonly requested = new Map<string, readonly [number, number]>();
  private timer: number | undefined;
  private stops = 0;

  constructor(
    private readonly live: Live,
    private readonly maxRate: () => number,
    private readonly note: (text: string, wrong: boolean) => void,
    private readonly refused: () => void,
  ) {}

  /** Sends a request, and says what the robot says against it; its answer, null where it refused. */
  async ask(path: string, body: object, done: string | null = null): Promise<object | null> {
    try {
      const answer = await post(`api/${path}`, body);
      if (done !== null) this.note(done, false);
      return typeof answer === 'object' && answer !== null ? answer : {};
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.refused();
      this.note(error instanceof Refused ? error.message : texts.failed(path), true);
      return null;
    }
  }

  async leased(path: string, body: object, done: string | null = null): Promise<object | null> {
    return this.ask(path, { ...body, lease: this.lease }, done);
  }

  take(name: string, takeOver: boolean): void {
    this.live.send({ type: 'take', take_over: takeOver, name });
  }

  give(): void {
    this.stopSteering();
    this.live.send({ type: 'give' });
    this.lease = '';
  }

  /** What one source (a drag, the keys, the gamepad) requests; -1 to 1, right and down positive; null: nothing. */
  steer(source: string, wanted: readonly [number, number] | null): void {
    if (wanted === null || (wanted[0] === 0 && wanted[1] === 0)) this.requested.delete(source);
    else this.requested.set(source, wanted);
    if (this.requested.size > 0 && this.timer === undefined) {
      this.timer = window.setInterval(() => this.sendRate(), STEER_MS);
      this.sendRate();
    } else if (this.requested.size === 0) {
      this.stopSteering();
    }
  }

  get steering(): boolean {
    return this.requested.size > 0;
  }

  /** Ends all steering, with a zero so that the robot need not wait for the time to live. */
  stopSteering(): void {
    this.requested.clear();
    if (this.timer === undefined) return;
    window.clearInterval(this.timer);
    this.timer = undefined;
    this.live.send({ type: 'rate', azimuth_rad_s: 0, tilt_rad_s: 0 });
  }

  /** By socket and by request, since either may be the one that still gets through. */
  async stop(): Promise<void> {
    this.stopSteering();
    this.stops += 1;
    const own = this.stops;
    const started = performance.now();
    this.live.send({ type: 'stop' });
    this.note(texts.stop.sent, false);
    try {
      await post('api/gimbal/stop');
      if (own === this.stops) this.note(texts.stop.done(performance.now() - started), false);
    } catch (error) {
      if (own === this.stops) this.note(error instanceof Refused ? error.message : texts.stop.failed, true);
    }
  }

  private sendRate(): void {
    let [x, y] = [0, 0];
    for (const [dx, dy] of this.requested.values()) [x, y] = [x + dx, y + dy];
    const rate = this.maxRate();
    // Azimuth counts to the left, tilt downwards.
    this.live.send({
      type: 'rate',
      azimuth_rad_s: -deflection(x, 1) * rate,
      tilt_rad_s: deflection(y, 1) * rate,
    });
  }
}
