// SPDX-License-Identifier: Apache-2.0
// Single pictures where there is no WebRTC: the next is asked for when the last was drawn, ten a second at most.

import { rtpOfStamp } from './logic/rtp_time.ts';
import { OWN } from './requests.ts';
import type { ShownFrame } from './whep.ts';

const LEAST_MS = 100;
const AGAIN_MS = 500;

export interface JpegWatcher {
  state(state: 'jpeg' | 'jpegWaiting' | 'refused'): void;
  frame(frame: ShownFrame): void;
}

export class Jpeg {
  private running = false;
  private generation = 0;
  private lastStamp = '';

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly url: string,
    private readonly watcher: JpegWatcher,
  ) {}

  start(): void {
    this.running = true;
    this.generation += 1;
    this.watcher.state('jpegWaiting');
    void this.next(this.generation);
  }

  stop(): void {
    this.running = false;
  }

  private async next(generation: number): Promise<void> {
    const started = performance.now();
    let wait = LEAST_MS;
    try {
      const response = await fetch(this.url, { headers: OWN, cache: 'no-store' });
      if (response.status === 401 || response.status === 403) {
        this.watcher.state('refused');
        return;
      }
      if (response.ok) await this.show(response);
      else {
        this.watcher.state('jpegWaiting');
        wait = AGAIN_MS;
      }
    } catch {
      this.watcher.state('jpegWaiting');
      wait = AGAIN_MS;
    }
    if (!this.running || generation !== this.generation) return;
    window.setTimeout(() => void this.next(generation), Math.max(0, wait - (performance.now() - started)));
  }

  private async show(response: Response): Promise<void> {
    const stamp = response.headers.get('x-gremsy-stamp') ?? '';
    const receivedMs = performance.now();
    // The same picture once more is not a new one: it must be able to grow old.
    if (stamp !== '' && stamp === this.lastStamp) return;
    const bitmap = await createImageBitmap(await response.blob());
    if (!this.running) return;
    this.canvas.width = bitmap.width;
    this.canvas.height = bitmap.height;
    this.canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.lastStamp = stamp;
    this.watcher.state('jpeg');
    const rtp = /^\d+$/.test(stamp) ? rtpOfStamp(BigInt(stamp)) : null;
    this.watcher.frame({ rtp, shownMs: performance.now(), receivedMs, own: false });
  }
}
