// SPDX-License-Identifier: Apache-2.0
// What a visitor can do, by whatever button, key or stick.

import type { Layers } from './overlay.ts';

export interface Actions {
  stop(): void;
  arm(): void;
  control(): void;
  /** Right and down positive, -1 to 1; zero ends what that source (a drag, the keys, the gamepad) has begun. */
  steer(source: string, x: number, y: number): void;
  zoom(factor: number): void;
  home(): void;
  mode(mode: string): void;
  focus(): void;
  mark(step: 1 | -1): void;
  trackMarked(): void;
  trackNearest(): void;
  release(): void;
  enablePointing(): void;
  snapshot(): void;
  record(): void;
  view(index: number): void;
  full(): void;
  help(): void;
  settings(): void;
  layer(name: keyof Layers, on: boolean): void;
  chooseClass(name: string): void;
  chooseScore(score: number): void;
}
